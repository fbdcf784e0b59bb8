"""The lock of the testbed: one holder, seen by others, outlived when dead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.lease import Holder, Lease, LeaseLostError
from pytest_kubelb.cluster.resources import LEASES, Json
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from .conftest import Contract


def lease(contract: Contract, who: str, *, duration_s: int = 2) -> Lease:
    return Lease(contract.api, contract.namespace, who, duration_s=duration_s)


def found(contract: Contract) -> Json:
    item = contract.api.find(LEASES, "kubelb", contract.namespace)
    assert item is not None
    return item


def test_a_free_lease_is_taken_renewed_and_given_back(contract: Contract) -> None:
    mine = lease(contract, "me")
    assert mine.acquire(wait=False, on_held=print) is None
    taken = found(contract)["spec"]
    assert (taken["holderIdentity"], taken["leaseDurationSeconds"], taken.get("leaseTransitions", 0)) == (
        "me",
        2,
        0,
    )
    mine.renew()
    renewed = found(contract)["spec"]
    assert renewed["acquireTime"] == taken["acquireTime"]
    assert renewed["renewTime"] > taken["renewTime"]
    mine.release()
    assert found(contract)["spec"].get("holderIdentity", "") == ""
    assert lease(contract, "next").acquire(wait=False, on_held=print) is None
    assert found(contract)["spec"]["leaseTransitions"] == 1


def test_a_live_holder_is_named_to_the_second_one(contract: Contract) -> None:
    first, met = lease(contract, "first", duration_s=30), list[Holder]()
    first.acquire(wait=False, on_held=print)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(0.2):
            first.renew()

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        with pytest.raises(TestbedError, match="the testbed is held by first since "):
            lease(contract, "second").acquire(wait=False, on_held=met.append)
    finally:
        stop.set()
        renewing.join()
    assert [holder.identity for holder in met] == ["first"]


def test_a_dead_holder_is_outlived(contract: Contract) -> None:
    dead = lease(contract, "dead", duration_s=1)
    dead.acquire(wait=False, on_held=print)
    heir = lease(contract, "heir")
    before = heir.acquire(wait=False, on_held=print)
    assert before is not None
    assert before.identity == "dead"
    with pytest.raises(LeaseLostError, match="is now held by heir since"):
        dead.renew()
    heir.confirm()


def test_of_many_that_take_it_at_once_one_gets_it(contract: Contract) -> None:
    got: list[str] = []
    lost: list[str] = []
    ready = threading.Barrier(5)

    def take(who: str) -> None:
        mine = lease(contract, who, duration_s=30)
        ready.wait()
        holder = mine._take(None)
        (got if holder else lost).append(who)

    takers = [threading.Thread(target=take, args=(f"s{number}",)) for number in range(5)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert len(got) == 1
    assert len(lost) == 4
    assert found(contract)["spec"]["holderIdentity"] == got[0]


def test_a_lease_that_somebody_deletes_is_lost(contract: Contract) -> None:
    mine = lease(contract, "me")
    mine.acquire(wait=False, on_held=print)
    contract.api.delete(LEASES, found(contract))
    with pytest.raises(LeaseLostError, match="is now held by nobody"):
        mine.renew()


def test_a_lease_that_is_not_ours_is_left_alone(contract: Contract) -> None:
    body = {"metadata": {"name": "kubelb"}, "spec": {"holderIdentity": ""}}
    made = contract.api.create(LEASES, body, contract.namespace)
    with pytest.raises(TestbedError, match=r"Lease kubelb in namespace .* is left alone"):
        lease(contract, "me").acquire(wait=False, on_held=print)
    assert found(contract)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
