"""One function per figure; each gives `Figure`s. Touches a lab that it starts itself, and subprocesses.

A figure that compares two things measures them in turn on this machine, and is their ratio: machines are shared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb import holding
from pytest_kubelb.lab import launch, requirements
from pytest_kubelb.load.json_output import parse_json_output
from pytest_kubelb.matrix import Point
from pytest_kubelb.settings import Given, resolve
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.holding import HeldTestbed
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.settings import Settings

BACKENDS = {"ipvs": "pytest_kubelb.backends.ipvs:Ipvs", "proxy": "pytest_kubelb.backends.proxy:Proxy"}
BENCH = "def test_rps(wrk):\n    wrk()\n"


@dataclass(frozen=True)
class Figure:
    """One measured number beside what it must reach."""

    name: str
    value: float | None
    """None when this machine cannot give it; `details` says why."""
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    details: dict[str, object] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the number is within what it must reach; None without a number."""
        if self.value is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


def through_the_plugin_and_by_hand(pairs: int = 24) -> Iterator[Figure]:
    """Give rps as the plugin measures it over rps of the same command typed by hand, in turn."""
    with _lab() as lab, _held(lab) as held:
        target = held.convergence.converge(Point("ipvs", 8, "vxlan"))
        settings = _settings()
        command = held.load.run(target, settings, number=0, warmup=True).command
        ssh = ["ssh", "-F", str(lab.ssh_config), "k12", command]
        ratios = []
        for number in range(pairs):
            hand_first = number % 2 == 0
            hand = _rps_by_hand(ssh) if hand_first else 0.0
            sample = held.load.run(target, settings, number=number, warmup=False)
            hand = hand or _rps_by_hand(ssh)
            ratios.append(sample.result.rps / hand if sample.result else 0.0)
    details: dict[str, object] = {"pairs": pairs, "ratios": [round(ratio, 3) for ratio in sorted(ratios)]}
    name = "rps_plugin_over_by_hand"
    yield Figure(name, statistics.median(ratios), "ratio", at_least=0.97, at_most=1.03, details=details)


def lab_ready() -> Iterator[Figure]:
    """Give the seconds from nothing to the first answer through ipvs, for each kernel this machine can give."""
    for kernel, limit_s in (("uml", 7.0), ("host", 2.5)):
        name = f"lab_ready_{kernel}"
        if kernel == "host" and not requirements.host_has_ipvs():
            yield Figure(
                name, None, "s", at_most=limit_s, details={"why": "this machine's kernel has no IPVS"}
            )
            continue
        seconds = [_first_answer(kernel) for _ in range(5)]
        details: dict[str, object] = {"all_s": [round(each, 2) for each in seconds]}
        yield Figure(name, statistics.median(seconds), "s", at_most=limit_s, details=details)


def scaling() -> Iterator[Figure]:
    """Give the seconds from 1 to 40 pods, and from 40 to 4, programmed and all answering."""
    with _lab() as lab, _held(lab) as held:
        for backend in ("ipvs", "proxy"):
            up, down = [], []
            for _ in range(3):
                held.convergence.converge(Point(backend, 1, "vxlan"))
                up.append(_timed(lambda name=backend: held.convergence.converge(Point(name, 40, "vxlan"))))
                down.append(_timed(lambda name=backend: held.convergence.converge(Point(name, 4, "vxlan"))))
            all_up: dict[str, object] = {"all_s": [round(each, 2) for each in up]}
            all_down: dict[str, object] = {"all_s": [round(each, 2) for each in down]}
            yield Figure(f"scale_1_to_40_{backend}", statistics.median(up), "s", at_most=2.0, details=all_up)
            yield Figure(
                f"scale_40_to_4_{backend}", statistics.median(down), "s", at_most=1.0, details=all_down
            )


def unused_plugin(pairs: int = 25) -> Iterator[Figure]:
    """Give what the installed but unused plugin adds to `pytest --version`."""
    bare = [sys.executable, "-m", "pytest", "--version"]
    differences = []
    for _ in range(pairs):
        without = _timed(lambda: subprocess.run([*bare, "-p", "no:kubelb"], capture_output=True, check=True))
        with_it = _timed(lambda: subprocess.run(bare, capture_output=True, check=True))
        differences.append(with_it - without)
    details: dict[str, object] = {
        "pairs": pairs,
        "quartiles_ms": [round(1000 * q, 1) for q in _quartiles(differences)],
    }
    yield Figure("unused_plugin", 1000 * statistics.median(differences), "ms", at_most=25.0, details=details)


def ssh_command(count: int = 200) -> Iterator[Figure]:
    """Give the cost of one remote command on an open connection, to a host that is a namespace."""
    with _lab() as lab, Hosts(lab.ssh_config, ["k12", "k11"]) as hosts:
        for name, limit_ms in (("k12", 15.0), ("k11", None)):
            hosts[name].run(["true"])
            seconds = [_timed(lambda host=name: hosts[host].run(["true"])) for _ in range(count)]
            details: dict[str, object] = {
                "p95_ms": round(1000 * sorted(seconds)[int(0.95 * count)], 2),
                "count": count,
            }
            if limit_ms is None:
                details["why"] = (
                    "the load balancer's own kernel: bounded by what starting a process costs there"
                )
            figure = f"ssh_command_{name}"
            yield Figure(figure, 1000 * statistics.median(seconds), "ms", at_most=limit_ms, details=details)


@contextmanager
def _lab() -> Iterator[Lab]:
    lab = launch.start(tied=True)
    try:
        yield lab
    finally:
        launch.stop(lab)


@contextmanager
def _held(lab: Lab) -> Iterator[HeldTestbed]:
    described = inventory.load(lab.inventory)
    with holding.hold(described, holding.Wanted("perf", tuple(BACKENDS), BACKENDS), lambda *_: None) as held:
        yield held


def _settings() -> Settings:
    layer = {"duration": Given("2s", "perf", Path())}
    return resolve([layer], search=[], known_backends=BACKENDS, new_seed=0)


def _first_answer(kernel: str) -> float:
    began = time.monotonic()
    lab = launch.start(None, kernel, tied=True)
    try:
        with _held(lab) as held:
            held.convergence.converge(Point("ipvs", 1, "vxlan"))
            return time.monotonic() - began
    finally:
        launch.stop(lab)


def _rps_by_hand(command: list[str]) -> float:
    return parse_json_output(subprocess.run(command, capture_output=True, text=True, check=True).stdout).rps


def _timed(step: object) -> float:
    began = time.perf_counter()
    assert callable(step)  # noqa: S101 - for the type checker
    step()
    return time.perf_counter() - began


def _quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4)
