"""Sessions in the lab through pytest: what the record, the evidence file and the artifacts hold of every run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence.delta import HostDelta
from pytest_kubelb.lab import launch, requirements
from pytest_kubelb.record.finding import CEILINGS
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab

RUNS = 2
OPTIONS = [
    "-p", "no:cacheprovider", "--kubelb-pods=2", f"--kubelb-runs={RUNS}", "--kubelb-duration=1s",
    "--kubelb-connections=8", "--kubelb-tolerance=100%", "--kubelb-artifacts=always",
]  # fmt: skip
SERVICES = {"ipvs": "ipvs 192.168.0.111:8888", "proxy": "proxy 10.254.0.10:80"}
KUBELB = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
TUNED = (
    "grep -s '' /sys/class/net/eth0/queues/*/?ps_* /proc/sys/net/core/rps_sock_flow_entries "
    "/proc/irq/*/smp_affinity_list; ls -d /run/kubelb-undo 2>&1 || :"
)


def project(folder: Path) -> Path:
    (folder / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def command(lab: Lab, *words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *OPTIONS, f"--kubelb-inventory={lab.inventory}", *words]


def run(folder: Path, lab: Lab, *words: str) -> str:
    done = subprocess.run(
        command(lab, *words), cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    (file,) = folder.glob(f".kubelb/*/{name}")
    return [json.loads(line) for line in file.read_text().splitlines()]


def samples(folder: Path) -> list[Sample]:
    (file,) = folder.glob(".kubelb/*/record.jsonl")
    return [line for line in read_record(file) if isinstance(line, Sample)]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Path:
    """Give the folder of a session with both backends."""
    folder = project(tmp_path_factory.mktemp("evidence"))
    run(folder, lab)
    return folder


def test_every_run_has_one_line_of_evidence_and_its_ceiling(session: Path) -> None:
    made = samples(session)
    assert len(made) == 2 * (RUNS + 1)
    assert [each.started for each in made] == [line["started"] for line in lines(session, "evidence.jsonl")]
    assert {each.ceiling for each in made} <= set(CEILINGS)
    assert all(each.wire_bytes_per_request for each in made)


def test_the_hosts_of_the_data_path_are_read_and_their_differences_are_read_again(session: Path) -> None:
    for line in lines(session, "evidence.jsonl"):
        assert {"k11", "k12", "k05", "k10"} <= line["hosts"].keys()
        assert "k04" not in line["hosts"]
        for name, fields in line["hosts"].items():
            delta = HostDelta.from_json(fields)
            assert (delta.host, delta.to_json()) == (name, fields)
            assert delta.seconds >= 1.0
            for state in zip(*delta.cpu_percent.values(), strict=True):
                assert sum(state) == pytest.approx(100, abs=1)
        assert line["hosts"]["k12"]["routes"][0].startswith(("192.168.0.111 ", "10.254.0.10 "))


def test_the_connections_of_a_run_are_those_of_its_backend_and_its_pods(session: Path) -> None:
    for line in lines(session, "evidence.jsonl"):
        balancer = line["hosts"]["k11"]
        taken = balancer["connections"]
        assert set(taken) == {SERVICES[line["point"]["backend"]]}
        assert sum(taken.values()) >= 8
        assert len(balancer["endpoints"]) == line["point"]["pods"]


def test_the_session_tells_once_what_its_hosts_are(session: Path) -> None:
    (told,) = [line for line in lines(session, "record.jsonl") if line.get("name") == "testbed"]
    specs = told["details"]["specs"]
    assert {"k11", "k12", "k05"} <= specs.keys()
    assert specs["k11"]["nics"]["eth0"]["mtu"] == 1500
    assert specs["k12"]["cpus"] == os.cpu_count()


def test_every_point_has_a_folder_of_artifacts(session: Path) -> None:
    folders = {path.name: path for path in session.glob(".kubelb/*/artifacts/*")}
    assert set(folders) == {"ipvs-pods02", "proxy-pods02"}
    for path in folders.values():
        assert len((path / "evidence.jsonl").read_text().splitlines()) == RUNS + 1
        assert "192.168.0.111" in (path / "commands.txt").read_text()
        assert (path / "wrk.txt").stat().st_size


def test_without_roles_nothing_is_read(tmp_path: Path, lab: Lab) -> None:
    for file in (lab.ssh_config, lab.kubeconfig):
        shutil.copy(file, tmp_path)
    text = lab.inventory.read_text()
    (tmp_path / "kubelb.toml").write_text(f"{text}\n[evidence]\nroles = []\n")
    folder = project(tmp_path)
    run(folder, lab, "--kubelb-inventory=kubelb.toml", "-k", "ipvs")
    made = samples(folder)
    assert [each.validity for each in made] == ["warmup", *["valid"] * RUNS]
    assert {(each.ceiling, each.findings, each.wire_bytes_per_request) for each in made} == {(None, (), None)}
    assert lines(folder, "evidence.jsonl") == []


@pytest.fixture(scope="module")
def queues() -> Iterator[Lab]:
    """A lab of our own whose load balancer has queues; KUBELB_TEST_QEMU=required makes its absence an error."""
    try:
        requirements.check("qemu")
    except TestbedError as error:
        if os.environ.get("KUBELB_TEST_QEMU") == "required":
            raise
        pytest.skip(f"this machine cannot run qemu for a lab: {error}")
    lab = launch.start(None, "qemu", tied=True)
    yield lab
    launch.stop(lab)


def knobs(lab: Lab) -> str:
    with Hosts(lab.ssh_config, ["k11"]) as hosts:
        return hosts["k11"].run(["sh", "-c", TUNED]).stdout


def test_a_session_tunes_from_profile_to_profile_and_puts_everything_back(
    tmp_path: Path, queues: Lab
) -> None:
    before = knobs(queues)
    folder = project(tmp_path)
    run(folder, queues, "--kubelb-tuning=none,rps", "-k", "ipvs")
    assert knobs(queues) == before
    assert {each.point["tuning"] for each in samples(folder)} == {"none", "rps"}
    assert not [each for made in samples(folder) for each in made.findings if each.signal == "tuning_drift"]
    events = [line for line in lines(folder, "record.jsonl") if line["kind"] == "event"]
    tuned = [each["details"] for each in events if each["name"] == "tuned"]
    steered = next(each for each in tuned if each["profile"] == "rps")
    assert steered["settings"]["rps_cpus eth0 rx-0"] == "1"
    assert steered["unsupported"] == {}
    settings = {
        each["details"]["tuning"]: each["details"]["hosts"] for each in events if each["name"] == "settings"
    }
    assert settings["rps"]["k11"]["rps_cpus eth0 rx-0"] == "1"
    assert settings["none"]["k11"]["rps_cpus eth0 rx-0"] == "none"


def test_after_sigkill_of_a_session_its_knobs_are_put_back_by_kubelb_restore(
    tmp_path: Path, queues: Lab
) -> None:
    before = knobs(queues)
    folder = project(tmp_path)
    with (folder / "output").open("wb") as output:
        words = command(queues, "--kubelb-tuning=rps", "--kubelb-runs=60", "-k", "ipvs")
        session = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            while not any(file.stat().st_size for file in folder.glob(".kubelb/*/evidence.jsonl")):
                assert session.poll() is None, (folder / "output").read_text()
                time.sleep(0.2)
        finally:
            session.send_signal(signal.SIGKILL)
            session.wait()
    assert knobs(queues) != before
    first, again = (restore(queues) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert "k11:   rps_cpus eth0 rx-0: 1 -> none" in first.stdout
    assert knobs(queues) == before
    assert (again.returncode, again.stdout) == (0, "nothing to put back on 9 hosts and in the cluster\n")


def restore(lab: Lab) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", KUBELB, "restore", "--inventory", str(lab.inventory)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
