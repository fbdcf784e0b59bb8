"""Lists and watches: what is told, in which order, and what happens when the history is too short."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import CONFIG_MAPS, Json, Target
from pytest_kubelb.cluster.watch import State, Watcher

from .raw import events_of

if TYPE_CHECKING:
    from .conftest import Contract

PATH = "/api/v1/namespaces/{}/configmaps"


def config_map(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": {"watched": "yes", **labels}}, "data": {"value": "old"}}


def watched(contract: Contract) -> Target:
    return Target(CONFIG_MAPS, contract.namespace, labels="watched=yes")


def version_of(found: Json) -> str:
    return str(found["metadata"]["resourceVersion"])


def test_a_list_has_a_version_and_its_items_no_kind_of_their_own(contract: Contract) -> None:
    contract.api.create(CONFIG_MAPS, config_map("a"), contract.namespace)
    found = contract.api.list(watched(contract))
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(version_of(found)) >= int(version_of(found["items"][0]))
    assert not {"kind", "apiVersion"} & set(found["items"][0])


def test_a_watch_tells_what_came_after_the_list_in_its_order(contract: Contract) -> None:
    api, namespace = contract.api, contract.namespace
    version = version_of(api.list(watched(contract)))
    made = api.create(CONFIG_MAPS, config_map("a"), namespace)
    changed = api.patch(CONFIG_MAPS, "a", {"data": {"value": "new"}}, namespace)
    api.delete(CONFIG_MAPS, made)
    events = [each for each in events_of(api, watched(contract), version, 1) if each[0] != "BOOKMARK"]
    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [version_of(item) for _, item in events[:2]] == [version_of(made), version_of(changed)]
    last = events[2][1]
    assert last["data"] == {"value": "new"}
    assert int(version_of(last)) > int(version_of(changed))
    assert {(item["kind"], item["apiVersion"]) for _, item in events} == {("ConfigMap", "v1")}


def test_to_a_selector_an_object_that_ceases_to_match_is_deleted_as_it_was(contract: Contract) -> None:
    api, namespace = contract.api, contract.namespace
    version = version_of(api.list(watched(contract)))
    api.create(CONFIG_MAPS, config_map("a"), namespace)
    gone = api.patch(CONFIG_MAPS, "a", {"metadata": {"labels": {"watched": "no"}}}, namespace)
    back = api.patch(CONFIG_MAPS, "a", {"metadata": {"labels": {"watched": "yes"}}}, namespace)
    events = [each for each in events_of(api, watched(contract), version, 1) if each[0] != "BOOKMARK"]
    assert [kind for kind, _ in events] == ["ADDED", "DELETED", "ADDED"]
    assert [version_of(item) for _, item in events[1:]] == [version_of(gone), version_of(back)]
    assert events[1][1]["metadata"]["labels"]["watched"] == "yes"


def test_a_patch_that_changes_nothing_is_no_event_and_keeps_the_version(contract: Contract) -> None:
    api, namespace = contract.api, contract.namespace
    made = api.create(CONFIG_MAPS, config_map("a"), namespace)
    same = api.patch(CONFIG_MAPS, "a", {"data": {"value": "old"}}, namespace)
    assert version_of(same) == version_of(made)
    events = [
        each for each in events_of(api, watched(contract), version_of(made), 1) if each[0] != "BOOKMARK"
    ]
    assert events == []


def test_bookmarks_carry_a_version_to_go_on_from_and_nothing_else(contract: Contract) -> None:
    api = contract.api
    made = api.create(CONFIG_MAPS, config_map("a"), contract.namespace)
    events = list(events_of(api, watched(contract), version_of(made), 4))
    if not events:
        pytest.skip("this API server had no bookmark to send within 4 s")
    assert {kind for kind, _ in events} == {"BOOKMARK"}
    for _, item in events:
        assert (item["kind"], item["apiVersion"]) == ("ConfigMap", "v1")
        assert int(version_of(item)) >= int(version_of(made))
        assert {key for key, value in item["metadata"].items() if value} == {"resourceVersion"}


def test_a_watch_without_a_version_begins_with_what_is_there(contract: Contract) -> None:
    contract.api.create(CONFIG_MAPS, config_map("a"), contract.namespace)
    events = [each for each in events_of(contract.api, watched(contract), "", 1) if each[0] != "BOOKMARK"]
    assert [(kind, item["metadata"]["name"]) for kind, item in events] == [("ADDED", "a")]


def test_a_version_too_old_is_an_error_event_410_and_our_watcher_lists_again(contract: Contract) -> None:
    api, namespace = contract.api, contract.namespace
    with closing(events_of(api, Target(CONFIG_MAPS, namespace), "1", 3)) as events_since:
        first = next(events_since, ("none", {}))
    if first[0] != "ERROR":
        pytest.skip(f"this API server is so young that it still knows version 1 ({first[0]} came)")
    status = first[1]
    assert (status["kind"], status["status"], status["reason"], status["code"]) == (
        "Status", "Failure", "Expired", 410,
    )  # fmt: skip
    assert status["message"].startswith("too old resource version: 1 (")

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

    def seen(state: State) -> bool | None:
        return True if sorted(state[0] or ()) == ["a", "b"] else None

    events: list[str] = []
    for name in ("a", "b"):
        api.create(CONFIG_MAPS, config_map(name), namespace)
    with (
        Forgetful(contract.subject.kubeconfig, on_event=events.append) as forgetful,
        Watcher(forgetful, [watched(contract)]) as watcher,
    ):
        watcher.wait_for(seen, 30)
    assert events == [
        f"kubernetes: watch configmaps in namespace {namespace} ended with status 410; listing again"
    ]


def test_a_version_that_has_not_been_yet_is_refused_at_a_list(contract: Contract) -> None:
    answer = contract.raw("GET", PATH.format(contract.namespace), resourceVersion="999999999999")
    assert answer.refusal[:2] == (504, "Timeout")
    assert "Too large resource version: 999999999999, current: " in answer.body["message"]
    assert answer.body["details"]["causes"] == [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]


def test_pages_agree_with_the_first_one(contract: Contract) -> None:
    api, path = contract.api, PATH.format(contract.namespace)
    for name in ("a", "b", "c"):
        api.create(CONFIG_MAPS, config_map(name), contract.namespace)
    first = contract.raw("GET", path, limit="2", labelSelector="watched=yes").body
    api.create(CONFIG_MAPS, config_map("bb"), contract.namespace)
    token = first["metadata"]["continue"]
    rest = contract.raw("GET", path, limit="2", labelSelector="watched=yes", **{"continue": token}).body
    assert [item["metadata"]["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert version_of(rest) == version_of(first)
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"labelSelector": "a=b="}, "found '=', expected: ',' or 'end of string'"),
        ({"labelSelector": "a in b"}, "unable to parse requirement: found 'b' expected: '('"),
        ({"labelSelector": "a b"}, "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ({"fieldSelector": "spec.none=1"}, '"spec.none" is not a known field selector: only "metadata.name"'),
        ({"fieldSelector": "a"}, "invalid selector: 'a'; can't understand 'a'"),
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "nonsense"}, "continue key is not valid"),
        ({"resourceVersion": "x"}, 'strconv.ParseUint: parsing "x": invalid syntax'),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(contract: Contract, query: dict[str, str], said: str) -> None:
    answer = contract.raw("GET", PATH.format(contract.namespace), **query)
    assert answer.refusal[:2] == (400, "BadRequest")
    assert said in answer.body["message"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            {"resourceVersionMatch": "Exact"},
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"watch": "1", "sendInitialEvents": "true"},
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    ],
)
def test_options_that_do_not_go_together_are_invalid(
    contract: Contract, query: dict[str, str], said: str
) -> None:
    answer = contract.raw("GET", PATH.format(contract.namespace), **query)
    assert answer.refusal == (422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: {said}')


def test_our_client_names_what_is_wrong_with_a_selector(contract: Contract) -> None:
    with pytest.raises(ApiError, match="400") as caught:
        contract.api.list(Target(CONFIG_MAPS, contract.namespace, labels="a=b="))
    assert caught.value.status == 400
