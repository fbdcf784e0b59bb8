"""The Lease that holds a testbed, against the embedded API: taken, shown, renewed, outlived, lost, released."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cluster import lease as module
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import DURATION_S, LONGEST_S, NAME, Holder, Lease, LeaseLostError, holder_of
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import LEASES, Json
from pytest_kubelb.errors import TestbedError
from tests.lab.api.cluster import cluster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Bench

ANN, BOB = "ann@laptop pid 1 session a", "bob@desk pid 2 session b"


def lease(bench: Bench, identity: str, *, duration_s: int = 1) -> Lease:
    return Lease(bench.api, "bench", identity, duration_s=duration_s)


def take(taken: Lease, *, wait: bool = False) -> Holder | None:
    return taken.acquire(wait=wait, on_held=lambda holder: None)  # noqa: ARG005


def written(bench: Bench) -> Json:
    found = bench.api.find(LEASES, NAME, "bench")
    assert found is not None
    return found


def spec(bench: Bench) -> dict[str, Any]:
    return dict(written(bench)["spec"])


def change(bench: Bench, body: Json) -> None:
    bench.api.patch(LEASES, NAME, body, "bench")


def test_the_lease_says_who_holds_it_with_client_gos_fields(bench: Bench) -> None:
    assert take(lease(bench, ANN, duration_s=30)) is None
    found = spec(bench)
    assert (found["holderIdentity"], found["leaseDurationSeconds"], found["leaseTransitions"]) == (ANN, 30, 0)
    assert found["acquireTime"] == found["renewTime"]
    assert datetime.fromisoformat(found["renewTime"]).microsecond >= 0
    assert written(bench)["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pytest-kubelb"


def test_a_renewal_changes_renew_time_only(bench: Bench) -> None:
    ann = lease(bench, ANN)
    take(ann)
    before = spec(bench)
    ann.renew()
    after = spec(bench)
    assert after["renewTime"] > before["renewTime"]
    assert {**after, "renewTime": ""} == {**before, "renewTime": ""}


def test_a_released_lease_is_free_at_once_and_counts_the_transition(bench: Bench) -> None:
    ann, bob = lease(bench, ANN, duration_s=1000), lease(bench, BOB)
    take(ann)
    ann.release()
    assert not spec(bench)["holderIdentity"]
    assert take(bob) is None
    assert (spec(bench)["holderIdentity"], spec(bench)["leaseTransitions"]) == (BOB, 1)


def test_what_was_never_taken_is_released_without_a_request(bench: Bench) -> None:
    lease(bench, ANN).release()
    assert bench.api.find(LEASES, NAME, "bench") is None


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_a_lease_is_released_although_its_taking_was_broken_off(
    bench: Bench, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verb == "patch":  # there is one, of an earlier session
        first = lease(bench, BOB)
        take(first)
        first.release()
    write = getattr(bench.api, verb)

    def broken_off(*arguments: Any, **options: Any) -> None:
        write(*arguments, **options)
        monkeypatch.undo()
        raise KeyboardInterrupt

    ann = lease(bench, ANN)
    monkeypatch.setattr(bench.api, verb, broken_off)
    with pytest.raises(KeyboardInterrupt):
        take(ann)
    assert spec(bench)["holderIdentity"] == ANN
    ann.release()
    assert not spec(bench)["holderIdentity"]


def test_a_second_session_fails_with_who_holds_it_since_when(bench: Bench) -> None:
    ann, met = lease(bench, ANN, duration_s=1000), list[Holder]()
    take(ann)
    with ThreadPoolExecutor(1) as pool:
        refused = pool.submit(lease(bench, BOB).acquire, wait=False, on_held=met.append)
        while not met:
            time.sleep(0.01)
        while not refused.done():  # one that is alive shows by its renewals
            ann.renew()
            time.sleep(0.05)
    since = spec(bench)["acquireTime"]
    with pytest.raises(
        TestbedError, match=rf"held by {ANN} since {re.escape(since)} .*--kubelb-on-locked=wait"
    ):
        refused.result()
    assert [(holder.identity, holder.since) for holder in met] == [(ANN, since)]
    assert spec(bench)["holderIdentity"] == ANN


def test_a_session_that_waits_gets_the_lease_as_soon_as_it_is_released(bench: Bench) -> None:
    ann, met = lease(bench, ANN, duration_s=1000), threading.Event()
    take(ann)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lease(bench, BOB).acquire, wait=True, on_held=lambda holder: met.set())  # noqa: ARG005
        assert met.wait(10)
        ann.renew()
        assert not waiting.done()
        ann.release()
        assert waiting.result(10) is None
    assert spec(bench)["holderIdentity"] == BOB


def test_a_dead_holders_lease_is_taken_over_after_its_duration(bench: Bench) -> None:
    take(lease(bench, ANN, duration_s=1))
    started = time.monotonic()
    dead = take(lease(bench, BOB))
    assert time.monotonic() - started >= 1
    assert dead is not None
    assert dead.identity == ANN
    assert (spec(bench)["holderIdentity"], spec(bench)["leaseTransitions"]) == (BOB, 1)


@pytest.mark.parametrize(
    ("told", "waited_s"),
    [
        (2**31 - 1, LONGEST_S),
        (10**10, LONGEST_S),
        (-(2**31), 1),
        (0, DURATION_S),
        (None, DURATION_S),
        (45, 45),
    ],
)
def test_a_holder_is_waited_for_within_bounds_whatever_its_lease_says(
    told: int | None, waited_s: int
) -> None:
    found: Json = {"spec": {"holderIdentity": ANN, "leaseDurationSeconds": told}}
    assert holder_of(found) == Holder(ANN, "an unknown time", "never", waited_s)
    assert waited_s <= 300


def test_a_dead_holder_that_asked_for_68_years_is_outlived(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 1)
    take(lease(bench, ANN, duration_s=2**31 - 1))
    holder, is_alive = lease(bench, BOB).left_by(lambda *_: None, lambda _: None)
    assert holder is not None
    assert (holder.identity, is_alive) == (ANN, False)
    dead = take(lease(bench, BOB))
    assert dead is not None
    assert dead.identity == ANN


def test_a_clock_that_is_days_behind_does_not_cost_a_live_holder_its_lease(bench: Bench) -> None:
    take(lease(bench, ANN, duration_s=1))
    times = iter(f"2001-01-01T00:00:{second:02}.000000Z" for second in range(60))
    change(bench, {"spec": {"renewTime": next(times)}})
    with ThreadPoolExecutor(1) as pool:
        refused = pool.submit(take, lease(bench, BOB))
        while not refused.done():
            change(bench, {"spec": {"renewTime": next(times)}})
            time.sleep(0.2)
    with pytest.raises(TestbedError, match=f"held by {ANN}"):
        refused.result()


def test_a_clock_that_is_days_ahead_does_not_keep_a_dead_holders_lease(bench: Bench) -> None:
    take(lease(bench, ANN, duration_s=1))
    change(bench, {"spec": {"renewTime": "2999-01-01T00:00:00.000000Z"}})
    assert take(lease(bench, BOB)) is not None


def test_of_many_sessions_at_once_exactly_one_gets_it(bench: Bench) -> None:
    take(first := lease(bench, ANN, duration_s=1000))
    first.release()
    several = [lease(bench, f"session {number}", duration_s=1) for number in range(6)]

    def attempt(one: Lease) -> bool:
        try:
            take(one)
        except TestbedError:
            return False
        deadline = time.monotonic() + 3  # alive while the others look
        while time.monotonic() < deadline:
            one.renew()
            time.sleep(0.1)
        return True

    with ThreadPoolExecutor(len(several)) as pool:
        assert sum(pool.map(attempt, several)) == 1


def test_a_lease_that_somebody_took_is_lost_with_the_name_of_who_did(bench: Bench) -> None:
    ann = lease(bench, ANN)
    take(ann)
    change(bench, {"spec": {"holderIdentity": BOB, "acquireTime": "2026-03-01T10:00:00.000000Z"}})
    for ask in (ann.confirm, ann.renew):
        with pytest.raises(
            LeaseLostError, match=rf"held by {BOB} since 2026-03-01T10:00:00\.000000Z; see who"
        ):
            ask()
    ann.release()
    assert spec(bench)["holderIdentity"] == BOB


def test_a_lease_that_somebody_deleted_is_lost(bench: Bench) -> None:
    ann = lease(bench, ANN)
    take(ann)
    bench.api.delete(LEASES, written(bench))
    with pytest.raises(LeaseLostError, match="held by nobody"):
        ann.confirm()
    with pytest.raises(LeaseLostError, match="held by nobody"):
        ann.renew()
    ann.release()
    assert bench.api.find(LEASES, NAME, "bench") is None


def test_a_label_that_somebody_puts_on_the_lease_costs_nothing(bench: Bench) -> None:
    ann = lease(bench, ANN)
    take(ann)
    change(bench, {"metadata": {"labels": {"team": "net"}}})
    ann.renew()
    change(bench, {"metadata": {"labels": {"team": "lb"}}})
    ann.release()
    assert not spec(bench)["holderIdentity"]
    assert written(bench)["metadata"]["labels"]["team"] == "lb"


def test_a_lease_of_our_name_without_our_label_is_left_alone(bench: Bench) -> None:
    bench.api.create(LEASES, {"metadata": {"name": NAME}, "spec": {"holderIdentity": ""}}, "bench")
    with pytest.raises(TestbedError, match=r"managed-by=None, not pytest-kubelb, and is left alone"):
        take(lease(bench, ANN))
    assert not spec(bench)["holderIdentity"]


def test_a_namespace_that_is_not_there_is_named_with_the_file_that_has_it(bench: Bench) -> None:
    with pytest.raises(
        TestbedError,
        match=r'create leases in namespace nowhere .*namespaces "nowhere" not found.*deploy/rbac\.yaml',
    ):
        take(Lease(bench.api, "nowhere", ANN))


@pytest.mark.parametrize("verb", ["get", "create", "patch"])
def test_a_verb_that_is_forbidden_is_named_with_the_file_that_has_it(tmp_path: Path, verb: str) -> None:
    taken_away: set[str] = set()

    def authorize(user: str, asked: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        del user, group, subresource, namespace
        return resource != "leases" or asked not in taken_away

    with cluster(tmp_path, authorize) as running, Api(running.kubeconfig, on_event=print) as api:
        free = Lease(api, "default", ANN)
        if verb == "patch":
            take(free)
            free.release()
        taken_away.add(verb)
        with pytest.raises(
            TestbedError,
            match=rf"allow verb '{verb}' on resource 'leases' of API group coordination\.k8s\.io.*deploy/rbac\.yaml",
        ):
            take(free)


def test_the_age_is_that_of_the_last_renewal_and_not_of_the_last_look(bench: Bench) -> None:
    ann = lease(bench, ANN)
    take(ann)
    time.sleep(0.3)
    ann.confirm()
    assert ann.age_s >= 0.3
    ann.renew()
    assert ann.age_s < 0.3


def test_a_cluster_that_does_not_answer_is_no_loss_by_itself(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        api = Api(running.kubeconfig, on_event=lambda text: None, retry_for_s=0, timeout_s=1)  # noqa: ARG005
        ann = Lease(api, "default", ANN)
        take(ann)
    with api, pytest.raises(ApiError) as caught:
        ann.renew()
    assert not isinstance(caught.value, LeaseLostError)
