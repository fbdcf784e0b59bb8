"""The main routing table as /proc/net/route has it, and what becomes of a route that goes during a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.evidence import kernel_files
from pytest_kubelb.evidence.delta import HostDelta
from pytest_kubelb.evidence.findings import route
from pytest_kubelb.evidence.limits import Limits
from tests.evidence.made_runs import LB, quiet

if TYPE_CHECKING:
    from pytest_kubelb.evidence.run import RunEvidence

FILE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
flannel.1\t003D10AC\t003D10AC\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t003D10AC\t00000000\t0001\t0\t0\t50\t00FFFFFF\t0\t0\t0
eth2\t003E10AC\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_the_table_is_read_with_its_gateways_and_without_links_that_are_down() -> None:
    assert kernel_files.routes(FILE.splitlines()) == {
        "0.0.0.0/0": "via 192.168.1.1 dev eth0",
        "192.168.1.0/24": "dev eth0",
        "172.16.61.0/24": "via 172.16.61.0 dev flannel.1",
    }


def test_this_machines_own_table_is_understood() -> None:
    lines = Path("/proc/net/route").read_text().splitlines()
    assert len(kernel_files.routes(lines)) <= max(0, len(lines) - 1)


@pytest.mark.parametrize(
    "line", ["eth0", "eth0 0 0 1 0 0 0 0", "eth0 zz 00 1 0 0 0 00", "eth0 0001A8C0 00000000 x 0 0 0 00"]
)
def test_what_is_no_route_is_an_error_that_a_reading_tells(line: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        kernel_files.routes(["head", line])


def with_ways(run: RunEvidence, **ways: tuple[str, str]) -> RunEvidence:
    """Give the run with these routes changed on the load balancer; a network's dots and slash are written _ here."""
    named = {f"{name[1:].replace('_', '.')}.0/24": both for name, both in ways.items()}
    return replace(run, hosts={**run.hosts, LB: replace(run.hosts[LB], ways=named)})


def test_a_route_to_a_pod_that_goes_during_the_run_contaminates_it_and_names_host_and_network() -> None:
    run = quiet()
    network = run.endpoints[0].rpartition(".")[0]
    gone = with_ways(run, **{f"n{network.replace('.', '_')}": ("via 10.0.0.1 dev flannel.1", "none")})
    (finding,) = route.examine(gone)
    assert (finding.signal, finding.host, finding.effect) == ("route_changed", LB, "contaminated")
    assert (
        f"the route of {LB} to {network}.0/24 from via 10.0.0.1 dev flannel.1 to none changed"
        in finding.sentence
    )


def test_routes_to_others_may_come_and_go_and_the_limit_can_be_switched_off() -> None:
    run = quiet()
    assert not list(route.examine(with_ways(run, n10_99_99=("none", "dev eth0"))))
    network = run.endpoints[0].rpartition(".")[0]
    gone = with_ways(run, **{f"n{network.replace('.', '_')}": ("dev eth0", "none")})
    assert not list(route.examine(replace(gone, limits=Limits(route_changed=None))))


def test_what_changed_is_in_the_evidence_and_evidence_without_it_is_read_as_before() -> None:
    changed = with_ways(quiet(), n10_99_99=("none", "dev eth0")).hosts[LB]
    fields = changed.to_json()
    assert HostDelta.from_json(fields).ways == {"10.99.99.0/24": ("none", "dev eth0")}
    del fields["ways"]
    assert HostDelta.from_json(fields).ways == {}
