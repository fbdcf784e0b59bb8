"""What answers may be no Kubernetes API: its objects are looked at where they come in, and an odd one is a sentence."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pytest_kubelb.cluster import shape, watch
from pytest_kubelb.cluster.flannel import AS_PUBLISHED
from pytest_kubelb.cluster.lease import LONGEST_S, Lease, holder_of
from pytest_kubelb.cluster.leftovers import ClusterLeftovers
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import DEPLOYMENTS, SERVICES, Target
from pytest_kubelb.errors import TestbedError
from tests.fuzz.asked import OBJECTS, ToldApi

ODD: tuple[Any, ...] = (
    {},
    {"metadata": None},
    {"metadata": {"name": 5}},
    {"metadata": {"name": ""}},
    {"metadata": {"name": "a", "labels": ["b"]}},
    {"metadata": {"name": "a", "labels": {"b": 1}}},
    {"metadata": {"name": "a", "annotations": "b"}},
    {"metadata": {"name": "a"}, "spec": "c"},
    {"metadata": {"name": "a"}, "status": []},
)


@pytest.mark.parametrize("item", ODD)
def test_what_is_no_object_is_refused_wherever_it_comes_from(item: Any) -> None:
    api = ToldApi({"deployments": item})
    for ask in (
        lambda: api.find(DEPLOYMENTS, "a", "bench"),
        lambda: api.list(Target(DEPLOYMENTS, "bench")),
        lambda: api.patch(DEPLOYMENTS, "a", {}, "bench"),
        lambda: ClusterLeftovers(api, "bench", AS_PUBLISHED).find(lambda *_: False, lambda _: None),
    ):
        with pytest.raises(TestbedError, match="leads to the API server of a cluster"):
            ask()


@pytest.mark.parametrize("items", [None, {}, "a", ["a"], [None]])
def test_a_list_of_anything_else_is_refused(items: object) -> None:
    with pytest.raises(ValueError, match="it is no"):
        shape.check_list({"items": items, "metadata": {}})


@pytest.mark.parametrize("item", OBJECTS.values())
def test_objects_are_taken_as_they_are(item: Any) -> None:
    shape.check_list({"items": [item]})


def test_an_object_without_its_uid_is_not_deleted() -> None:
    with pytest.raises(TestbedError, match="KeyError: 'uid'"):
        ToldApi({}).delete(SERVICES, {"metadata": {"name": "a"}})


@pytest.mark.parametrize("transitions", ["many", [1], 1e999])
def test_a_lease_that_was_taken_an_odd_number_of_times_is_a_sentence(transitions: object) -> None:
    item = {"metadata": {"name": "kubelb", "resourceVersion": "1"}, "spec": {"leaseTransitions": transitions}}
    with pytest.raises(TestbedError, match="Lease kubelb cannot be read"):
        Lease(ToldApi({}), "bench", "us")._take(item)


@pytest.mark.parametrize(("said", "duration_s"), [(15, 15), (10**400, LONGEST_S), (-5, 1), (None, 30)])
def test_nobody_is_waited_for_longer_than_an_hour(said: object, duration_s: int) -> None:
    holder = holder_of({"spec": {"holderIdentity": "bob", "leaseDurationSeconds": said}})
    assert holder is not None
    assert holder.duration_s == duration_s


@pytest.mark.parametrize("said", [{}, {"message": ""}, {"message": None, "code": 403}])
def test_an_event_that_tells_of_an_error_without_words_is_a_sentence(said: dict[str, object]) -> None:
    follower = watch._Follower(ToldApi({}), Target(SERVICES, "bench"), threading.Condition())
    with pytest.raises(
        ApiError, match=r"kubernetes: watch services in namespace bench.*\((\d+: )?no message\)"
    ):
        follower._apply({"type": "ERROR", "object": said}, "1")
