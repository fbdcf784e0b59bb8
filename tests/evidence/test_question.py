"""The question asked of this machine, by a real shell."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pytest_kubelb.evidence import question
from pytest_kubelb.evidence.delta import delta
from pytest_kubelb.evidence.reading import parse

from .answers import answer

if TYPE_CHECKING:
    from pytest_kubelb.evidence.reading import Reading

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
AWKS = [awk for awk in ("mawk", "gawk", "busybox", "original-awk") if shutil.which(awk)]
NFT_RULES = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"


def said(*lines: str, path: Path | None = None, definitions: str = question.DEFINITIONS) -> str:
    """Give what the lines print; `path` stands before the PATH."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
    # As `RemoteShell` does, the end of a question is a line of its own.
    script = "".join(f"{line}\necho\n" for line in (definitions, *lines))
    done = subprocess.run(
        ["sh", "-c", question.COMMAND],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout


def read(text: str, *, load_balancer: bool = False) -> Reading:
    return parse("here", answer(text), load_balancer=load_balancer)


def program(folder: Path, name: str, script: str) -> None:
    """Put a program into a folder: what a host would have instead of this machine's."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_and_awk_asks_the_same(shell: str, awk: str, tmp_path: Path) -> None:
    for name, program in (("sh", shell), ("awk", awk)):
        (tmp_path / name).symlink_to(cast("str", shutil.which(program)))
    found = read(said(question.ask_line(clock=True, target="127.0.0.1"), path=tmp_path))
    assert found.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.cpu_ticks
    assert found.softirqs[0] == found.interrupts[0]
    assert "lo" in found.nics
    assert found.counters["Ip.InReceives"] >= 0
    assert found.route.startswith("local 127.0.0.1 dev lo")
    assert found.uptime_s == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=60)
    assert not [reason for reason in found.missing if "not understood" in reason]


def test_a_busy_second_is_seen() -> None:
    before = read(said(question.ask_line()))
    sum(range(20_000_000))
    after = read(said(question.ask_line()))
    found = delta(before, after)
    assert found.seconds > 0
    assert sum(found.cpu_percent["usr"]) > 0
    assert found.cpu_percent["idle"] != (100.0,) * len(found.cpus)


def test_the_wall_clock_is_asked_for_only_on_request() -> None:
    assert "%% clock" not in said(question.ask_line())
    text = said(question.ask_line(clock=True))
    boot = read(text).boot_s
    assert boot is not None
    btime = read(text).btime_s
    assert btime is not None
    assert boot == pytest.approx(btime, abs=2)


def test_a_target_is_one_word_whatever_it_holds() -> None:
    text = said(question.ask_line(target="$(echo broken >&1); echo broken"))
    assert "broken" not in text.replace("$(echo broken >&1); echo broken", "")


def test_a_host_that_is_no_load_balancer_is_not_asked_for_its_tables() -> None:
    assert not {"%% ipvs", "%% iptables"} & set(said(question.ask_line()).splitlines())


def test_kube_proxys_rules_are_found_with_the_iptables_that_has_them(tmp_path: Path) -> None:
    program(tmp_path, "iptables-save", "echo '*nat'; echo COMMIT")
    program(tmp_path, "iptables-nft-save", f"printf '{NFT_RULES.encode('unicode_escape').decode()}'")
    program(tmp_path, "iptables-legacy-save", "exit 1")
    program(tmp_path, "nft", "exit 1")
    program(tmp_path, "sudo", 'shift 2; exec "$@"')
    text = said(question.ask_line(tables=question.TABLES), path=tmp_path)
    assert ":KUBE-SERVICES - [0:0]" in text
    assert not [reason for reason in read(text, load_balancer=True).missing if reason.startswith("proxy")]


def test_a_workers_rules_are_looked_for_once(tmp_path: Path) -> None:
    for name in ("iptables-save", "iptables-legacy-save", "iptables-nft-save"):
        program(tmp_path, name, f"echo asked >>{tmp_path}/log; echo '*nat'")
    program(tmp_path, "nft", "exit 1")
    program(tmp_path, "sudo", 'shift 2; exec "$@"')
    asked = question.ask_line(worker=True)
    text = said(asked, f"wc -l <{tmp_path}/log", asked, f"wc -l <{tmp_path}/log", path=tmp_path)
    counted = [line for line in text.splitlines() if line.isdecimal()]
    assert len(set(counted)) == 1
    assert "%% iptables" not in text
    program(tmp_path, "iptables-save", f"printf '{NFT_RULES.encode('unicode_escape').decode()}'")
    assert "%% iptables" in said(asked, path=tmp_path)


def test_thousands_of_services_are_filtered_on_the_host(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text(
        "*nat\n:KUBE-SERVICES - [0:0]\n"
        + "[0:0] -A KUBE-SERVICES -d 10.1.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA\n"
        * 4000
        + "[7:420] -A KUBE-SERVICES -d 10.254.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-CBMYZ3SDL2PIJTMB\n"
        "[7:420] -A KUBE-SEP-7RQVUN3FIR6GAQRD -p tcp -m tcp -j DNAT --to-destination 172.16.1.2:80\nCOMMIT\n"
    )
    program(tmp_path, "iptables-save", f"cat {rules}")
    program(tmp_path, "sudo", 'shift 2; exec "$@"')
    text = said(question.ask_line(tables=question.TABLES), path=tmp_path)
    assert len(text) < rules.stat().st_size / 4
    found = read(text, load_balancer=True)
    assert found.proxy.services == {"proxy 10.254.0.10:80": 7}
    assert found.proxy.endpoints == {"proxy 172.16.1.2": (7, 0, 0)}


def test_kube_proxy_in_nftables_mode_is_recognised(tmp_path: Path) -> None:
    for name in ("iptables-save", "iptables-legacy-save", "iptables-nft-save"):
        program(tmp_path, name, "exit 1")
    program(tmp_path, "nft", "echo 'table ip kube-proxy'")
    program(tmp_path, "sudo", 'shift 2; exec "$@"')
    assert "%% nftables" in said(question.ask_line(tables=question.TABLES), path=tmp_path)


def test_a_host_without_tools_still_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("sh", "awk"):
        (tmp_path / tool).symlink_to(cast("str", shutil.which(tool)))
    definitions = question.DEFINITIONS.replace(
        "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin", f"PATH={tmp_path}"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = question.ask_line(clock=True, tables=question.TABLES, target="127.0.0.1")
    found = read(said(asked, definitions=definitions), load_balancer=True)
    assert found.cpu_ticks
    assert any(reason.startswith("proxy:") for reason in found.missing)


@pytest.mark.parametrize("awk", AWKS)
def test_a_long_file_is_there_to_its_last_line(awk: str, tmp_path: Path) -> None:
    (tmp_path / "awk").symlink_to(cast("str", shutil.which(awk)))
    file = tmp_path / "long"
    rows = [f"{number} " + "x" * (number % 300) for number in range(5000)]
    file.write_text("\n".join(rows) + "\n")
    text = said(f"printf '\\035%s\\n' {file} {file}.gone", path=tmp_path)
    assert [line for line in text.splitlines() if line] == [f"{file}:{row}" for row in rows]
