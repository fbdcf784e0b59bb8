"""The mirror of another API server: what comes late, twice or out of order; and the patches that are sent there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.patches import merge_patch
from pytest_kubelb.lab.api.remote.differences import difference
from pytest_kubelb.lab.api.remote.mirror import Mirror
from pytest_kubelb.lab.api.resources import CONFIGMAPS


def configmap(version: int, uid: str = "u1", name: str = "a", **data: str) -> KubeObject:
    return {
        "metadata": {"namespace": "bench", "name": name, "uid": uid, "resourceVersion": str(version)},
        "data": data,
    }


def watched() -> tuple[Mirror, list[tuple[str, int]]]:
    """A mirror, and what its subscribers are told."""
    mirror = Mirror()
    told: list[tuple[str, int]] = []

    def note(change: Change) -> None:
        told.append((change.kind, change.version))

    mirror.subscribe(note)
    return mirror, told


def test_the_answer_to_a_write_and_the_watch_that_brings_it_again_are_one_change() -> None:
    mirror, told = watched()
    mirror.seen(CONFIGMAPS, configmap(5))
    mirror.seen(CONFIGMAPS, configmap(5))
    mirror.seen(CONFIGMAPS, configmap(7, colour="red"))
    assert mirror.seen(CONFIGMAPS, configmap(6, colour="blue"))["data"] == {"colour": "red"}
    assert told == [("ADDED", 5), ("MODIFIED", 7)]


def test_what_we_deleted_does_not_come_back_with_what_a_watch_tells_of_before() -> None:
    mirror, told = watched()
    mirror.seen(CONFIGMAPS, configmap(5))
    mirror.deleted(CONFIGMAPS, configmap(5))
    mirror.seen(CONFIGMAPS, configmap(6))
    mirror.listed(CONFIGMAPS, [configmap(6)], 6)
    mirror.seen_deleted(CONFIGMAPS, configmap(8))
    assert mirror.all(CONFIGMAPS) == []
    assert [kind for kind, _ in told] == ["ADDED", "DELETED"]


def test_an_object_made_anew_under_the_same_name_is_the_end_of_the_old_one() -> None:
    mirror, told = watched()
    mirror.seen(CONFIGMAPS, configmap(5))
    mirror.seen(CONFIGMAPS, configmap(9, uid="u2"))
    mirror.seen_deleted(CONFIGMAPS, configmap(8))  # the old one's end, told late
    assert [kind for kind, _ in told] == ["ADDED", "DELETED", "ADDED"]
    assert mirror.by_uid("u1") is None
    assert mirror.by_uid("u2") is not None


def test_a_new_list_ends_what_it_does_not_name_but_not_what_is_younger_than_itself() -> None:
    mirror, told = watched()
    mirror.seen(CONFIGMAPS, configmap(5, uid="u1", name="a"))
    mirror.seen(CONFIGMAPS, configmap(20, uid="u2", name="b"))
    mirror.listed(CONFIGMAPS, [configmap(6, uid="u3", name="c")], 10)
    assert [obj["metadata"]["name"] for obj in mirror.all(CONFIGMAPS)] == ["b", "c"]
    assert told[-1] == ("DELETED", 10)


def test_what_a_write_will_have_made_of_an_object_holds_until_the_server_tells() -> None:
    mirror, told = watched()
    mirror.seen(CONFIGMAPS, configmap(5))
    mirror.assumed(CONFIGMAPS, configmap(5, soon="so"))
    assert mirror.get(CONFIGMAPS, "bench", "a")["data"] == {"soon": "so"}
    mirror.seen(CONFIGMAPS, configmap(6, soon="so"))
    assert told == [("ADDED", 5), ("MODIFIED", 5), ("MODIFIED", 6)]


# null means "remove" in a merge patch: an object that holds one cannot be asked for, nor does the API give any.
VALUES: Any = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@given(before=OBJECTS, after=OBJECTS)
def test_the_patch_makes_one_object_of_the_other(before: KubeObject, after: KubeObject) -> None:
    patch = difference(before, after)
    assert merge_patch(before, patch) == after
    assert (patch == {}) == (before == after)
