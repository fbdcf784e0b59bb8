"""Whether the cluster has room: nodes as kubelets register them, quotas as the API shows them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.quantity import parse
from pytest_kubelb.preflight import room

POD = {"containers": [{"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}
TAINT = {"key": "dedicated", "value": "bench", "effect": "NoSchedule"}


def node(name: str, pods: int = 20, *, ready: bool = True, **spec: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": spec,
        "status": {"allocatable": {"pods": str(pods)}, "conditions": conditions},
    }


def pod(on: str, phase: str = "Running", **labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": labels}, "spec": {"nodeName": on}, "status": {"phase": phase}}


def test_room_is_what_is_allocatable_less_what_runs_there() -> None:
    nodes = [node("a"), node("b", 25), node("c", unschedulable=True), node("d", ready=False)]
    ours = pod("b", **{"app.kubernetes.io/managed-by": "pytest-kubelb"})
    running = [pod("a"), pod("b"), pod("b", "Succeeded"), pod("c"), ours]
    check = room.judge_room(nodes, running, 40, POD)
    assert (check.verdict, check.found) == (
        "ok",
        "40 pods are wanted, room for 43 (45 allocatable on 2 nodes, 2 running)",
    )
    assert room.judge_room(nodes, running, 44, POD).verdict == "fail"


def test_what_may_not_be_seen_is_said() -> None:
    check = room.judge_room([node("a")], None, 20, POD)
    assert check.verdict == "ok"
    assert check.found.endswith("what runs in other namespaces may not be seen")


def test_a_taint_keeps_pods_off_that_do_not_tolerate_it() -> None:
    tainted = node("a", taints=[TAINT])
    assert not room.takes(tainted, POD)
    for toleration in (
        {"operator": "Exists"},
        {"key": "dedicated", "operator": "Exists"},
        {"key": "dedicated", "value": "bench", "effect": "NoSchedule"},
    ):
        assert room.takes(tainted, {**POD, "tolerations": [toleration]})
    assert not room.takes(tainted, {**POD, "tolerations": [{"key": "dedicated", "value": "other"}]})


def test_a_node_selector_leaves_only_the_nodes_with_its_labels() -> None:
    assert not room.takes(node("a"), {**POD, "nodeSelector": {"disk": "ssd"}})


def test_workers_that_are_missing_away_or_cordoned_are_named() -> None:
    nodes = [node("a"), node("b", ready=False), node("c", unschedulable=True), node("other")]
    checks = list(room.judge_nodes(nodes, ["a", "b", "c", "d"], POD))
    assert [(each.verdict, each.found.split(" ")[0]) for each in checks] == [
        ("fail", "b"),
        ("warning", "c"),
        ("fail", "the"),
        ("ok", "1"),
    ]


def quota(hard: dict[str, str], used: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used or {}}}


@pytest.mark.parametrize(
    ("hard", "used", "found"),
    [
        ({"pods": "40"}, {}, "ResourceQuota q leaves enough"),
        ({"pods": "45"}, {"pods": "6"}, "ResourceQuota q leaves 39 of pods, needed are 40"),
        ({"requests.cpu": "400m"}, {}, "ResourceQuota q leaves enough"),
        ({"cpu": "399m"}, {}, "ResourceQuota q leaves 0.399 of cpu, needed are 0.4"),
        ({"services": "1"}, {"services": "1"}, "ResourceQuota q leaves 0 of services, needed are 1"),
        ({"limits.memory": "1Gi"}, {}, "ResourceQuota q wants limits.memory, and the pods name none"),
        ({"secrets": "0"}, {}, "ResourceQuota q leaves enough"),
    ],
)
def test_a_quota_is_weighed_against_the_whole_workload(
    hard: dict[str, str], used: dict[str, str], found: str
) -> None:
    (check,) = room.judge_quotas([quota(hard, used)], 40, POD, "namespace bench")
    assert check.found == found


@pytest.mark.parametrize(
    ("text", "value"),
    [("10m", 0.01), ("16Mi", 16 * 2**20), ("1e3", 1000), ("1.5k", 1500), ("110", 110), ("2E", 2e18)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: str, value: float) -> None:
    assert float(parse(text)) == pytest.approx(value)


@pytest.mark.parametrize("text", ["ten", "1K", "1mi", "1e", "1e1000000000", "", "1 Gi", "0x10", "\u0661"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no Kubernetes quantity"):
        parse(text)


def test_pods_that_ask_for_much_leave_less_room_than_their_number() -> None:
    big = {"containers": [{"resources": {"requests": {"cpu": "900m", "memory": "1Gi"}}}]}
    nodes = [node("a"), node("b")]
    for each in nodes:
        each["status"]["allocatable"] |= {"cpu": "4", "memory": "16Gi"}
    running = [{**pod("a"), "spec": {"nodeName": "a", "containers": big["containers"]}}]
    check = room.judge_room(nodes, running, 7, big)
    assert (check.verdict, check.found) == (
        "ok",
        "7 pods are wanted, room for 7 (40 allocatable on 2 nodes, 1 running); cpu, memory leaves no more",
    )
    check = room.judge_room(nodes, running, 8, big)
    assert check.verdict == "fail"
    assert check.remedy.startswith("add nodes, lower workload.resources.requests")


def test_pods_go_to_the_nodes_that_they_name_only() -> None:
    spec = Manifest("s1", "bench", "nginx:1.27", nodes=("a", "b")).deployment()["spec"]["template"]["spec"]
    assert [room.takes(node(name), spec) for name in ("a", "b", "c")] == [True, True, False]


def test_a_worker_without_the_labels_asked_for_is_told_apart_from_a_cordoned_one() -> None:
    spec = {**POD, "nodeSelector": {"disk": "ssd"}}
    (check,) = room.judge_nodes([node("a")], ["a"], spec)
    assert check.found == "a takes no pods: it has not the labels of workload.node_selector"


@pytest.mark.parametrize("text", ["9" * 400, "1e99", "10E", "-1e99"])
def test_no_quantity_is_more_than_kubernetes_lets_it_be(text: str) -> None:
    assert abs(parse(text)) == 2**63 - 1
    (check,) = room.judge_quotas(
        [quota({"pods": "1"}, {"pods": text.lstrip("-")})], 40, POD, "namespace bench"
    )
    assert check.found == "ResourceQuota q leaves -9.22337e+18 of pods, needed are 40"
