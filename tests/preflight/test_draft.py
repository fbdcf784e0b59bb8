"""The inventory that `kubelb init` writes, out of what a cluster and hosts may tell."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.errors import ConfigError, TestbedError
from pytest_kubelb.preflight import survey
from pytest_kubelb.preflight.draft import Draft, Places, write
from pytest_kubelb.preflight.survey import ClusterSurvey, HostSurvey, free_cluster_ip
from pytest_kubelb.testbed import inventory

if TYPE_CHECKING:
    from pathlib import Path

PLACES = Places("rack", "ssh_config", "kubeconfig", "kubelb@rack", {})


def node(name: str, address: str, *, control_plane: bool = False, **spec: Any) -> dict[str, Any]:
    labels = {"node-role.kubernetes.io/control-plane": ""} if control_plane else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


NODES = (
    node("k04", "10.0.0.4", control_plane=True),
    node("k05", "10.0.0.5"),
    node("k06", "10.0.0.6", unschedulable=True),
    node("k11.example.org", "10.0.0.11"),
)
TOLD = ClusterSurvey(
    NODES, "host-gw", "172.16.0.0/16", "10.96.0.0/12", frozenset({"10.96.0.1", "10.96.0.10"})
)
LOAD_BALANCER = HostSurvey("k11", {"10.0.0.11": "eno1", "10.1.0.11": "eno2"}, 8)
BENCHMARKER = HostSurvey("k12", {"10.0.0.12": "eno1"}, 16)


def loaded(folder: Path, draft: Draft) -> inventory.Inventory:
    file = folder / "kubelb.toml"
    file.write_text(draft.text)
    return inventory.load(file)


def test_what_is_told_makes_an_inventory_that_loads(tmp_path: Path) -> None:
    draft = write(PLACES, TOLD, LOAD_BALANCER, BENCHMARKER)
    found = loaded(tmp_path, draft)
    assert draft.missing == ()
    assert found.roles == inventory.Roles(("k04",), ("k05",), "k11", "k12")
    assert (found.cluster.context, found.testbed.name) == ("kubelb@rack", "rack")
    assert found.ipvs is not None
    assert found.proxy is not None
    assert (found.ipvs.vip, found.proxy.via) == ("10.0.0.11", "10.0.0.11")
    assert found.defaults == {"overlay": "host-gw", "threads": "16"}
    assert "# k12: 10.0.0.12 on eno1" in draft.text
    assert "# k06 is no worker: cordoned or tainted." in draft.text


def test_every_commented_example_is_right_when_its_mark_is_taken_away(tmp_path: Path) -> None:
    draft = write(PLACES, TOLD, LOAD_BALANCER, BENCHMARKER)
    text = re.sub(r"^# (?=(\[[a-z_.]+\]|[a-z_]+ = \S.*)$)", "", draft.text, flags=re.MULTILINE)
    file = tmp_path / "kubelb.toml"
    file.write_text(text)
    found = inventory.load(file)
    assert found.tunings["steered"].by_host["k11"].nic == "eno1"
    assert found.defaults["pods"] == "1,2,4-40/2"


def test_without_hosts_the_roles_stay_comments_that_say_how_to_ask(tmp_path: Path) -> None:
    draft = write(PLACES, TOLD, None, None)
    assert [each.partition(":")[0] for each in draft.missing] == ["load_balancer", "benchmarker", "vip"]
    assert "# fill in, name the host and ask again with `kubelb init --load-balancer HOST`:" in draft.text
    tomllib.loads(draft.text)
    with pytest.raises(ConfigError, match=r"roles.load_balancer is missing"):
        loaded(tmp_path, draft)


def test_an_address_is_proposed_only_where_the_range_and_what_is_taken_are_known() -> None:
    assert free_cluster_ip(TOLD) == "10.96.0.250"
    band = frozenset(f"10.96.0.{number}" for number in range(256))
    assert free_cluster_ip(ClusterSurvey(service_range="10.96.0.0/12", taken=band)) is None
    assert free_cluster_ip(ClusterSurvey(service_range="10.96.0.0/12")) is None
    draft = write(PLACES, ClusterSurvey(NODES), LOAD_BALANCER, BENCHMARKER)
    assert (
        "# The cluster chooses the Service's address: the range of Services could not be asked." in draft.text
    )
    assert "# fill in, flannel could not be asked: vxlan or host-gw" in draft.text


def test_hosts_are_called_as_the_ssh_config_calls_them() -> None:
    places = Places("rack", "s", "k", None, {"10.0.0.5": "five", "five": "five"})
    draft = write(places, TOLD, LOAD_BALANCER, BENCHMARKER)
    assert 'workers = ["five"]' in draft.text
    assert '[cluster.nodes]\n"five" = "k05"\n' in draft.text
    assert (
        "# The ssh_config has no Host entry for k04, k06, k11.example.org: give them one each." in draft.text
    )
    assert "# The current context is used." in draft.text


def test_names_cannot_break_out_of_the_file() -> None:
    evil = ClusterSurvey((node('a"\nb = 1', "10.0.0.5"),), None, None, None, None)
    draft = write(PLACES, evil, LOAD_BALANCER, BENCHMARKER)
    assert tomllib.loads(draft.text)["roles"]["workers"] == ['a"\nb = 1']
    assert "b" not in tomllib.loads(draft.text)["roles"]


@pytest.mark.parametrize("name", ["a\x00\x1b[2J", "a\x7f", "\ud800", "\u202e", 'a"""\n'])
def test_a_name_of_anything_leaves_the_file_one_that_loads(name: str) -> None:
    host = HostSurvey(name, {"10.0.0.11": name}, 8, name)
    odd = node(name, name)
    told = ClusterSurvey((odd, node(f"x{name}", "10.0.0.7", unschedulable=True)), name, None, None, None)
    text = write(PLACES, told, host, HostSurvey("k12", problem=name)).text
    assert text.replace("\n", "").replace("\u202e", "").isprintable()
    assert tomllib.loads(text.encode().decode())["testbed"]["name"] == "rack"


def test_a_node_that_is_none_is_a_sentence() -> None:
    odd = node("k05", "10.0.0.5") | {"spec": {"taints": ["NoSchedule"]}}
    with pytest.raises(TestbedError, match="a node cannot be read"):
        write(PLACES, ClusterSurvey((odd,)), LOAD_BALANCER, BENCHMARKER)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("10.96.0.1/12", "10.96.0.0/12"), ("10.96.0.0/33", None), ("a.b", None), ("999.0.0.0/8", None), ("", None),
    ],
)  # fmt: skip
def test_a_range_that_is_none_is_not_known(told: str, found: str | None) -> None:
    assert survey._network(told) == found


@pytest.mark.parametrize(("size", "proposed"), [(32, None), (31, None), (30, "10.96.0.2"), (29, "10.96.0.6")])
def test_a_range_of_a_few_addresses_is_proposed_from_or_not(size: int, proposed: str | None) -> None:
    assert free_cluster_ip(ClusterSurvey(service_range=f"10.96.0.0/{size}", taken=frozenset())) == proposed
