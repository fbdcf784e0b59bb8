"""Following objects: expiry, cut connections and time-outs, against the embedded control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import CONFIG_MAPS, Json, Target
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.errors import TestbedError
from tests.lab.api.cluster import cluster, until

from .conftest import NAMESPACES

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench

TARGET = Target(CONFIG_MAPS, "bench", labels="watched=yes")


def config_map(name: str, value: str = "") -> Json:
    return {"metadata": {"name": name, "labels": {"watched": "yes"}}, "data": {"value": value}}


def names(state: State) -> list[str]:
    return sorted(state[0] or ())


def test_changes_after_the_first_list_are_seen(bench: Bench) -> None:
    with Watcher(bench.api, [TARGET]) as watcher:
        assert watcher.wait_for(lambda state: (names(state) == [] and state[0] is not None) or None, 10)
        bench.api.create(CONFIG_MAPS, config_map("a"), "bench")
        made = bench.api.create(CONFIG_MAPS, config_map("b"), "bench")
        assert watcher.wait_for(lambda state: names(state) == ["a", "b"] or None, 10)
        bench.api.patch(CONFIG_MAPS, "a", {"data": {"value": "new"}}, "bench")
        assert watcher.wait_for(lambda state: (state[0] or {})["a"]["data"]["value"] == "new" or None, 10)
        bench.api.delete(CONFIG_MAPS, made)
        assert watcher.wait_for(lambda state: names(state) == ["a"] or None, 10)
    assert bench.events == []


def test_a_state_that_does_not_come_is_a_time_out(bench: Bench) -> None:
    with Watcher(bench.api, [TARGET]) as watcher, pytest.raises(TimeoutError):
        watcher.wait_for(lambda _: None, 0.2)


def test_an_expired_version_is_listed_again_and_reported(tmp_path: Path) -> None:
    class Forgetful(Api):
        """Begins its first watch at a version that the server has long forgotten."""

        lists = 0

        def list(self, target: Target) -> Json:
            found = super().list(target)
            self.lists += 1
            if self.lists == 1:
                found["metadata"]["resourceVersion"] = "1"
                found["items"] = []
            return found

    events: list[str] = []
    with (
        cluster(tmp_path, history=4) as running,
        Forgetful(running.kubeconfig, on_event=events.append) as api,
    ):
        api.create(NAMESPACES, {"metadata": {"name": "bench"}})
        for number in range(8):
            api.create(CONFIG_MAPS, config_map(f"c{number}"), "bench")
        with Watcher(api, [TARGET]) as watcher:
            assert watcher.wait_for(lambda state: len(names(state)) == 8 or None, 10)
    assert events == ["kubernetes: watch configmaps in namespace bench ended with status 410; listing again"]


def test_a_cut_connection_is_followed_on_and_reported(bench: Bench) -> None:
    with Watcher(bench.api, [TARGET]) as watcher:
        watcher.wait_for(lambda state: True if state[0] is not None else None, 10)
        follower = watcher._followers[0]
        until(lambda: follower._response)
        follower.cut()
        bench.api.create(CONFIG_MAPS, config_map("later"), "bench")
        assert watcher.wait_for(lambda state: names(state) == ["later"] or None, 10)
    assert len(bench.events) == 1
    assert bench.events[0].startswith("kubernetes: watch configmaps in namespace bench was cut")


def test_a_watch_that_is_forbidden_ends_the_wait(tmp_path: Path) -> None:
    def no_watching(_user: str, verb: str, *_: str) -> bool:
        return verb != "watch"

    with (
        cluster(tmp_path, no_watching) as running,
        Api(running.kubeconfig, on_event=lambda _: None) as api,
        Watcher(api, [TARGET]) as watcher,
        pytest.raises(TestbedError, match="allow verb 'watch' on resource 'configmaps'"),
    ):
        watcher.wait_for(lambda _: None, 10)
