"""The preflight of a session: what ends it, what its own lock is to it, and the namespace that it may make."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import LEASES, NAMESPACES, Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight import cluster
from pytest_kubelb.preflight.check import fail
from pytest_kubelb.preflight.session import refusal
from pytest_kubelb.testbed.identity import identity_of
from pytest_kubelb.testbed.locking import locked
from tests.lab.api.cluster import cluster as started
from tests.preflight.made import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_kubelb.preflight.check import Check
    from pytest_kubelb.preflight.wanted import Wanted

VIP = fail("vip", "k11", "it is taken", "choose another")
ROOM = fail("room", "cluster", "there is none", "add nodes")


@contextmanager
def in_cluster(folder: Path, *namespaces: str) -> Iterator[tuple[Path, Api]]:
    """Start a cluster with these namespaces; gives its kubeconfig and an administrator's client."""
    (folder / "api").mkdir()
    with started(folder / "api") as running, Api(running.kubeconfig, on_event=print) as api:
        for name in namespaces:
            api.create(NAMESPACES, {"metadata": {"name": name}})
        yield running.kubeconfig, api


@pytest.mark.parametrize(
    ("failures", "more"),
    [([VIP], ""), ([VIP, ROOM], "1 more check fails: "), ([VIP, ROOM, ROOM], "2 more checks fail: ")],
)
def test_the_first_failure_ends_a_session_and_the_others_are_counted(
    failures: list[Check], more: str
) -> None:
    assert refusal(failures, "kubelb.toml", "--kubelb-preflight=off") == (
        f"the testbed is not ready: vip of k11: it is taken; choose another; {more}see `kubelb doctor --inventory"
        " kubelb.toml`, or go on all the same with --kubelb-preflight=off"
    )


def test_the_lock_that_a_session_has_itself_is_no_warning(tmp_path: Path) -> None:
    mine = identity_of("s1")
    told = wanted(tmp_path)
    with in_cluster(tmp_path, "bench") as (_, api):
        spec = {"holderIdentity": mine, "leaseDurationSeconds": 30,
                "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:10.000000Z"}  # fmt: skip
        api.create(LEASES, {"metadata": {"name": "kubelb"}, "spec": spec}, "bench")
        for holder, verdict in (("", "warning"), (mine, "ok")):
            asked = dataclasses.replace(told, holder=holder)
            checks = list(cluster.judge(cluster.ask(api, asked), asked))
            assert [each.verdict for each in checks if each.check == "lock"] == [verdict]


def making(told: Wanted, kubeconfig: Path) -> Wanted:
    """Give the same on this cluster, with sessions that may make their namespace."""
    place = dataclasses.replace(told.inventory.cluster, kubeconfig=kubeconfig, create_namespace=True)
    return dataclasses.replace(told, inventory=dataclasses.replace(told.inventory, cluster=place))


def test_a_namespace_that_may_be_made_is_made_with_the_lock_and_stays(tmp_path: Path) -> None:
    with in_cluster(tmp_path) as (kubeconfig, api):
        told = making(wanted(tmp_path), kubeconfig)
        checks = list(cluster.judge(cluster.ask(api, told), told))
        assert [(each.verdict, each.found) for each in checks if each.check == "namespace"] == [
            ("ok", "does not exist; a session makes it")
        ]
        rights = [each.found for each in checks if each.check == "rbac" and "namespaces" in each.found]
        assert rights == ["namespaces bench: get", "namespaces: create"]
        heard: list[tuple[str, Mapping[str, object]]] = []
        for _ in range(2):
            with locked(told.inventory, "s1", {}, lambda *event: heard.append(event)):
                assert api.list(Target(LEASES, "bench"))["items"]
        assert [event for event in heard if event[0] == "namespace"] == [("namespace", {"made": "bench"})]
        assert api.find(NAMESPACES, "bench") is not None


def test_a_namespace_that_may_not_be_made_stays_away(tmp_path: Path) -> None:
    with in_cluster(tmp_path) as (kubeconfig, api):
        told = making(wanted(tmp_path), kubeconfig)
        place = dataclasses.replace(told.inventory.cluster, create_namespace=False)
        inventory = dataclasses.replace(told.inventory, cluster=place)
        with (
            pytest.raises(TestbedError, match=r"deploy/rbac\.yaml has the namespace"),
            locked(inventory, "s1", {}, lambda *_: None),
        ):
            raise AssertionError("unreachable: there is nothing to lock")
        assert api.find(NAMESPACES, "bench") is None
