"""What every host's answer is made into. What sudo says is what sudo 1.9.13p3 of Debian 12 said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.backends.base import AS_ROOT
from pytest_kubelb.backends.ipvs_host import IpvsHost, State, steps, sysctls_for
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight import benchmarker, hosts
from pytest_kubelb.preflight.answer import HostAnswer, skew
from pytest_kubelb.preflight.privileges import commands, ipvs_commands
from tests.preflight.made import answered, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.preflight.check import Check

ONLY_THESE = """\
User kb may run the following commands on k12:
    (root) NOPASSWD: /usr/sbin/ip -4 route replace 10.254.0.10/32 via 192.168.0.111
"""
ADMINISTRATOR = """\
User ad may run the following commands on k12:
    (ALL : ALL) ALL
    (root) NOPASSWD: /usr/sbin/ipvsadm
"""


def found(checks: list[Check], subject: str) -> list[tuple[str, str]]:
    return [(each.verdict, each.found) for each in checks if each.check == subject]


def judged(folder: Path, printed: str, user: str = "kb", host: str = "k12") -> list[Check]:
    return list(hosts.judge(answered(host, printed, user), wanted(folder)))


def sudo(folder: Path, listing: str, may: str, host: str = "k12") -> list[Check]:
    """Give the checks of a host on which sudo says the same of every command."""
    asked = commands(wanted(folder), host)
    says = "".join(f"%% may {number}\n{may}\n" for number in range(len(asked)))
    return judged(folder, f"%% root\nsudo -n\n%% sudo\n{listing}\n{says}", host=host)


def test_commands_that_are_allowed_without_a_password_are_counted(tmp_path: Path) -> None:
    (told,) = found(sudo(tmp_path, ONLY_THESE, "/usr/sbin/ip whatever\nexit 0"), "sudo")
    assert told == ("ok", "6 of 6 commands that need root, without a password")


def test_a_command_that_is_not_allowed_fails_with_the_line_for_sudoers(tmp_path: Path) -> None:
    checks = [each for each in sudo(tmp_path, ONLY_THESE, "exit 1") if each.check == "sudo"]
    assert {each.verdict for each in checks} == {"fail"}
    assert any(
        each.remedy.endswith("kb ALL=(root) NOPASSWD: /usr/sbin/ip -4 route flush exact 10.254.0.10/32")
        for each in checks
    )


def test_where_some_rules_want_a_password_an_old_sudo_leaves_it_open(tmp_path: Path) -> None:
    told = found(sudo(tmp_path, ADMINISTRATOR, "/usr/sbin/ip whatever\nexit 0"), "sudo")
    assert {verdict for verdict, _ in told} == {"warning"}


@pytest.mark.parametrize(("options", "verdict"), [("!authenticate", "ok"), ("authenticate", "fail")])
def test_where_some_rules_want_a_password_the_rule_that_matches_decides(
    tmp_path: Path, options: str, verdict: str
) -> None:
    may = f"Sudoers entry: /etc/sudoers\n    RunAsUsers: root\n    Options: {options}\nexit 0"
    told = found(sudo(tmp_path, ADMINISTRATOR, may), "sudo")
    assert {each for each, _ in told} == {verdict}


def test_root_needs_no_sudo(tmp_path: Path) -> None:
    told = judged(tmp_path, "%% root\nroot\n", user="root")
    assert found(told, "root") == [("ok", "commands run as root without sudo")]
    assert not found(told, "sudo")


def test_every_root_command_of_ipvs_is_asked_for(tmp_path: Path) -> None:
    spec = wanted(tmp_path).inventory.ipvs
    assert spec is not None
    what = IpvsHost(spec.vip, spec.port)
    bare = State(None, dict.fromkeys(sysctls_for((6, 0)), "?"), has_vip=False, has_rule=False, kernel=(6, 0))
    ready = State(None, sysctls_for((6, 0)), has_vip=True, has_rule=True, kernel=(6, 0))
    asked = {" ".join(argv) for argv in ipvs_commands(spec)}
    for line in (*steps(bare, ready, what), *steps(ready, bare, what)):
        words = line.removeprefix(f"{AS_ROOT} ").replace("'", "").replace("=?", "=1")
        assert words in asked


def test_knobs_of_a_chosen_tuning_are_asked_for(tmp_path: Path) -> None:
    asked = commands(wanted(tmp_path, tuning="none,steered"), "k11")
    assert ("tee", "/sys/class/net/eth0/queues/rx-0/rps_cpus") in asked
    assert not any(argv[0] == "tee" for argv in commands(wanted(tmp_path), "k11"))


def test_a_missing_tool_fails_with_its_package(tmp_path: Path) -> None:
    checks = judged(tmp_path, "%% root\nroot\n%% tools\nwrk absent\nip absent\ncurl here\n")
    remedies = [each.remedy for each in checks if each.check == "tools" and each.verdict == "fail"]
    assert remedies == ["install the package wrk there", "install the package iproute2 there"]


def test_a_tool_that_only_root_finds_is_enough_where_sudo_runs_it(tmp_path: Path) -> None:
    tools = "%% tools\nipvsadm elsewhere /usr/sbin/ipvsadm\nsysctl elsewhere /usr/sbin/sysctl\n"
    told = found(judged(tmp_path, f"%% root\nsudo -n\n{tools}"), "tools")
    # sysctl is run without root too, to read.
    assert told == [("fail", "/usr/sbin/sysctl is not on the PATH of kb's commands"), ("ok", "ipvsadm")]


def test_a_host_that_is_away_fails_unless_no_session_logs_in_there(tmp_path: Path) -> None:
    sentence = "host {}: no SSH connection to root@h:22 within 10 s (refused); check that the host is up"
    verdicts = {}
    for host in ("k04", "k05"):
        (check,) = hosts.judge(HostAnswer(host, problem=sentence.format(host)), wanted(tmp_path))
        verdicts[host] = check.verdict
        assert check.remedy == "check that the host is up"
        assert check.found.startswith("no SSH connection to root@h:22 within 10 s (refused)")
    assert verdicts == {"k04": "warning", "k05": "fail"}


@pytest.mark.parametrize(
    ("clock", "least"),
    [
        ("100.0", 0.0),  # the question took 2 s of which the host saw 1.5: within the half second left
        ("101.0", 0.5),
        ("98.0", -2.0),
        ("100", 0.0),
        ("98", -1.0),  # whole seconds: it may have been 98.999
    ],
)
def test_a_clock_is_blamed_for_what_the_way_cannot_explain(clock: str, least: float) -> None:
    parts = {"": (clock, "5000.0"), "end": ("5001.5",)}
    assert skew(parts, before=100.0, after=102.0) == pytest.approx(least)


def test_a_host_without_a_clock_is_said() -> None:
    with pytest.raises(TestbedError, match="its clock cannot be read"):
        skew({"": ("date: command not found", "1.0"), "end": ("2.0",)}, 0.0, 1.0)


@pytest.mark.parametrize(("seconds", "verdict"), [(0.9, "ok"), (1.1, "fail"), (-61.0, "fail")])
def test_a_clock_may_differ_by_a_second(tmp_path: Path, seconds: float, verdict: str) -> None:
    answer = HostAnswer("k05", user="root", skew_s=seconds, parts={"root": ("root",)})
    (check,) = [each for each in hosts.judge(answer, wanted(tmp_path)) if each.check == "clock"]
    assert check.verdict == verdict


def test_a_version_without_an_end_is_not_understood() -> None:
    told = HostAnswer("k12", parts={"wrk": (f"wrk {'9' * 5000}.1 [epoll]",)})
    (check,) = benchmarker._wrk(told)
    assert check.verdict == "warning"
    assert "its version is not understood" in check.found
