"""No word of others is ever run by a shell: scripts and command lines made of hostile values, run by a real /bin/sh.

Each runs in a folder of its own, with a PATH on which there is nothing but a `touch` of ours, which leaves a canary,
and programs that do nothing.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pytest_kubelb.backends.base import root_line
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.load.command import wrk_command
from pytest_kubelb.readiness import curl_command
from pytest_kubelb.testbed import journal
from pytest_kubelb.testbed.execution import RemoteCommand
from pytest_kubelb.tuning import reading, script
from pytest_kubelb.tuning.irqbalance import Irqbalance, start_command
from pytest_kubelb.tuning.places import Irq
from pytest_kubelb.tuning.reading import Reading, Subjects

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "owned"
WORDS = (
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY};", f"& touch {CANARY} &", f"|touch {CANARY}",
    f"\ntouch {CANARY}\n", f"'; touch {CANARY}; '", f'"; touch {CANARY}; "', f"\\'; touch {CANARY} #", f">{CANARY}",
    f"${{IFS}}>{CANARY}", f"$((a[$(touch {CANARY})]))", "-x", "--", "~", "*", "", " ", "\\", "\x1b", "é", "\udcff",
)  # fmt: skip
PROGRAMS = (
    "touch ip ipvsadm ethtool wrk curl tee grep systemctl sleep tr cat irqbalance mkdir mv rm rmdir readlink sudo kill"
    " head program"
)
NO_LINK: Any = None  # a command asks nothing of its connection before it runs
hostile = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), min_size=1, max_size=4).map("".join)
printable_word = hostile.filter(lambda text: "\0" not in text)
alike = hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A folder with a PATH of its own: `touch`, which makes the canary, and commands that do nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS.split():
        (programs / name).write_text("#!/bin/sh\nexit 0\n")
        (programs / name).chmod(0o755)
    (programs / "touch").write_text(f"#!/bin/sh\n: >{shlex.quote(str(tmp_path))}/{CANARY}\n")
    (tmp_path / "work").mkdir()
    return tmp_path


def run(sandbox: Path, text: str) -> None:
    """Run a script as a host's shell would, and see that nothing was made."""
    work = sandbox / "work"
    try:
        subprocess.run(
            ["/bin/sh", "-c", text.encode("utf-8", "surrogateescape")],
            cwd=work,
            env={"PATH": str(sandbox / "bin"), "HOME": str(work)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except UnicodeEncodeError:  # half of a character: it cannot be sent to a host either
        return
    made = [*work.iterdir(), *sandbox.glob(CANARY)]
    assert made == [], text


@alike
@given(argv=st.lists(printable_word, min_size=1, max_size=4), has_input=st.booleans())
def test_the_words_of_a_remote_command_are_not_run(sandbox: Path, argv: list[str], has_input: bool) -> None:
    command = RemoteCommand(NO_LINK, ["program", *argv], root=False)
    run(sandbox, command._line(has_input=has_input))


@alike
@given(words=st.lists(printable_word, min_size=1, max_size=4))
def test_the_words_of_a_line_of_a_script_are_not_run(sandbox: Path, words: list[str]) -> None:
    run(sandbox, f"s=\n{root_line('ip', *words)}")


@alike
@given(
    name=printable_word, value=printable_word, nic=printable_word, argv=st.lists(printable_word, max_size=3)
)
def test_settings_and_their_values_are_not_run(
    sandbox: Path, name: str, value: str, nic: str, argv: list[str]
) -> None:
    """Names and values come from inventories, from hosts, and from journals that lay on hosts; CPUs are numbers."""
    daemon = Irqbalance(("irqbalance", *argv), installed=True)
    irq = Irq(7, name, nic)
    now = Reading({}, frozenset({0}), True, irqs=(irq,), irqbalance=daemon)
    changes = {
        f"rps_cpus {nic} {name}": "0-3",
        f"sysctl net.{name}": value,
        f"channels {nic} {name}": value,
        irq.setting: "1",
        "irqbalance": "stopped",
    }
    lines = script.write_lines(changes, now, daemon)
    # Where the files would be is not what is asked here, and root's are real.
    quoted = [line for line in lines if not line.startswith("w ")]
    quoted += [f"program {line[2:]}" for line in lines if line.startswith("w ")]
    run(sandbox, "\n".join(["s=sudo", *quoted]))
    run(sandbox, f"s=\n{start_command(daemon)[0]}")


@alike
@given(nic=printable_word, name=printable_word)
def test_what_is_asked_of_a_host_is_not_run(sandbox: Path, nic: str, name: str) -> None:
    run(sandbox, "\n".join(["s=", *reading.question(Subjects((nic,), (f"net.{name}",), ("channels",)))]))


@alike
@given(url=printable_word, header=printable_word, path=printable_word)
def test_urls_and_headers_are_refused_or_not_run(sandbox: Path, url: str, header: str, path: str) -> None:
    for address in (url, f"http://10.0.0.1/{url}"):
        run(sandbox, shlex.join(curl_command(address, header, 3)))
        try:
            words = wrk_command(
                address, script=path, host_header=header, connections=1, threads=1, duration_s=1
            )
        except ConfigError:
            continue
        run(sandbox, shlex.join(words))


@alike
@given(session=printable_word, kind=printable_word)
def test_a_journal_of_a_name_that_is_no_file_name_is_refused(session: str, kind: str) -> None:
    """Its folder is made, and removed, by root: nothing but a plain name may lead there."""
    for name in (session, kind):
        if not name.isascii() or not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
            with pytest.raises(ValueError, match="cannot name a journal"):
                journal.opened(name, "tuning", "k11", {})


def test_the_sandbox_would_tell(sandbox: Path) -> None:
    for word in WORDS[:6]:
        with pytest.raises(AssertionError):
            run(sandbox, f"program {word}")
        (sandbox / CANARY).unlink()
    assert list((sandbox / "work").iterdir()) == []
