"""What limited a run and a point, and the bytes of a request on the wire."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.evidence.findings.ceiling import RANKS_NOTHING, of_point
from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.evidence.limits import Limits
from pytest_kubelb.evidence.wire import unequal_load
from pytest_kubelb.record.finding import CEILINGS
from tests.evidence.made_runs import CLIENT, LB, NIC, at, cpu, found, one, quiet, spec

QUIET = quiet()
SEED = Path(__file__).parents[3] / "shared" / "data" / "kuruwa-6th_try"
FULL_RPS = 125e6 / 751


def test_a_healthy_run_that_fills_nothing_has_no_ceiling() -> None:
    assert examine(QUIET).ceiling == "none"


def test_a_link_is_full_beyond_its_limit_with_the_framing_counted() -> None:
    below, above = quiet(0.9695 * FULL_RPS), quiet(0.9705 * FULL_RPS)
    assert examine(below).ceiling == "none"
    told = found(above, "link")
    assert told is not None
    assert (told.kind, told.host, told.effect) == ("ceiling", LB, "none")
    assert told.value == pytest.approx(97.05, abs=0.01)
    # Without the 24 bytes of each frame the same run would seem to leave an eighth of the link.
    eth0 = above.hosts[LB].nics["eth0"]
    assert eth0["rx_bytes"] * 8 / 60 / 1e9 < 0.86


def test_either_direction_fills_a_link() -> None:
    eth0 = QUIET.hosts["k05"].nics["eth0"]
    for way, told_way in (("rx", "received"), ("tx", "sent")):
        full = at(QUIET, "k05", nics={"eth0": {**eth0, f"{way}_packets": 10**7, f"{way}_bytes": 72 * 10**8}})
        told = found(full, "link")
        assert told is not None
        assert f"eth0 of k05 {told_way} " in told.sentence


def test_the_link_is_judged_by_the_time_of_load_not_by_the_readings() -> None:
    late = at(quiet(0.98 * FULL_RPS), LB, seconds=66.0)
    assert examine(late).ceiling == "link"


def test_a_link_outweighs_every_cpu() -> None:
    full = at(quiet(163_914.0), LB, cpu_percent=cpu(soft=one(100.0)))
    assert examine(full).ceiling == "link"


@pytest.mark.parametrize(
    ("host", "states", "ceiling"),
    [
        (LB, {"soft": one(94.0), "usr": 6.0}, "none"),
        (LB, {"soft": one(80.0), "irq": one(5.0), "sys": one(11.0)}, "lb_cpu"),
        (LB, {"usr": one(96.0)}, "none"),
        (CLIENT, {"usr": one(50.0), "sys": one(44.0), "iowait": one(6.0)}, "none"),
        (CLIENT, {"usr": one(50.0), "soft": one(46.0)}, "client_cpu"),
        ("k06", {"usr": one(96.0)}, "worker_cpu"),
        ("k06", {"usr": one(94.0)}, "none"),
    ],
)
def test_the_cpu_that_is_full_is_the_ceiling(
    host: str, states: dict[str, tuple[float, ...]], ceiling: str
) -> None:
    run = replace(at(QUIET, host, cpu_percent=cpu(**states)), limits=Limits(cpu_pressure=None))
    assert examine(run).ceiling == ceiling
    if ceiling != "none":
        told = found(run, ceiling)
        assert told is not None
        assert told.host == host
        assert f"CPU 0 of {host}" in told.sentence


def test_of_two_full_cpus_the_fuller_is_the_ceiling_and_of_equals_the_one_that_ranks_nothing() -> None:
    client = at(QUIET, CLIENT, cpu_percent=cpu(usr=one(97.0)))
    assert examine(at(client, LB, cpu_percent=cpu(soft=one(99.0)))).ceiling == "lb_cpu"
    assert examine(at(client, LB, cpu_percent=cpu(soft=one(97.0)))).ceiling == "client_cpu"


def test_idle_time_around_a_short_run_does_not_hide_a_full_cpu() -> None:
    assert QUIET.result is not None
    short = replace(QUIET, duration_s=1.0, result=replace(QUIET.result, duration_s=1.0, requests=90_000))
    hosts = {name: replace(host, seconds=1.1, nics={}) for name, host in short.hosts.items()}
    diluted = at(replace(short, hosts=hosts), LB, cpu_percent=cpu(soft=one(90.0)))
    assert examine(diluted).ceiling == "lb_cpu"


def test_a_cpu_that_did_not_tick_is_not_full() -> None:
    still = {state: (0.0, *percent[1:]) for state, percent in QUIET.hosts[CLIENT].cpu_percent.items()}
    assert examine(at(QUIET, CLIENT, cpu_percent=still)).ceiling == "none"


def test_cpus_that_hosts_of_several_roles_share_leave_the_ceiling_unknown() -> None:
    full = at(QUIET, LB, cpu_percent=cpu(soft=one(100.0)))
    lab = replace(full, hosts={name: replace(host, boot_id="lab") for name, host in full.hosts.items()})
    examined = examine(lab)
    assert examined.ceiling == "unknown"
    sentence = examined.findings[-1].sentence
    assert sentence.endswith("unknown: k12, k05, k06 and k11 share their CPUs with hosts of other roles")


def test_a_link_is_a_ceiling_wherever_the_cpus_are() -> None:
    full = quiet(163_914.0)
    lab = replace(full, hosts={name: replace(host, boot_id="lab") for name, host in full.hosts.items()})
    assert examine(lab).ceiling == "link"


def test_a_nic_whose_speed_nobody_knows_leaves_the_ceiling_unknown_unless_a_cpu_is_full() -> None:
    nameless = replace(QUIET, specs={**QUIET.specs, LB: spec(LB, replace(NIC, speed_mbps=None))})
    examined = examine(nameless)
    assert examined.ceiling == "unknown"
    assert "the speed of eth0 on k11 is not known" in examined.findings[-1].sentence
    assert examine(at(nameless, LB, cpu_percent=cpu(soft=one(96.0)))).ceiling == "lb_cpu"


def test_a_ceiling_whose_limit_is_off_may_be_there_all_the_same() -> None:
    for off in ("link", "lb_cpu", "client_cpu", "worker_cpu"):
        examined = examine(replace(QUIET, limits=Limits(**{off: None})))
        assert examined.ceiling == "unknown"
        assert f"the limit {off} is off" in examined.findings[-1].sentence


def test_a_veth_has_no_link_that_could_be_full() -> None:
    veth = replace(NIC, driver="veth", speed_mbps=1000)
    run = quiet(163_914.0)
    assert examine(replace(run, specs={name: spec(name, veth) for name in run.hosts})).ceiling == "none"


def test_a_host_that_was_not_read_leaves_the_ceiling_unknown() -> None:
    hosts = {name: host for name, host in QUIET.hosts.items() if name != CLIENT}
    assert examine(replace(QUIET, hosts=hosts)).ceiling == "unknown"


@pytest.mark.parametrize(
    ("runs", "point"),
    [
        ([], "unknown"),
        (["unknown", "unknown"], "unknown"),
        (["link", "link", "none"], "link"),
        (["none", "none", "link"], "none"),
        (["lb_cpu", "link"], "link"),
        (["lb_cpu", "client_cpu", "lb_cpu"], "lb_cpu"),
        (["lb_cpu", "none"], "lb_cpu"),
        (["lb_cpu", "unknown", "unknown"], "unknown"),
        (["lb_cpu", "unknown"], "lb_cpu"),
    ],
)
def test_a_points_ceiling_is_that_of_most_of_its_runs(runs: list[str], point: str) -> None:
    assert of_point(runs) == point


@given(st.lists(st.sampled_from(CEILINGS)))
def test_a_points_ceiling_does_not_depend_on_the_order_of_its_runs(runs: list[str]) -> None:
    assert of_point(runs) == of_point(runs[::-1])
    assert of_point(runs) in {*runs, "unknown"}


def test_a_word_that_is_no_ceiling_is_refused() -> None:
    with pytest.raises(ValueError, match="'disk' is not a ceiling"):
        of_point(["link", "disk"])


def test_what_ranks_nothing_are_the_ceilings_other_than_the_load_balancer() -> None:
    assert set(CEILINGS) - RANKS_NOTHING == {"lb_cpu", "none", "unknown"}


def test_wire_bytes_per_request_are_both_directions_of_the_benchmarker_with_framing() -> None:
    # request 110, acknowledgement 66, response 247 + 2 * 66, and 24 for each of the four frames.
    assert examine(QUIET).wire_bytes_per_request == pytest.approx(110 + 66 + 247 + 132 + 4 * 24)


def test_seven_bytes_of_host_header_are_an_unequal_load() -> None:
    said = unequal_load(("proxy", 644.0), ("ipvs", 651.0), Limits().wire_bytes)
    assert said is not None
    assert "1.09 % apart" in said
    assert unequal_load(("proxy", 649.0), ("ipvs", 651.0), Limits().wire_bytes) is None
    assert unequal_load(("proxy", 644.0), ("ipvs", 651.0), None) is None
    assert unequal_load(("proxy", 0.0), ("ipvs", 651.0), 0.5) is None


def published(backend: str, pods: int) -> list[float]:
    if not SEED.is_dir():
        pytest.skip("the seed's published runs (../shared/data) are not here")
    logs = sorted(SEED.glob(f"{'lvs' if backend == 'ipvs' else 'proxy'}_*.log"))
    found_rps = [
        re.search(rf"podnum={pods}\n.*?Requests/sec: *([0-9.]+)", log.read_text(), re.DOTALL) for log in logs
    ]
    return [float(match[1]) for match in found_rps if match is not None]


@pytest.mark.parametrize("pods", [18, 20, 26, 40])
def test_every_published_ipvs_run_from_eighteen_pods_on_fills_the_link(pods: int) -> None:
    assert {examine(quiet(rps, pods)).ceiling for rps in published("ipvs", pods)} == {"link"}


@pytest.mark.parametrize("pods", [1, 8, 12])
def test_no_published_ipvs_run_of_few_pods_fills_the_link(pods: int) -> None:
    assert {examine(quiet(rps, pods)).ceiling for rps in published("ipvs", pods)} == {"none"}
