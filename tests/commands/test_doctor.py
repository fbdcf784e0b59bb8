"""`kubelb doctor` in the lab: everything is found there, and every fault that is put there."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.testbed import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab


@pytest.fixture(autouse=True)
def no_inventory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("INVENTORY", "PODS", "BACKEND", "OVERLAY", "TUNING", "CONNECTIONS", "THREADS"):
        monkeypatch.delenv(f"KUBELB_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def kube_proxy_has_begun(lab: Lab) -> None:
    """A lab is up when its API answers; kube-proxy writes its first rules a moment later."""
    on(
        lab,
        "k11",
        "timeout 20 sh -c 'until iptables-legacy-save -t nat | grep -q KUBE-SERVICES; do sleep 0.1; done'",
    )


def doctor(capsys: pytest.CaptureFixture[str], lab: Lab) -> tuple[int, list[dict[str, Any]]]:
    code = main(["doctor", "--inventory", str(lab.inventory), "--format", "json"])
    checks: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["checks"]
    return code, checks


def on(lab: Lab, host: str, command: str) -> None:
    subprocess.run(["ssh", "-F", str(lab.ssh_config), host, command], check=True, capture_output=True)


@contextmanager
def changed(lab: Lab, host: str, there: str, back: str) -> Iterator[None]:
    on(lab, host, there)
    try:
        yield
    finally:
        on(lab, host, back)


def test_the_lab_is_ready(capsys: pytest.CaptureFixture[str], lab: Lab) -> None:
    code, checks = doctor(capsys, lab)
    assert [each for each in checks if each["verdict"] != "ok"] == []
    assert code == 0
    assert {each["where"] for each in checks if each["check"] == "ssh"} == {f"k{n:02}" for n in range(4, 13)}
    found = {each["found"] for each in checks}
    assert {"mode iptables", "flannel with vxlan", "nobody holds the testbed"} <= found


def test_the_lab_that_is_up_is_found_without_being_named(
    capsys: pytest.CaptureFixture[str], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lab of these tests stands for one by hand, of which another may be up on this machine.
    monkeypatch.setattr("pytest_kubelb.lab.launch.find", lambda: lab)
    assert main(["doctor", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["inventory"] == str(lab.inventory)


def test_the_table_sums_up(capsys: pytest.CaptureFixture[str], lab: Lab) -> None:
    assert main(["doctor", "--inventory", str(lab.inventory)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["check", "where", "verdict", "found"]
    assert lines[-1].startswith("lab is ready for a session: 0 failed, 0 warnings, ")


@pytest.mark.parametrize(
    ("host", "there", "back", "check", "found"),
    [
        (
            "k11", "ip route del 172.16.61.0/24", "ip route add 172.16.61.0/24 via 172.16.61.0 dev flannel.1 onlink",
            "pod routes", "no route to 172.16.61.0/24, the pods of k05",
        ),
        (
            "k11", "nc -l -p 8888 -s 0.0.0.0 >/dev/null 2>&1 & echo $! >/tmp/nc", "kill $(cat /tmp/nc); rm /tmp/nc",
            "vip", "192.168.0.111:8888 is taken by a listener on *:8888",
        ),
        (
            "k12", "ip address add 192.168.0.111/32 dev lo", "ip address del 192.168.0.111/32 dev lo",
            "way to vip", "192.168.0.111 is an address of the benchmarker",
        ),
    ],
)  # fmt: skip
def test_a_fault_on_a_host_is_the_one_failure(
    capsys: pytest.CaptureFixture[str], lab: Lab, host: str, there: str, back: str, check: str, found: str
) -> None:
    with changed(lab, host, there, back):
        code, checks = doctor(capsys, lab)
    failed = [(each["check"], each["where"], each["found"]) for each in checks if each["verdict"] == "fail"]
    assert code == 1
    assert failed == [(check, host, found)]
    assert all(each["remedy"] for each in checks if each["verdict"] != "ok")


def test_a_service_of_somebody_else_is_a_warning_since_it_is_put_back(
    capsys: pytest.CaptureFixture[str], lab: Lab
) -> None:
    with changed(lab, "k11", "ipvsadm -A -t 192.168.0.111:8888 -s rr", "ipvsadm -D -t 192.168.0.111:8888"):
        code, checks = doctor(capsys, lab)
    told = [(each["check"], each["verdict"], each["found"]) for each in checks if each["verdict"] != "ok"]
    found = (
        "192.168.0.111:8888 is an IPVS service with 0 real servers, programmed by somebody else: a session replaces it"
        " and puts it back"
    )
    assert (code, told) == (0, [("vip", "warning", found)])


def test_what_a_killed_session_left_on_a_host_is_found(capsys: pytest.CaptureFixture[str], lab: Lab) -> None:
    left = journal.encode(journal.opened("s-9", journal.TUNING, "k05", {})).replace(
        '"started":', '"started":9'
    )
    folder = f"{journal.ROOT}/s-9"
    there = f"mkdir -p {folder}; {journal.NAMESPACE_LINE}; echo '{left.strip()}' >{folder}/tuning-$ns.json"
    with changed(lab, "k05", there, f"rm -r {folder}"):
        code, checks = doctor(capsys, lab)
    (failed,) = [each for each in checks if each["verdict"] == "fail"]
    assert (code, failed["where"], failed["check"]) == (1, "k05", "leftovers")
    assert failed["found"].startswith("tuning of session s-9 from ")
    assert failed["remedy"].startswith("run `kubelb restore`")


def test_more_connections_than_files_fail(
    capsys: pytest.CaptureFixture[str], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBELB_CONNECTIONS", "999999")
    code, checks = doctor(capsys, lab)
    failed = {each["check"] for each in checks if each["verdict"] == "fail"}
    assert (code, failed) == (1, {"limits"})


def test_a_host_whose_key_is_not_known_is_a_failure_and_the_others_are_checked(
    capsys: pytest.CaptureFixture[str], lab: Lab, tmp_path: Path
) -> None:
    known = [
        line for line in (lab.folder / "known_hosts").read_text().splitlines() if not line.startswith("k07")
    ]
    (tmp_path / "known_hosts").write_text("\n".join(known) + "\n")
    config = lab.ssh_config.read_text().replace(
        str(lab.folder / "known_hosts"), str(tmp_path / "known_hosts")
    )
    (tmp_path / "ssh_config").write_text(config)
    text = lab.inventory.read_text().replace('"kubeconfig"', f'"{lab.kubeconfig}"')
    (tmp_path / "kubelb.toml").write_text(text)  # and it is found here, without being named
    code = main(["doctor", "--format", "json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert code == 1
    (failed,) = [each for each in checks if each["verdict"] == "fail"]
    assert (failed["check"], failed["where"]) == ("ssh", "k07")
    assert len([each for each in checks if each["check"] == "clock"]) == 8


def test_without_a_testbed_the_remedy_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.lab.launch.find", lambda: None)  # one may stand on this machine
    assert main(["doctor"]) == 4
    assert "name it with --inventory FILE or in KUBELB_INVENTORY" in capsys.readouterr().err
    assert main(["doctor", "--inventory", "none.toml"]) == 4


def test_a_setting_that_is_wrong_is_a_mistake_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    monkeypatch.setenv("KUBELB_PODS", "many")
    assert main(["doctor", "--inventory", str(lab.inventory)]) == 4
    assert "KUBELB_PODS" in capsys.readouterr().err
