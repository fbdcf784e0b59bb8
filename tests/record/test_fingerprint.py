"""What a session was measured on, and whether two sessions may be compared."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.record import fingerprint, levels
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.reader import read_record

from .sessions import HOSTS, write_session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Tree = dict[str, object]


def of(folder: Path) -> Mapping[str, object]:
    return levels.read(read_record(folder / "record.jsonl")).fingerprint


@pytest.fixture
def known(tmp_path: Path) -> Tree:
    """The fingerprint of a session whose record tells all that one can tell."""
    facts = {"workload": {"image": "nginx:1.22"}, "tuning": {"k11": {"rps_cpus": "ff"}}, "rack": "B7"}
    return dict(of(write_session(tmp_path, 1, facts=facts)))


def changed(tree: Tree, path: str, value: object) -> Tree:
    tree = copy.deepcopy(tree)
    *parents, last = path.split("/")
    at = tree
    for name in parents:
        at = cast("Tree", at[name])
    if value is None:
        del at[last]
    else:
        at[last] = value
    return tree


def test_a_fingerprint_has_the_testbed_the_load_and_the_bytes_and_nothing_of_one_session(known: Tree) -> None:
    assert json.loads(json.dumps(known)) == known
    assert known == {
        "testbed": "rack",
        "workload": {"image": "nginx:1.22"},
        "tuning": {"k11": {"rps_cpus": "ff"}},
        "versions": {"pytest_kubelb": "0.1.0"},
        "hosts": {
            "k11": {
                "kernel": "Linux 6.1.0 x86_64",
                "cpu": "Xeon",
                "cpus": 8,
                "nics": ["eth0 (e1000e, 1000 Mb/s)"],
                "memory_mib": 7900,
            }
        },
        "wrk": {"connections": "800", "duration_s": 60},
        "points": {
            "backend=ipvs overlay=vxlan pods=4": {
                "connections": 80,
                "threads": 1,
                "duration_s": 1,
                "bytes_per_request": 160.0,
            }
        },
        "other": {"rack": "B7"},
    }


def test_two_sessions_of_one_testbed_have_equal_fingerprints(tmp_path: Path) -> None:
    one, other = of(write_session(tmp_path, 1)), of(write_session(tmp_path, 2))
    assert one == other
    assert fingerprint.compare(one, other) == ()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("testbed", "shelf", "testbed"),
        ("hosts/k11/kernel", "Linux 6.6.0 x86_64", "kernel of k11"),
        ("hosts/k11/cpu", "EPYC", "cpu of k11"),
        ("hosts/k11/cpus", 4, "cpus of k11"),
        ("hosts/k11/nics", [], "nics of k11"),
        ("workload/image", "nginx:1.29", "workload.image"),
        ("tuning/k11/rps_cpus", "0f", "tuning.k11.rps_cpus"),
        ("wrk/connections", "80", "wrk.connections"),
        ("wrk/duration_s", 1, "wrk.duration_s"),
    ],
)
def test_a_field_that_matters_refuses_the_comparison_with_its_name_and_both_values(
    known: Tree, path: str, value: object, field: str
) -> None:
    (difference,) = fingerprint.compare(known, changed(known, path, value))
    assert difference.matters
    assert difference.field == field
    reason = fingerprint.refusal([difference])
    assert reason is not None
    assert reason.startswith(f"the baseline ran with {field} ")
    assert ", this session with " in reason
    assert str(value or "none") in reason.replace("['", "")


@pytest.mark.parametrize(
    ("path", "value"),
    [("versions/pytest_kubelb", "0.2.0"), ("hosts/k11/memory_mib", 4096), ("other/rack", "B8")],
)
def test_other_fields_are_noted_and_refuse_nothing(known: Tree, path: str, value: object) -> None:
    (difference,) = fingerprint.compare(known, changed(known, path, value))
    assert not difference.matters
    assert not difference.unknown
    assert fingerprint.refusal([difference]) is None


@pytest.mark.parametrize("path", ["hosts/k11/kernel", "workload", "wrk", "tuning/k11/rps_cpus"])
def test_what_one_side_does_not_tell_is_unknown_and_refuses_nothing(known: Tree, path: str) -> None:
    lacking = changed(known, path, None)
    assert fingerprint.compare(lacking, lacking) == ()
    for one, other in ((known, lacking), (lacking, known)):
        differences = fingerprint.compare(one, other)
        assert differences
        assert all(each.unknown for each in differences)
        assert fingerprint.refusal(differences) is None


def test_another_set_of_hosts_refuses(known: Tree) -> None:
    (difference,) = fingerprint.compare(known, changed(known, "hosts/k12", {"cpu": "Xeon"}))
    assert difference.sentence == "the baseline ran with hosts k11, this session with k11, k12"
    assert difference.matters


def test_a_point_loaded_otherwise_refuses_that_point_alone(known: Tree) -> None:
    point = "backend=ipvs overlay=vxlan pods=4"
    (difference,) = fingerprint.compare(known, changed(known, f"points/{point}/connections", 800))
    assert difference.matters
    assert difference.point == point
    assert difference.sentence == f"the baseline ran with connections 80 at {point}, this session with 800"
    assert fingerprint.refusal([difference]) is None


def test_a_point_that_one_session_lacks_is_no_difference(known: Tree) -> None:
    assert fingerprint.compare(known, changed(known, "points", None)) == ()


@pytest.mark.parametrize(("bytes_each", "differs"), [(162, False), (170, True)])
def test_the_bytes_of_a_response_may_vary_by_an_address_and_not_by_a_header(
    tmp_path: Path, bytes_each: int, *, differs: bool
) -> None:
    one = of(write_session(tmp_path, 1))
    other = of(write_session(tmp_path, 2, bytes_each=bytes_each))
    assert [each.field for each in fingerprint.compare(one, other)] == ["bytes_per_request"] * differs


def test_a_record_without_facts_of_hosts_can_be_compared(tmp_path: Path) -> None:
    known = of(write_session(tmp_path, 1))
    old = of(write_session(tmp_path, 2, hosts={"kernels": HOSTS["kernels"]}))
    assert all(each.unknown for each in fingerprint.compare(old, known))


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        (
            "wrk -c80 -t1 -d1m -s x.lua -H 'Host: kubelb.test' http://192.168.0.111:8888/",
            {"connections": 80, "threads": 1, "duration_s": 60, "host_header": "kubelb.test"},
        ),
        (
            "wrk -c 1k --threads 40 --duration=60s -H 'Accept: */*' http://10.254.0.10/",
            {"connections": 1000, "threads": 40, "duration_s": 60},
        ),
        ("", {}),
        ("wrk -c", {}),
        ("wrk 'torn", {}),
    ],
)
def test_a_wrk_command_line_tells_how_it_loaded(command: str, facts: Mapping[str, object]) -> None:
    assert fingerprint.wrk_command_facts(command) == facts


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
trees = st.dictionaries(st.sampled_from(["testbed", "hosts", "points", "wrk", "other", "x"]), json_values)


@given(trees, trees)
def test_any_two_fingerprints_compare_and_each_equals_itself(one: Tree, other: Tree) -> None:
    assert fingerprint.compare(one, one) == ()
    there, back = fingerprint.compare(one, other), fingerprint.compare(other, one)
    assert [(each.path, each.matters) for each in there] == [(each.path, each.matters) for each in back]
    assert all(each.sentence for each in there)


def test_the_sides_of_a_comparison_are_not_part_of_it() -> None:
    start = SessionStart(
        "20261123T072210Z-3f9c", "", {"testbed": "rack", "ab": {"a": {"backend": "ipvs"}}}, {}
    )
    assert fingerprint.of(start) == {"testbed": "rack"}


def test_one_name_for_two_tunings_is_a_difference_that_matters(tmp_path: Path) -> None:
    masks = ({"tuning": {"rps": {"k11": {"rps": mask}}}} for mask in ("1-7", "none"))
    before, now = (of(write_session(tmp_path, day, facts=facts)) for day, facts in enumerate(masks, 1))
    (found,) = (each for each in fingerprint.compare(before, now) if each.matters)
    assert found.field == "tuning.rps.k11.rps"
    assert "ran with tuning.rps.k11.rps 1-7" in found.sentence
