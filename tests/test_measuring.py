"""One run becomes a sample: a real wrk against a real nginx, and commands called wrk that go wrong in every way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pytest_kubelb import measuring
from pytest_kubelb.backends.base import run_script
from pytest_kubelb.convergence import Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load.command import Connections
from pytest_kubelb.load.json_output import BEGIN, END
from pytest_kubelb.matrix import Point
from pytest_kubelb.measuring import LoadGenerator, lost
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed import journal
from tests.load import conftest as load
from tests.local_host import LocalHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kubelb.settings import Settings

    Fake = Callable[[str], Sample]

nginx_url = load.nginx_url

POINT = Point("ipvs", 2, "vxlan", provisioning=3)
RESULT = (
    f'{BEGIN}{{"requests": 900, "bytes": 9000, "duration_us": 1000000, "latency": {{"mean_us": 5, "stdev_us": 1,'
    ' "max_us": 9, "percentiles_us": {"50": 5, "75": 5, "90": 5, "95": 5, "99": 5, "99.9": 6, "99.99": 7}},'
    f' "errors": {{"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0}}}}{END}'
)


class FewSettings:
    """Of the Settings, what a run needs."""

    connections = Connections(4, multiple_of_pods=True)
    threads = 1
    duration = 1


SETTINGS = cast("Settings", FewSettings())


def target(url: str) -> Target:
    return Target(POINT, url, "lb.test", ())


def folders(session: str) -> list[Path]:
    """Give the folders of a session on the benchmarker."""
    return list(Path("/tmp").glob(f"kubelb.{session}.*"))  # noqa: S108 - where they are made


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder with all the programs that a run needs, but wrk: to be the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("cat", "date", "mkdir", "readlink", "rm", "sh", "timeout", "sleep"):
        (folder / program).symlink_to(cast("str", shutil.which(program)))
    return folder


@pytest.fixture
def generator(tmp_path: Path) -> Iterator[LoadGenerator]:
    """A LoadGenerator with the real wrk."""
    generator = LoadGenerator(LocalHost(), tmp_path.name)
    generator.open()
    yield generator
    generator.remove()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    """Call it with the text of a shell script that is `wrk`, first on PATH; gives the sample of a run with it."""
    write_program(tmp_path / "wrk", "exit 0")
    generator = LoadGenerator(
        LocalHost({"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}), tmp_path.name
    )
    generator.open()

    def run(script: str) -> Sample:
        write_program(tmp_path / "wrk", script)
        return generator.run(target("http://127.0.0.1:1/"), SETTINGS, number=4, warmup=False)

    yield run
    generator.remove()


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def assert_failed(sample: Sample, sentence: str) -> None:
    """The sample is failed, says why in one line, and can be written to the record and read again."""
    assert (sample.validity, sample.result) == ("failed", None)
    assert sample.reason is not None
    assert re.fullmatch(sentence, sample.reason), sample.reason
    assert Sample.from_json(sample.to_json()) == sample
    assert (sample.point, sample.provisioning, sample.run) == (POINT.axes(), 3, 4)


def test_a_run_gives_a_valid_sample(generator: LoadGenerator, nginx_url: str) -> None:
    sample = generator.run(target(f"{nginx_url}/host"), SETTINGS, number=1, warmup=False)
    assert (sample.validity, sample.reason) == ("valid", None)
    assert (sample.point, sample.provisioning, sample.run) == (POINT.axes(), 3, 1)
    assert sample.result is not None
    assert sample.result.requests > 0
    assert sample.result.errors.status == 0  # /host wants the Host header
    assert sample.command.startswith("wrk -c4 -t1 -d1s -s /tmp/kubelb.")
    assert sample.command.endswith(f"{nginx_url}/host")
    assert sample.started.endswith("+00:00")


def test_the_wall_time_is_that_of_wrk_on_the_benchmarker(generator: LoadGenerator, nginx_url: str) -> None:
    sample = generator.run(target(f"{nginx_url}/"), SETTINGS, number=0, warmup=False)
    assert sample.result is not None
    assert sample.wall_s >= sample.result.duration_s >= 1.0


def test_a_warm_up_run_is_called_so(generator: LoadGenerator, nginx_url: str) -> None:
    sample = generator.run(target(f"{nginx_url}/"), SETTINGS, number=0, warmup=True)
    assert (sample.validity, sample.reason) == ("warmup", None)
    assert sample.result is not None


def test_a_run_without_any_answer_is_failed_and_keeps_its_figures(generator: LoadGenerator) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        sample = generator.run(target(url), SETTINGS, number=0, warmup=True)
    assert (sample.validity, sample.reason) == ("failed", "wrk got no answer at all")
    assert sample.result is not None
    assert sample.result.requests == 0


def test_wrk_against_a_closed_port_is_a_failed_sample(generator: LoadGenerator) -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        sample = generator.run(target(url), SETTINGS, number=4, warmup=False)
    assert_failed(
        sample, r"wrk ended with exit code 1: unable to connect to 127.0.0.1:\d+ Connection refused"
    )


def test_a_benchmarker_without_wrk_is_refused_at_the_start(tmp_path: Path, bin_folder: Path) -> None:
    with pytest.raises(TestbedError, match="wrk is not installed"):
        LoadGenerator(LocalHost({"PATH": str(bin_folder)}), tmp_path.name).open()
    assert folders(tmp_path.name) == []


def test_a_wrk_that_goes_away_during_the_session_is_a_failed_sample(tmp_path: Path, bin_folder: Path) -> None:
    write_program(bin_folder / "wrk", "exit 0")
    generator = LoadGenerator(LocalHost({"PATH": str(bin_folder)}), tmp_path.name)
    generator.open()
    (bin_folder / "wrk").unlink()
    sample = generator.run(target("http://127.0.0.1:1/"), SETTINGS, number=4, warmup=False)
    generator.remove()
    assert_failed(sample, "wrk ended with exit code 127: .*wrk.*No such file or directory")


def test_what_wrk_said_is_in_the_reason(fake: Fake) -> None:
    assert_failed(
        fake("echo 'number of connections' >&2; echo 'must be >= threads' >&2; exit 1"),
        "wrk ended with exit code 1: number of connections must be >= threads",
    )


def test_a_wrk_that_says_nothing_is_called_so(fake: Fake) -> None:
    assert_failed(fake("exit 3"), "wrk ended with exit code 3: it said nothing")


def test_what_wrk_said_is_cut_to_a_readable_length(fake: Fake) -> None:
    sample = fake("yes complaint | head -n 5000 >&2; exit 1")
    assert_failed(sample, "wrk ended with exit code 1: (complaint ){30}")


@pytest.mark.parametrize("rubbish", ["", "Segmentation fault", "Requests/sec: 12", "\\0\\377\\n;;\\n\\n"])
def test_rubbish_instead_of_a_result_is_a_failed_sample(fake: Fake, rubbish: str) -> None:
    assert_failed(fake(f"printf '{rubbish}'"), "wrk printed no line that begins with 'KUBELB-WRK-BEGIN' .*")


def test_a_result_that_is_cut_off_is_a_failed_sample(fake: Fake) -> None:
    assert_failed(fake(f"echo '{RESULT[:90]}'"), "The line with wrk's figures cannot be read: .* cut off.*")


def test_one_result_line_is_a_result(fake: Fake) -> None:
    sample = fake(f"echo '{RESULT}'")
    assert sample.validity == "valid"
    assert sample.result is not None
    assert sample.result.rps == 900


def test_two_result_lines_are_a_failed_sample(fake: Fake) -> None:
    assert_failed(
        fake(f"echo '{RESULT}'; echo '{RESULT}'"),
        "The line with wrk's figures cannot be read: it is there 2 times instead of once; .*",
    )


def test_a_wrk_that_hangs_is_ended_and_says_so(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "GRACE_S", 0.1)
    sample = fake("exec sleep 60")
    assert_failed(sample, r"wrk had not ended 0\.1 s after its time and was killed")
    assert sample.wall_s >= 1.1


def test_a_wrk_that_hangs_and_ignores_sigterm_is_ended_as_well(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "GRACE_S", 0.1)
    sample = fake("trap '' TERM; exec sleep 60")
    assert_failed(sample, r"wrk had not ended 0\.1 s after its time and was killed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_wrk_that_somebody_else_killed_is_not_called_overdue(fake: Fake, number: signal.Signals) -> None:
    sentence = f"wrk was killed by signal {int(number)}, and not by us: .*"
    assert_failed(fake(f"kill -{int(number)} $$"), sentence)


def test_a_clock_set_back_during_the_run_gives_no_negative_wall_time(fake: Fake, tmp_path: Path) -> None:
    write_program(
        tmp_path / "date", 'if [ -e "$0.asked" ]; then echo 990.25; else >"$0.asked"; echo 1000.5; fi'
    )
    sample = fake(f"echo '{RESULT}'")
    assert sample.validity == "valid"
    assert sample.wall_s >= 0


def test_the_folder_on_the_benchmarker_is_private_and_remove_takes_it_away(tmp_path: Path) -> None:
    generator = LoadGenerator(LocalHost(), tmp_path.name)
    generator.open()
    (folder,) = folders(tmp_path.name)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(entry.name.partition("-")[0] for entry in folder.iterdir()) == ["load", "report.lua"]
    generator.remove()
    assert folders(tmp_path.name) == []


def left_here(session: str) -> list[journal.Journal]:
    """Give the journals of a session on this machine."""
    lines = run_script(LocalHost(), [journal.NAMESPACE_LINE, *journal.LIST_LINES]).splitlines()[1:]
    return [left for left in journal.parse_listing(lines).journals if left.session == session]


def test_after_a_crash_the_folder_is_found_by_its_journal_and_taken_away_with_its_wrk(tmp_path: Path) -> None:
    LoadGenerator(LocalHost(), tmp_path.name).open()
    (left,) = left_here(tmp_path.name)
    assert (left.kind, left.host) == (journal.LOAD, "here")
    (folder,) = folders(tmp_path.name)
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait", "wrk", f"{folder}/report.lua"]) as wrk:
        assert measuring.put_back(LocalHost(), left) == (f"folder {folder} removed",)
        assert wrk.wait(10) == -signal.SIGTERM
    assert folders(tmp_path.name) == []
    measuring.put_back(LocalHost(), left)  # and again


@pytest.mark.parametrize(
    "folder",
    ["/", "@s-1.00000000/..", "@s-2.00000000", "@s-1.x", "@s-1.$(id)", 1],
)
def test_a_journal_that_names_no_folder_of_its_session_is_not_believed(folder: object) -> None:
    named = folder.replace("@", journal.LOAD_FOLDERS) if isinstance(folder, str) else folder
    left = journal.opened("s-1", journal.LOAD, "here", {"folder": named})
    with pytest.raises(TestbedError, match="which is no folder of it"):
        measuring.put_back(LocalHost(), left)


def test_what_somebody_else_has_put_under_that_name_is_left_alone(tmp_path: Path) -> None:
    place = Path("/tmp/kubelb.s-1.00000000")  # noqa: S108 - where they are made
    place.symlink_to(tmp_path)
    try:
        measuring.put_back(LocalHost(), journal.opened("s-1", journal.LOAD, "here", {"folder": str(place)}))
        assert place.is_symlink()
        assert tmp_path.is_dir()
    finally:
        place.unlink()


def test_a_folder_that_cannot_be_filled_is_not_left(tmp_path: Path, bin_folder: Path) -> None:
    write_program(bin_folder / "wrk", "exit 0")
    (bin_folder / "cat").unlink()
    write_program(bin_folder / "cat", "exit 1")
    with pytest.raises(TestbedError, match=r"the folder /tmp/kubelb\..* cannot be written"):
        LoadGenerator(LocalHost({"PATH": str(bin_folder)}), tmp_path.name).open()
    assert folders(tmp_path.name) == []


def test_two_sessions_on_one_benchmarker_have_a_folder_each(tmp_path: Path) -> None:
    first, second = (LoadGenerator(LocalHost(), tmp_path.name) for _ in range(2))
    first.open()
    second.open()
    assert len(folders(tmp_path.name)) == 2
    first.remove()
    assert len(folders(tmp_path.name)) == 1
    second.remove()
    assert folders(tmp_path.name) == []


def test_a_run_that_the_testbed_took_away_is_failed_with_the_cause() -> None:
    sample = lost(target("http://127.0.0.1:1/"), TestbedError("host k12 is gone"), number=4)
    assert_failed(sample, "host k12 is gone")
