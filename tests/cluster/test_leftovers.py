"""What a killed session left in the cluster is found and put back, against the embedded API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.flannel import AS_PUBLISHED
from pytest_kubelb.cluster.lease import NAME, Lease
from pytest_kubelb.cluster.leftovers import ClusterLeftovers
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.overlay import Overlay
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, SERVICES, Json
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError
from tests.cluster.test_overlay import configuration, flanneld
from tests.docs.test_own_testbed import as_the_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.cluster.client import Api
    from tests.cluster.conftest import Bench

__all__ = ["as_the_account", "flanneld"]  # the fixtures

ANN = "ann@laptop pid 1 session a"
FOREIGN: Json = {
    "metadata": {"name": "foreign", "labels": {"app.kubernetes.io/managed-by": "helm"}},
    "spec": {"ports": [{"port": 80}]},
}


def nobody(_: object) -> str:
    return ""


def ann_is_gone(identity: str, since: str) -> bool | None:
    assert since.startswith("20")
    return False if identity == ANN else None


def of_another_machine(identity: str, since: str) -> None:  # noqa: ARG001
    return None


def left_in(bench: Bench, namespace: str = "bench") -> ClusterLeftovers:
    return ClusterLeftovers(bench.api, namespace, AS_PUBLISHED)


def put_back(bench: Bench, still_running: Callable[[str], str] = nobody) -> tuple[list[str], list[str]]:
    left = left_in(bench)
    found = left.find(ann_is_gone, print)
    return left.put_back(found, still_running)


def crash(bench: Bench) -> None:
    """Leave what a session leaves that is killed in the middle of a run."""
    Lease(bench.api, "bench", ANN).acquire(wait=False, on_held=print)
    Overlay(bench.api, identity=ANN, namespace="bench").set("host-gw", timeout_s=10)
    workload = bench.workload("a")
    workload.deploy()
    workload.scale(2, timeout_s=30)


@pytest.mark.usefixtures("flanneld")
def test_everything_of_a_killed_session_is_put_back_at_once_and_again_there_is_nothing(bench: Bench) -> None:
    bench.api.create(SERVICES, FOREIGN, "bench")
    before = configuration(bench)
    crash(bench)
    lines, problems = put_back(bench)
    assert problems == []
    assert [line.partition(", since")[0] for line in lines] == [
        "Deployment kubelb of session a: deleted",
        "Service kubelb of session a: deleted",
        f"overlay of {ANN}",
        f"Lease kubelb in namespace bench of {ANN}",
    ]
    assert lines[2].endswith(": host-gw -> vxlan")
    assert configuration(bench) == before
    assert bench.api.find(DEPLOYMENTS, "kubelb", "bench") is None
    assert bench.api.find(SERVICES, "foreign", "bench") is not None
    assert put_back(bench) == ([], [])
    Lease(bench.api, "bench", "bob@desk pid 2 session b").acquire(wait=False, on_held=print)


@pytest.mark.usefixtures("flanneld")
def test_what_belongs_to_a_session_that_runs_stays(bench: Bench) -> None:
    crash(bench)
    lines, problems = put_back(bench, lambda session: f"{session} lives")
    assert lines == []
    assert problems == [
        "Deployment kubelb of session a stays: a lives",
        "Service kubelb of session a stays: a lives",
        "the overlay stays: a lives",
        "a lives",
    ]
    assert Overlay(bench.api).read() == "host-gw"
    assert put_back(bench)[1] == []


def test_a_holder_that_renews_is_alive_and_one_that_does_not_is_not(bench: Bench) -> None:
    lease = Lease(bench.api, "bench", "bob@desk pid 2 session b", duration_s=1)
    lease.acquire(wait=False, on_held=print)
    told: list[str] = []

    def on_held(holder: object) -> None:
        told.append(str(holder))
        if len(told) == 1:
            lease.renew()

    found = left_in(bench).find(of_another_machine, on_held)
    assert found.holder is not None
    # Renewed once more before it was looked at for the first time: so what was seen then has changed.
    assert found.is_alive
    again = left_in(bench).find(of_another_machine, on_held)
    assert (again.is_alive, len(told)) == (False, 2)
    assert left_in(bench).put_back(again, nobody)[1] == []
    held = bench.api.find(LEASES, NAME, "bench")
    assert held is not None
    assert held["spec"].get("holderIdentity") in ("", None)


def test_a_lease_that_was_taken_meanwhile_is_left_to_who_took_it(bench: Bench) -> None:
    Lease(bench.api, "bench", ANN, duration_s=1).acquire(wait=False, on_held=print)
    left = left_in(bench)
    found = left.find(ann_is_gone, print)
    Lease(bench.api, "bench", "bob@desk pid 2 session b").acquire(wait=False, on_held=print)
    left.put_back(found, nobody)
    held = bench.api.find(LEASES, NAME, "bench")
    assert held is not None
    assert held["spec"]["holderIdentity"] == "bob@desk pid 2 session b"


@pytest.mark.usefixtures("flanneld")
def test_the_overlay_of_a_session_of_another_namespace_is_left_to_its_own_inventory(bench: Bench) -> None:
    Overlay(bench.api, identity=ANN, namespace="elsewhere").set("host-gw", timeout_s=10)
    lines, (problem,) = put_back(bench)
    assert lines == []
    assert "who works in namespace elsewhere: restore with an inventory of that namespace" in problem
    assert Overlay(bench.api).read() == "host-gw"


@pytest.mark.usefixtures("flanneld")
def test_one_step_that_fails_does_not_keep_the_others(bench: Bench) -> None:
    crash(bench)
    left = left_in(bench)
    found = left.find(ann_is_gone, print)
    bench.api.patch(LEASES, NAME, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}, "bench")
    lines, (problem,) = left.put_back(found, nobody)
    assert len(lines) == 3
    assert "app.kubernetes.io/managed-by=helm" in problem
    with pytest.raises(TestbedError, match="is left alone"):
        left.find(ann_is_gone, print)


def test_the_rights_of_a_session_are_enough_to_restore(as_the_account: Api) -> None:
    Lease(as_the_account, "kubelb", ANN).acquire(wait=False, on_held=print)
    Workload(as_the_account, Manifest("a", "kubelb", "nginx:1.22")).deploy()
    left = ClusterLeftovers(as_the_account, "kubelb", AS_PUBLISHED)
    lines, problems = left.put_back(left.find(ann_is_gone, print), nobody)
    assert problems == []
    assert len(lines) == 3
