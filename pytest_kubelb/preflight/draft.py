"""Write an inventory out of what a cluster and hosts told. Pure: gives text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster.flannel import AS_PUBLISHED
from pytest_kubelb.cluster.refusal import as_described
from pytest_kubelb.option_values import OVERLAYS
from pytest_kubelb.preflight.room import takes
from pytest_kubelb.preflight.survey import free_cluster_ip
from pytest_kubelb.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.cluster.resources import Json
    from pytest_kubelb.preflight.survey import ClusterSurvey, HostSurvey

_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
MOST_THREADS: Final = 40
"""wrk's threads in the options' defaults; more than CPUs take turns."""


@dataclass(frozen=True)
class Places:
    """What is written as it was given."""

    name: str
    ssh_config: str
    kubeconfig: str
    context: str | None
    aliases: Mapping[str, str]
    """Name or address of a host -> its name in the ssh_config."""


@dataclass(frozen=True)
class Draft:
    """An inventory, and what is left to do about it."""

    text: str
    missing: tuple[str, ...]
    """Keys that nobody told, one sentence each."""


def write(
    places: Places, told: ClusterSurvey, load_balancer: HostSurvey | None, benchmarker: HostSurvey | None
) -> Draft:
    """Fill in the template. Raises TestbedError where the nodes are none of a cluster's."""
    with as_described("a node"):
        return _written(places, told, load_balancer, benchmarker)


def _written(
    places: Places, told: ClusterSurvey, load_balancer: HostSurvey | None, benchmarker: HostSurvey | None
) -> Draft:
    missing: list[str] = []

    def line(key: str, value: object, why: str, example: object) -> str:
        if value:
            return f"{key} = {_toml(value)}"
        missing.append(f"{key}: {why}")
        return f"# fill in, {why}:\n# {key} = {_toml(example)}"

    apart = [each for each in (load_balancer, benchmarker) if each is not None]
    control_plane, workers, others = _roles(told.nodes, apart)
    vip = next(iter(load_balancer.addresses), None) if load_balancer else None
    nic = next(iter(load_balancer.addresses.values()), None) if load_balancer else None
    unasked = "name the host and ask again with `kubelb init {}`"
    values = {
        "name": _toml(places.name),
        "ssh_config": _toml(places.ssh_config),
        "kubeconfig": _toml(places.kubeconfig),
        "context": f"context = {_toml(places.context)}"
        if places.context
        else "# The current context is used.",
        "control_plane": line(
            "control_plane", _named(control_plane, places), "no node has the control plane's label", ["k04"]
        ),
        "workers": line("workers", _named(workers, places), "no node takes pods", ["k05", "k06"]),
        "load_balancer": line(
            "load_balancer",
            load_balancer and load_balancer.name,
            unasked.format("--load-balancer HOST"),
            "k11",
        ),
        "benchmarker": line(
            "benchmarker", benchmarker and benchmarker.name, unasked.format("--benchmarker HOST"), "k12"
        ),
        "about_hosts": _comments(_about_hosts(told.nodes, others, apart, places)),
        "about_cluster": _comments(_about_cluster(told)),
        "vip": line("vip", vip, "the load balancer did not tell its addresses", "192.168.0.111"),
        "nodes": _nodes([*control_plane, *workers], places),
        "flannel": _flannel(told),
        "proxy": _proxy(free_cluster_ip(told), vip, told),
        "nic": _toml(nic or "eth0"),
        "overlay": _overlay(told),
        "threads": _threads(benchmarker),
    }
    text = files("pytest_kubelb.testbed").joinpath("template.toml").read_text(encoding="utf-8")
    return Draft(Template(text).substitute(values), tuple(missing))


def _roles(nodes: Sequence[Json], apart: Sequence[HostSurvey]) -> tuple[list[Json], list[Json], list[Json]]:
    """Give the nodes of the control plane, the workers, and those that are neither.

    A node that is the load balancer or the benchmarker, by name or address, is none of them.
    """
    names = {each.name for each in apart}
    known = {address for each in apart for address in each.addresses}
    control_plane, workers, others = [], [], []
    for node in nodes:
        if any(label in (node["metadata"].get("labels") or {}) for label in _CONTROL_PLANE):
            control_plane.append(node)
        elif node["metadata"]["name"] in names or address_of(node) in known:
            continue
        elif takes(node, {}):
            workers.append(node)
        else:
            others.append(node)
    return control_plane, workers, others


def address_of(node: Json) -> str:
    """Give a node's address inside the cluster, empty when it has none."""
    told = (node.get("status") or {}).get("addresses") or ()
    return next((str(each["address"]) for each in told if each.get("type") == "InternalIP"), "")


def _named(nodes: Sequence[Json], places: Places) -> list[str]:
    return [_alias(node, places) for node in nodes]


def _alias(node: Json, places: Places) -> str:
    name = str(node["metadata"]["name"])
    return places.aliases.get(name) or places.aliases.get(address_of(node)) or name


def _about_hosts(
    nodes: Sequence[Json], others: Sequence[Json], apart: Sequence[HostSurvey], places: Places
) -> list[str]:
    names = {host.name for host in apart}
    lines = [
        f"{node['metadata']['name']}: {address_of(node) or 'no address'}"
        for node in nodes
        if node["metadata"]["name"] not in names
    ]
    for host in apart:
        told = ", ".join(f"{address} on {nic}" for address, nic in host.addresses.items())
        lines.append(f"{host.name}: {told or f'could not be asked ({host.problem})'}")
    known = set(places.aliases.values())
    unknown = [_alias(node, places) for node in nodes if _alias(node, places) not in known]
    if unknown:
        lines.append(f"The ssh_config has no Host entry for {', '.join(unknown)}: give them one each.")
    lines += [f"{node['metadata']['name']} is no worker: cordoned or tainted." for node in others]
    return lines


def _about_cluster(told: ClusterSurvey) -> list[str]:
    ranges = {"pods": told.pod_range, "Services": told.service_range}
    lines = [
        f"The range of {what} is {found}." if found else f"The range of {what} could not be asked."
        for what, found in ranges.items()
    ]
    if not told.pod_range:
        own = [str((node.get("spec") or {}).get("podCIDR") or "") for node in told.nodes]
        lines += [f"The nodes' shares of it: {', '.join(filter(None, own))}."] if any(own) else []
    return lines


def _proxy(cluster_ip: str | None, via: str | None, told: ClusterSurvey) -> str:
    address = [
        "# The address is free now, in the part of the range that is given out by hand.",
        f"cluster_ip = {_toml(cluster_ip)}",
    ]
    if cluster_ip is None:
        unknown = "the range of Services could not be asked"
        if told.service_range is not None:
            unknown = f"which addresses of {told.service_range} are taken may not be seen"
        address = [f"# The cluster chooses the Service's address: {unknown}.", '# cluster_ip = "10.254.0.10"']
    lines = [
        "[backends.proxy]",
        *address,
        "port = 80",
        "# The load balancer's address, as the benchmarker's next hop.",
        f"via = {_toml(via or '192.168.0.111')}",
    ]
    if via is not None:
        return "\n".join(lines)
    commented = (each if each.startswith("#") else f"# {each}" for each in lines)
    return "\n".join(["# fill in, the load balancer's address was not told:", *commented])


def _flannel(told: ClusterSurvey) -> str:
    if told.flannel == AS_PUBLISHED:
        return ""
    found = told.flannel
    return (
        "# What flannel's objects are called here.\n[overlay]\n"
        f"namespace = {_toml(found.namespace)}\nconfig_map = {_toml(found.config_map)}\n"
        f"daemon_set = {_toml(found.daemon_set)}\n\n"
    )


def _nodes(nodes: Sequence[Json], places: Places) -> str:
    """Give `[cluster.nodes]` for the nodes whose host is called otherwise; nothing where there is none."""
    other = {
        _alias(node, places): str(node["metadata"]["name"])
        for node in nodes
        if _alias(node, places) != node["metadata"]["name"]
    }
    if not other:
        return ""
    lines = "".join(f"{_toml(host)} = {_toml(name)}\n" for host, name in other.items())
    return f"\n# Hosts whose node is called otherwise.\n[cluster.nodes]\n{lines}"


def _overlay(told: ClusterSurvey) -> str:
    if told.overlay in OVERLAYS:
        return f"# Flannel's backend as it is now.\noverlay = {_toml(told.overlay)}"
    why = f"flannel's backend is {_shown(told.overlay)}" if told.overlay else "flannel could not be asked"
    return f'# fill in, {why}: vxlan or host-gw\n# overlay = "vxlan"'


def _threads(benchmarker: HostSurvey | None) -> str:
    if benchmarker is None or benchmarker.cpus is None:
        return f"# fill in, the benchmarker's CPUs could not be asked:\n# threads = {MOST_THREADS}"
    return f"# One for each CPU of the benchmarker.\nthreads = {min(benchmarker.cpus, MOST_THREADS)}"


def _comments(lines: Sequence[str]) -> str:
    return "".join(f"# {_shown(line)}\n" for line in lines)


def _shown(text: str) -> str:
    return printable(" ".join(text.split()))


def _toml(value: object) -> str:
    """Give a text or a list of texts as TOML has it: the escapes of JSON are those of TOML's basic strings.

    Beyond them TOML has DEL escaped, and no half of a character.
    """
    told = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return told.encode("utf-8", "replace").decode()
