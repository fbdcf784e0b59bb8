"""Readiness and stuck pods, read from objects as the API writes them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.cluster.endpoints import Endpoint, ready_endpoints, why_stuck

DEPLOYMENT = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2}}


def endpoint(ip: str, **conditions: bool | None) -> dict[str, Any]:
    return {
        "addresses": [ip], "conditions": conditions, "nodeName": "k05", "targetRef": {"name": f"pod-{ip}"},
    }  # fmt: skip


def pod(name: str, *, waiting: dict[str, str] | None = None, **metadata: str) -> dict[str, Any]:
    state = {"waiting": waiting} if waiting else {"running": {}}
    return {"metadata": {"name": name, **metadata}, "status": {"containerStatuses": [{"state": state}]}}


def unschedulable(name: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def test_an_unset_ready_condition_counts_and_terminating_does_not() -> None:
    slices: list[dict[str, Any]] = [
        {
            "endpoints": [
                endpoint("172.16.5.2", ready=True),
                endpoint("172.16.5.3", ready=None),
                endpoint("172.16.5.4", ready=False),
                endpoint("172.16.5.5", ready=True, terminating=True),
                {"addresses": ["172.16.5.6"]},
            ]
        },
        {"endpoints": None},
    ]
    assert [one.ip for one in ready_endpoints(slices)] == ["172.16.5.2", "172.16.5.3", "172.16.5.6"]


addresses = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))


@given(st.lists(addresses, max_size=20), st.data())
def test_every_address_comes_once_and_in_numeric_order_however_the_slices_cut_it(
    ips: list[str], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(ips)))
    slices = [
        {"endpoints": [endpoint(ip, ready=True) for ip in part]} for part in (ips[:cut], ips[cut:], ips[:1])
    ]
    found = ready_endpoints(slices)
    assert {one.ip for one in found} == set(ips)
    assert len(found) == len(set(ips))
    assert found == ready_endpoints(reversed(slices))
    assert all(one == Endpoint(one.ip, f"pod-{one.ip}", "k05") for one in found)


def test_a_waiting_reason_that_does_not_pass_is_given_with_its_message() -> None:
    stuck = pod("a", waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling"})
    assert why_stuck([stuck], DEPLOYMENT) == "pod a: ImagePullBackOff: Back-off pulling"


def test_a_crash_is_given_with_the_exit_code_of_the_last_one() -> None:
    stuck = pod("a", waiting={"reason": "CrashLoopBackOff"})
    stuck["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 137, "reason": "OOMKilled"}
    }
    assert str(why_stuck([stuck], DEPLOYMENT)).endswith("(last ended with exit code 137, OOMKilled)")


def test_a_container_that_is_being_created_is_not_stuck() -> None:
    assert why_stuck([pod("a", waiting={"reason": "ContainerCreating"}), pod("b")], DEPLOYMENT) is None


def test_a_pod_on_its_way_out_is_not_stuck_and_room_may_come_back_with_it() -> None:
    leaving = pod("a", waiting={"reason": "CrashLoopBackOff"}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert why_stuck([leaving, unschedulable("b")], DEPLOYMENT) is None
    assert why_stuck([unschedulable("b")], DEPLOYMENT) == "pod b: Unschedulable: no room"


def test_conditions_of_an_earlier_scale_are_not_believed() -> None:
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    old = {"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "conditions": [failure]}}
    assert why_stuck([], old) is None
    new = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [failure]}}
    assert why_stuck([], new) == "pods are refused: FailedCreate: exceeded quota"
