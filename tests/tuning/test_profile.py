"""Tuning profiles as an inventory has them."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.testbed.inventory import Roles
from pytest_kubelb.testbed.section import Section
from pytest_kubelb.tuning.knobs import FlowTables
from pytest_kubelb.tuning.profile import Profile, profiles

ROLES = Roles(("k04",), ("k05", "k06"), "k11", "k12")
EVERYTHING = """
[all.load_balancer]
required = true
nic = "eth0"
rss = "1-4"
rps = { "rx-0" = "fe", "rx-1" = "none" }
rfs = { sock_flow_entries = 32768, flow_cnt = 8192 }
xps = "in turn"
channels = { combined = 4 }
rings = { rx = 4096, tx = 4096 }
coalesce = { rx-usecs = 30, adaptive-rx = false }
irqbalance = false
governor = "performance"
turbo = false
sysctls = { "net.core.netdev_budget" = 600, "net.ipv4.tcp_rmem" = "4096  131072 6291456" }
conntrack_max = 262144
conntrack_hashsize = 65536
"""


def read(text: str) -> dict[str, Profile]:
    return profiles(Section(Path("kubelb.toml"), "tuning", tomllib.loads(text)), ROLES)


def test_every_knob_is_read() -> None:
    knobs = read(EVERYTHING)["all"].by_host["k11"]
    assert knobs.required
    assert knobs.needs_nic
    assert knobs.rss is not None
    assert knobs.rss.in_turn
    assert knobs.rps is not None
    assert {queue: cpus.cpus for queue, cpus in knobs.rps.by_queue.items()} == {
        "rx-0": frozenset(range(1, 8)),
        "rx-1": frozenset(),
    }
    assert knobs.rfs == FlowTables(32768, 8192)
    assert knobs.xps is not None
    assert knobs.xps.in_turn
    assert knobs.coalesce == {"rx-usecs": "30", "adaptive-rx": "off"}
    assert knobs.sysctls == {"net.core.netdev_budget": "600", "net.ipv4.tcp_rmem": "4096 131072 6291456"}


def test_none_and_the_ready_profiles_are_always_there() -> None:
    found = read("")
    assert list(found) == ["none", "seed", "rss", "rps", "rfs"]
    assert not found["none"].by_host
    assert list(found["seed"].by_host) == ["k11"]
    assert not any(knobs.required for profile in found.values() for knobs in profile.by_host.values())


def test_the_inventory_replaces_a_ready_profile() -> None:
    found = read("[rps.benchmarker]\nrps = 'all'\n")["rps"]
    assert list(found.by_host) == ["k12"]


def test_a_role_is_all_its_hosts_and_a_host_s_own_keys_win() -> None:
    found = read(
        "[p.workers]\nrps = '1'\nirqbalance = false\nrequired = true\n[p.k06]\nrps = '0'\nrequired = false\n"
    )
    by_host = found["p"].by_host
    assert list(by_host) == ["k05", "k06"]
    assert by_host["k05"].rps is not None
    assert by_host["k06"].rps is not None
    assert (by_host["k05"].rps.cpus, by_host["k06"].rps.cpus) != (None, None)
    assert by_host["k06"].rps.cpus is not None
    assert by_host["k06"].rps.cpus.text == "0"
    assert by_host["k06"].irqbalance is False
    assert (by_host["k05"].required, by_host["k06"].required) == (True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[p.loadbalancer]\n", r"tuning\.p\.loadbalancer is an unknown key \(did you mean load_balancer\?\)"),
        ("[p.k13]\n", "tuning.p.k13 is an unknown key"),
        ("[P.k11]\n", "tuning.P is not the name of a profile"),
        ("[none.k11]\n", "tuning.none is not the name of a profile"),
        ("[p.k11]\nirqbalanc = 1\n", r"did you mean irqbalance\?"),
        ("[p.k11]\nrps = 'fz'\n", "tuning.p.k11.rps is 'fz': allowed is a list of CPUs"),
        ("[p.k11]\nrps = 12\n", "tuning.p.k11.rps is 12: allowed is a list of CPUs"),
        ("[p.k11]\nrss = 'none'\n", "at least one CPU for every interrupt"),
        ("[p.k11]\nrps = {}\n", "tuning.p.k11.rps is empty"),
        ("[p.k11]\nrps = { 'rx 0' = '1' }\n", "is no queue"),
        ("[p.k11]\nrfs = { sock_flow_entries = -1 }\n", "a whole number from 0 to"),
        ("[p.k11]\nchannels = { combined = true }\n", "tuning.p.k11.channels.combined is True"),
        ("[p.k11]\ncoalesce = { adaptive-rx = 1 }\n", "true or false"),
        ("[p.k11]\nnic = '../../x'\n", 'the name of a NIC, such as "eth0"'),
        ("[p.k11]\nnic = '..'\n", 'the name of a NIC, such as "eth0"'),
        ("[p.k11]\ngovernor = 'x; reboot'\n", "a cpufreq governor"),
        ("[p.k11]\nsysctls = { '../x' = 1 }\n", "is no sysctl"),
        (
            "[p.k11]\nsysctls = { 'net.core.rps_sock_flow_entries' = 1 }\n",
            "a knob of its own: allowed is the key rfs",
        ),
        ("[p.k11]\nsysctls = { 'net.core.x' = \"a\\u0007\" }\n", "a whole number, or a line of text"),
        ("[p.k11]\nconntrack_max = 0\n", "tuning.p.k11.conntrack_max is 0"),
    ],
)
def test_a_mistake_names_file_key_value_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^kubelb\.toml: tuning.*: allowed is ") as caught:
        read(text)
    assert caught.match(said)


def test_two_roles_of_one_host_have_to_agree_by_a_section_of_its_own() -> None:
    both = Roles(("k05",), ("k05",), "k11", "k12")
    section = Section(
        Path("kubelb.toml"), "tuning", {"p": {"workers": {"rps": "1"}, "control_plane": {"rps": "0"}}}
    )
    with pytest.raises(
        ConfigError, match=r"tuning\.p\.control_plane and tuning\.p\.workers are both for host 'k05'"
    ):
        profiles(section, both)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.sampled_from(["rss", "rps", "rfs", "xps", "nic", "channels", "coalesce", "sysctls", "governor", "x"]),
    VALUES,
)
def test_any_value_of_any_key_is_a_profile_or_a_config_error(key: str, value: object) -> None:
    with suppress(ConfigError):
        profiles(Section(Path("kubelb.toml"), "tuning", {"p": {"k11": {key: value}}}), ROLES)


def test_the_rule_of_cpu_sets_is_told_once() -> None:
    with pytest.raises(ConfigError) as error:
        read('[p.k11]\nrps = "1-7,"')
    assert str(error.value).count("a list of CPUs") == 1
    assert "rps is '1-7,': allowed is a list of CPUs" in str(error.value)


def test_a_profile_is_recorded_by_the_cpus_it_means_and_not_by_how_they_are_written() -> None:
    as_list = read('[p.k11]\nrps = "1-7"\nrfs = { sock_flow_entries = 32768 }\nirqbalance = false')[
        "p"
    ].by_host["k11"]
    as_mask = read('[p.k11]\nrps = "fe"\nrfs = { sock_flow_entries = 32768 }\nirqbalance = false')[
        "p"
    ].by_host["k11"]
    other = read('[p.k11]\nrps = "1-"\nrfs = { sock_flow_entries = 32768 }\nirqbalance = false')["p"].by_host[
        "k11"
    ]
    assert as_list.to_json() == as_mask.to_json() != other.to_json()
    assert as_list.to_json() == {
        "rps": "1-7",
        "rfs": {"sock_flow_entries": 32768, "flow_cnt": None},
        "irqbalance": False,
    }


def test_queues_in_turn_and_by_name_are_recorded_apart() -> None:
    knobs = read('[p.k11]\nrss = "0-1"\nrps = { "rx-0" = "2", "rx-1" = "none" }')["p"].by_host["k11"]
    assert knobs.to_json() == {"rss": "0-1 in turn", "rps": {"rx-0": "2", "rx-1": "none"}}
