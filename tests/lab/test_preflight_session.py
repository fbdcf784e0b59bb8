"""A session looks at its testbed before it touches anything, and ends there when the testbed is not ready."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import DEPLOYMENTS, Target

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

OPTIONS = ["-p", "no:cacheprovider", "--kubelb-backend=ipvs", "--kubelb-runs=1", "--kubelb-warmup=0",
           "--kubelb-duration=1s", "--kubelb-connections=8", "--kubelb-tolerance=100%"]  # fmt: skip
THE_BENCHMARKERS = "192.168.0.112"


@pytest.fixture
def rootdir(tmp_path: Path, lab: Lab) -> Path:
    text = lab.inventory.read_text()
    for name in ("ssh_config", "kubeconfig"):
        text = text.replace(f'= "{name}"', f'= "{lab.folder / name}"')
    (tmp_path / "kubelb.toml").write_text(text)
    (tmp_path / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(rootdir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *options],
        cwd=rootdir, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def events(rootdir: Path) -> list[dict[str, Any]]:
    (record,) = rootdir.glob(".kubelb/*/record.jsonl")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "event"]


def test_what_keeps_it_from_running_is_said_and_nothing_is_touched(
    rootdir: Path, lab: Lab, hosts: Hosts
) -> None:
    file = rootdir / "kubelb.toml"
    file.write_text(file.read_text().replace('vip = "192.168.0.111"', f'vip = "{THE_BENCHMARKERS}"'))
    before = hosts["k11"].run(["ip", "address", "show", "dev", "lo"]).stdout
    done = run(rootdir, "--kubelb-pods=1,2000")
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    assert (
        f"the testbed is not ready: way to vip of k12: {THE_BENCHMARKERS} is an address of the benchmarker;"
        " choose another VIP; 1 more check fails:"
        f" see `kubelb doctor --inventory {file}`, or go on all the same with --kubelb-preflight=off"
    ) in said
    assert "Traceback" not in done.stdout
    (preflight,) = [each["details"] for each in events(rootdir) if each["name"] == "preflight"]
    assert [each["check"] for each in preflight["failures"]] == ["way to vip", "room"]
    assert not {"converged", "tuned"} & {each["name"] for each in events(rootdir)}
    assert hosts["k11"].run(["ip", "address", "show", "dev", "lo"]).stdout == before
    with Api(lab.kubeconfig, on_event=print) as api:
        assert not api.list(Target(DEPLOYMENTS, "kubelb"))["items"]


def test_a_testbed_that_is_ready_is_measured_and_the_record_says_what_was_looked_at(rootdir: Path) -> None:
    done = run(rootdir, "--kubelb-pods=1")
    assert done.returncode == 0, done.stdout
    names = [each["name"] for each in events(rootdir)]
    assert names.index("preflight") < names.index("converged")
    (preflight,) = [each["details"] for each in events(rootdir) if each["name"] == "preflight"]
    assert (preflight["failures"], preflight["warnings"]) == ([], [])
    assert preflight["checks"] > 40


def test_the_option_leaves_it_out(rootdir: Path) -> None:
    done = run(rootdir, "--kubelb-pods=1", "--kubelb-preflight=off")
    assert done.returncode == 0, done.stdout
    assert "preflight" not in [each["name"] for each in events(rootdir)]
