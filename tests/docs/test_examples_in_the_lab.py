"""The examples of the how-to pages, used in a real lab: the backend `dnat`, and a bench with assertions of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.examples.dnat.dnat_backend import CHAIN, dnat_rules
from pytest_kubelb.testbed.hosts import Hosts
from tests.docs.conftest import DOCS, environment, inventory_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab

NAT = ["iptables", "-t", "nat", "-S"]


def project(folder: Path, example: str, lab: Lab, more: str = "") -> Path:
    """Lay an example into a folder of its own, with an inventory that names the lab's files, as the page says."""
    shutil.copytree(DOCS / "examples" / example, folder, dirs_exist_ok=True)
    (folder / "kubelb.toml").write_text(inventory_of(lab) + more)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def rules(printed: str) -> list[str]:
    """Give the rules that are not kube-proxy's, which writes its own when the first Service is there."""
    return [line for line in printed.splitlines() if line.startswith("-A") and "KUBE-" not in line]


def measure(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_backend_of_the_page_measures_and_leaves_nothing(tmp_path: Path, lab: Lab) -> None:
    section = '\n[backends.dnat]\nvip = "192.168.0.111"\nport = 8890\n'
    folder = project(tmp_path, "dnat", lab, section)
    with Hosts(lab.ssh_config, ["k11"]) as hosts:
        before = hosts["k11"].run(NAT).stdout
        done = measure(
            folder,
            "--kubelb-backend=proxy,dnat",
            "--kubelb-pods=1,3",
            "--kubelb-runs=2",
            "--kubelb-tolerance=100%",
        )
        assert done.returncode == 0, done.stdout
        assert "4 passed" in done.stdout
        assert "dnat-pods03" in done.stdout
        after = hosts["k11"].run(NAT).stdout
    assert CHAIN not in after
    assert rules(after) == rules(before)


def test_a_section_without_its_port_is_refused_by_name(tmp_path: Path, lab: Lab) -> None:
    folder = project(tmp_path, "dnat", lab, '\n[backends.dnat]\nvip = "192.168.0.111"\n')
    done = measure(folder, "--kubelb-backend=dnat", "--kubelb-pods=1")
    assert done.returncode == 1
    assert "[backends.dnat] is {'vip': '192.168.0.111'}" in done.stdout


def test_the_bench_of_the_page_has_its_points_and_its_assertions_hold(tmp_path: Path, lab: Lab) -> None:
    done = measure(project(tmp_path, "bench", lab), "--kubelb-tolerance=100%", "-k", "not (proxy and pods04)")
    assert done.returncode == 0, done.stdout
    assert "test_latency[ipvs-pods04] PASSED" in done.stdout
    assert "test_no_errors" in done.stdout


@given(st.integers(1, 40))
def test_every_pod_is_drawn_equally_often(pods: int) -> None:
    left, shares = 1.0, []
    for rule in dnat_rules([f"172.16.5.{number}" for number in range(pods)], 80):
        words = rule.split()
        drawn = float(words[words.index("--probability") + 1]) if "--probability" in words else 1.0
        shares.append(left * drawn)
        left *= 1 - drawn
    assert shares == pytest.approx([1 / pods] * pods, rel=1e-6)
