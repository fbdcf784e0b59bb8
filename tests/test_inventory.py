"""Inventories: what is read, and how each mistake is told."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_kubelb.cluster.flannel import AS_PUBLISHED, Flannel
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.settings import packaged_inventory
from pytest_kubelb.testbed.inventory import IpvsSpec, ProxySpec, load

if TYPE_CHECKING:
    from pathlib import Path

LAB = packaged_inventory().read_text()


def write(folder: Path, text: str) -> Path:
    file = folder / "kubelb.toml"
    file.write_text(text)
    return file


def test_a_load_balancer_that_others_program_has_no_scheduler_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "kubelb.toml"
    external = {"backends.ipvs.external": True}
    file.write_text(LAB)
    with pytest.raises(
        ConfigError, match=r"backends\.ipvs\.scheduler is set beside external = true: allowed is nothing"
    ):
        load(file, overrides=external)
    file.write_text(re.sub(r"^(scheduler|forwarding) = .*$", "", LAB, flags=re.MULTILINE))
    ipvs = load(file, overrides=external).ipvs
    assert ipvs is not None
    assert (ipvs.external, ipvs.vip, ipvs.port) == (True, "192.168.0.111", 8888)
    with pytest.raises(ConfigError, match=r"backends\.ipvs\.external is 'yes': allowed is true or false"):
        load(file, overrides={"backends.ipvs.external": "yes"})


def test_without_a_cluster_ip_the_cluster_chooses_it(tmp_path: Path) -> None:
    file = tmp_path / "kubelb.toml"
    file.write_text(re.sub(r"^cluster_ip = .*$", "", LAB, flags=re.MULTILINE))
    proxy = load(file).proxy
    assert proxy is not None
    assert proxy.cluster_ip is None


def test_the_packaged_inventory_is_the_seeds_testbed(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, LAB))
    assert inventory.roles.hosts == tuple(f"k{number:02d}" for number in range(4, 13))
    assert inventory.roles.load_balancer == "k11"
    assert inventory.roles.benchmarker == "k12"
    assert inventory.backends == ("ipvs", "proxy")
    assert inventory.ipvs == IpvsSpec("192.168.0.111", 8888, "rr", "masquerade")
    assert inventory.proxy == ProxySpec("10.254.0.10", 80, "192.168.0.111")
    assert inventory.defaults["connections"] == "auto:80"
    assert inventory.defaults["runs"] == "5"


def test_paths_are_relative_to_the_file_and_need_not_exist_to_be_read(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, LAB))
    assert inventory.testbed.ssh_config == tmp_path / "ssh_config"
    assert inventory.cluster.kubeconfig == tmp_path / "kubeconfig"


def test_a_value_that_is_given_beside_the_file_is_read_in_place_of_the_files(tmp_path: Path) -> None:
    file = write(tmp_path, LAB)
    inventory = load(file, overrides={"backends.ipvs.scheduler": "lc", "workload.image": "nginx:1.27"})
    assert inventory.ipvs == IpvsSpec("192.168.0.111", 8888, "lc", "masquerade")
    assert inventory.workload.image == "nginx:1.27"
    with pytest.raises(ConfigError, match=r"backends\.ipvs\.scheduler is 'turns': allowed is rr, wrr"):
        load(file, overrides={"backends.ipvs.scheduler": "turns"})
    without_section = LAB.replace('[workload]\nimage = "nginx:1.22"\nport = 80\n', "")
    with pytest.raises(ConfigError, match=r"workload is 'nginx'"):
        load(
            write(tmp_path, f"workload = 'nginx'\n{without_section}"),
            overrides={"workload.image": "nginx:1.27"},
        )


def test_what_a_cluster_calls_otherwise_is_read(tmp_path: Path) -> None:
    added = '[cluster.nodes]\nk05 = "five.example.org"\n[overlay]\nnamespace = "kube-system"\n[workload]'
    inventory = load(write(tmp_path, LAB.replace("[workload]", added)))
    assert inventory.worker_nodes[:2] == ("five.example.org", "k06")
    assert inventory.flannel == Flannel("kube-system", "kube-flannel-cfg", "kube-flannel-ds")
    assert load(write(tmp_path, LAB)).flannel == AS_PUBLISHED
    assert not inventory.cluster.create_namespace


def test_a_control_plane_that_nobody_can_log_in_to_is_an_empty_list(tmp_path: Path) -> None:
    assert '["k04"]' in LAB
    managed = LAB.replace('["k04"]', "[]", 1)
    workers = '[tuning.big.workers]\nsysctls = { "net.core.somaxconn" = "4096" }\n'
    inventory = load(write(tmp_path, f"{managed}\n{workers}"))
    assert inventory.roles.control_plane == ()
    assert inventory.roles.hosts == tuple(f"k{number:02d}" for number in range(5, 13))
    assert "k05" in inventory.tunings["big"].by_host
    tuned = workers.replace("big.workers", "big.control_plane")
    assert "k04" in load(write(tmp_path, f"{LAB}\n{tuned}")).tunings["big"].by_host
    with pytest.raises(
        ConfigError, match=r"tuning\.big\.control_plane is for no host, since roles\.control_plane is \[\]"
    ):
        load(write(tmp_path, f"{managed}\n{tuned}"))
    with pytest.raises(ConfigError, match=r"tuning\.big\.k04 is an unknown key"):
        load(write(tmp_path, f"{managed}\n{workers.replace('big.workers', 'big.k04')}"))


def test_files_that_do_not_exist_are_named_when_they_are_needed(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, LAB))
    with pytest.raises(ConfigError, match=r"testbed\.ssh_config is '.*ssh_config', which is not a file"):
        inventory.require_files()
    (tmp_path / "ssh_config").touch()
    with pytest.raises(ConfigError, match=r"cluster\.kubeconfig is '.*kubeconfig', which is not a file"):
        inventory.require_files()
    (tmp_path / "kubeconfig").touch()
    inventory.require_files()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("port = 8888", 'port = "8888"', "backends.ipvs.port is '8888': allowed is a port from 1 to 65535."),
        ("port = 8888", "port = 70000", "backends.ipvs.port is 70000: allowed is a port from 1 to 65535."),
        ("port = 8888", "port = true", "backends.ipvs.port is True: allowed is a port from 1 to 65535."),
        ("port = 8888", "", "backends.ipvs.port is missing: allowed is a port from 1 to 65535."),
        ("vip =", "vpi =", "backends.ipvs.vpi is an unknown key (did you mean vip?): allowed is vip, port,"),
        ('"rr"', '"round"', "backends.ipvs.scheduler is 'round': allowed is rr, wrr, lc,"),
        (
            'vip = "192.168.0.111"',
            'vip = "192.168.0"',
            "backends.ipvs.vip is '192.168.0': allowed is an IPv4",
        ),
        ("[roles]", "[rolls]", "rolls is an unknown key (did you mean roles?): allowed is testbed, roles,"),
        ("[backends.ipvs]", "[backends.ipv]", "backends.ipv is an unknown key (did you mean ipvs?)"),
        ("runs = 5", "rnus = 5", "defaults.rnus is an unknown key (did you mean runs?)"),
        ('"k11"', '["k11"]', "roles.load_balancer is ['k11']: allowed is the name of one host"),
        ('"k11"', '"-oProxyCommand=x"', "roles.load_balancer is '-oProxyCommand=x': allowed is the name"),
        ('"k12"', '"k11"', "roles.benchmarker is 'k11', which is also the load balancer or a worker"),
        ('["k04"]', "{}", "roles.control_plane is {}: allowed is a list of different hosts, such as"),
        (
            'control_plane = ["k04"]',
            "",
            "roles.control_plane is missing: allowed is a list of different hosts",
        ),
        ('["k04"]', '[""]', "roles.control_plane[0] is '': allowed is a list of different hosts"),
        ('"k06"', '"k05"', "which repeats a host: allowed is a list of different hosts"),
        ('"k06"', "6", "roles.workers[1] is 6: allowed is a list of different hosts"),
        ('name = "lab"', 'name = " "', "testbed.name is ' ': allowed is a name"),
        ('"kubeconfig"', '"~nobody-here/x"', "cluster.kubeconfig is '~nobody-here/x': allowed is the path"),
        (
            'namespace = "kubelb"',
            'namespace = "Kube_lb"',
            "cluster.namespace is 'Kube_lb': allowed is the name of a",
        ),
        (
            'namespace = "kubelb"',
            "create_namespace = 1",
            "cluster.create_namespace is 1: allowed is true or false",
        ),
        (
            "[workload]",
            '[cluster.nodes]\nk99 = "a"\n[workload]',
            "cluster.nodes.k99 is an unknown key (did you mean k",
        ),
        (
            "[workload]",
            '[cluster.nodes]\nk05 = "A b"\n[workload]',
            "cluster.nodes.k05 is 'A b': allowed is the name",
        ),
        (
            "[workload]",
            '[overlay]\nname = "a"\n[workload]',
            "overlay.name is an unknown key (did you mean namespace?)",
        ),
        (
            "[workload]",
            '[overlay]\nconfig_map = "-"\n[workload]',
            "overlay.config_map is '-': allowed is the name of",
        ),
        ('"nginx:1.22"', '"nginx"', "workload.image is 'nginx': allowed is an image with a tag or a digest"),
        ('[testbed]\nname = "lab"', "testbed = 1\n[x]", "x is an unknown key"),
    ],
)
def test_a_mistake_is_told_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in LAB
    file = write(tmp_path, LAB.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not valid TOML in UTF-8 \(.*line 2"):
        load(write(tmp_path, "[testbed]\nname = \n"))


@pytest.mark.parametrize(
    "number", [f"0x{'f' * 5000}", "9223372036854775808", "[1, {a = -9223372036854775809}]"]
)
def test_a_number_that_toml_does_not_have_is_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(ConfigError, match="a whole number has more than 64 bits"):
        load(write(tmp_path, f"[limits]\nfairness = {number}\n"))


def test_an_inventory_without_a_backend_is_refused(tmp_path: Path) -> None:
    text = re.sub(r"\[backends\.ipvs\].*?(?=# What)", "[backends]\n", LAB, flags=re.DOTALL)
    with pytest.raises(ConfigError, match="backends is empty: allowed is one section for each backend"):
        load(write(tmp_path, text))


def test_a_missing_file_and_a_folder_are_not_inventories(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="is not a file: name an inventory in TOML"):
            load(path)


def test_sections_of_plugged_in_backends_are_passed_on_as_they_are(tmp_path: Path) -> None:
    text = LAB.replace("[backends.proxy]", "[backends.envoy]\nlisteners = [1, 2]\n\n[backends.proxy]")
    inventory = load(write(tmp_path, text), plugged_in=("envoy",))
    assert inventory.backends == ("ipvs", "envoy", "proxy")
    assert inventory.other_backends == {"envoy": {"listeners": [1, 2]}}


def toml(value: object) -> str:
    """Give the TOML of a value: JSON's, but for tables, the outermost of which has a line for each key."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


_values = st.recursive(
    st.none().map(lambda _: "text") | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_sections = ("testbed", "roles", "cluster", "workload", "backends", "defaults")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused_with_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    table = tomllib.loads(LAB)
    section = data.draw(st.sampled_from(_sections))
    key = data.draw(st.sampled_from(list(table[section])) | st.text(max_size=5))
    table[section][key] = data.draw(_values)
    try:
        load(write(tmp_path, "".join(f"{name} = {toml(value)}\n" for name, value in table.items())))
    except ConfigError as error:
        sentence = str(error)
    else:
        return
    assert sentence.endswith(".")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "kubelb.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(str(file))):
        load(file)
