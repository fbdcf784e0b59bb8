"""Read an inventory (TOML) into frozen dataclasses. Reads the one file it is given, nothing else.

Every error is a ConfigError that names the file, the key, the value and what is allowed; an unknown key is an
error with the nearest known one. Paths in the file are relative to the file. The packaged inventory of the
embedded lab names files that do not exist before the lab is up, so their existence is asked for separately.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb import bounded
from pytest_kubelb.cluster.flannel import AS_PUBLISHED, Flannel
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.evidence.limits import Limits, parse_limits
from pytest_kubelb.option_values import plain_text
from pytest_kubelb.options import BY_KEY
from pytest_kubelb.testbed.section import Section
from pytest_kubelb.testbed.workload_spec import WorkloadSpec, parse_workload
from pytest_kubelb.tuning.profile import Profile, profiles

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LARGEST = 1 << 20
"""Bytes of an inventory that is read."""
BUILT_IN_BACKENDS = ("ipvs", "proxy")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
FORWARDINGS = ("masquerade",)
EVIDENCE_ROLES = ("benchmarker", "load_balancer", "workers")


@dataclass(frozen=True)
class Testbed:
    """Section `[testbed]`: what the testbed is called and how its hosts are reached."""

    __test__ = False  # the name begins with Test: pytest must not collect it

    name: str
    ssh_config: Path
    """User, port, key, ProxyJump, ProxyCommand and known hosts of every host come from this file."""


@dataclass(frozen=True)
class Roles:
    """Section `[roles]`: host names as ssh_config knows them."""

    control_plane: tuple[str, ...]
    """Only tuning profiles log in there; empty where nobody can, as in a managed cluster."""
    workers: tuple[str, ...]
    load_balancer: str
    benchmarker: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host once, in the order of the roles."""
        return tuple(
            dict.fromkeys((*self.control_plane, *self.workers, self.load_balancer, self.benchmarker))
        )


@dataclass(frozen=True)
class Cluster:
    """Section `[cluster]`: where the Kubernetes API is, and the one namespace that is used."""

    kubeconfig: Path
    context: str | None
    """None is the kubeconfig's current context."""
    namespace: str
    create_namespace: bool = False
    """Whether a session makes the namespace where it is not there; it stays, as the lock in it does."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Section `[cluster.nodes]`: host -> the name of its node, for those that are not called the same."""


@dataclass(frozen=True)
class IpvsSpec:
    """Section `[backends.ipvs]`: the virtual server on the load balancer."""

    vip: str
    port: int
    scheduler: str
    forwarding: str
    external: bool = False
    """Somebody else programs it: it is measured as it is, and nothing is written there."""


@dataclass(frozen=True)
class ProxySpec:
    """Section `[backends.proxy]`: the Service, and the address through which the benchmarker reaches it."""

    cluster_ip: str | None
    """None lets the cluster choose one: it is known once the Service is deployed."""
    port: int
    via: str


@dataclass(frozen=True)
class Inventory:
    """One testbed, as its file describes it. All paths are absolute."""

    file: Path
    testbed: Testbed
    roles: Roles
    cluster: Cluster
    workload: WorkloadSpec
    flannel: Flannel
    """Section `[overlay]`: what flannel's objects are called."""
    backends: tuple[str, ...]
    """The names of the `[backends.*]` sections, in the order of the file; never empty."""
    ipvs: IpvsSpec | None
    proxy: ProxySpec | None
    other_backends: Mapping[str, Mapping[str, object]]
    """The sections of backends that another plugin brings, as they stand in the file."""
    tunings: Mapping[str, Profile]
    """Every tuning profile by name: those of `[tuning.*]`, and the ready ones that they do not replace."""
    limits: Limits
    """Section `[limits]`: at which value a signal of the evidence counts."""
    evidence: tuple[str, ...]
    """Section `[evidence]`: the roles whose hosts are read around every run; empty reads none."""
    defaults: Mapping[str, str]
    """Section `[defaults]`: option key (underscores) -> text, to be read by the option's own parser."""

    @property
    def worker_nodes(self) -> tuple[str, ...]:
        """The nodes that take the pods, as the cluster calls them."""
        return tuple(self.cluster.nodes.get(host, host) for host in self.roles.workers)

    def require_files(self) -> None:
        """Raise ConfigError when the ssh_config or the kubeconfig is not there."""
        for key, path in (
            ("testbed.ssh_config", self.testbed.ssh_config),
            ("cluster.kubeconfig", self.cluster.kubeconfig),
        ):
            if not path.is_file():
                raise ConfigError(
                    f"{self.file}: {key} is '{path}', which is not a file: "
                    "name an existing one, relative to the inventory or absolute."
                )


def load(
    file: Path, *, plugged_in: Collection[str] = (), overrides: Mapping[str, object] | None = None
) -> Inventory:
    """Read the inventory `file`.

    `plugged_in` names backends that other plugins bring: their sections are passed on as they are. `overrides` are
    read in place of what the file says: `backends.ipvs.scheduler` -> value.
    Raises ConfigError naming file, key, value and what is allowed.
    """
    file = Path(file).absolute()
    try:
        if not file.is_file():
            raise ConfigError(f"{file}: is not a file: name an inventory in TOML.")
        table = tomllib.loads(bounded.read_bytes(file, LARGEST).decode("utf-8"))
        _check_numbers(table)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}): name a readable inventory.") from error
    except (ValueError, RecursionError) as error:
        reason = str(error).rstrip(".")
        raise ConfigError(f"{file}: is not valid TOML in UTF-8 ({reason}): correct it there.") from error
    for path, value in (overrides or {}).items():
        _put(table, path, value)
    root = Section(file, "", table)
    root.allow(
        "testbed",
        "roles",
        "cluster",
        "workload",
        "overlay",
        "backends",
        "tuning",
        "evidence",
        "limits",
        "defaults",
    )
    backends = root.section("backends")
    backends.allow(*dict.fromkeys((*BUILT_IN_BACKENDS, *plugged_in)))
    if not backends.table:
        raise backends.error("", "is empty", "one section for each backend, as in [backends.ipvs]")
    roles = _roles(root.section("roles"))
    return Inventory(
        file=file,
        testbed=_testbed(root.section("testbed")),
        roles=roles,
        cluster=_cluster(root.section("cluster"), roles),
        workload=parse_workload(root.section("workload")),
        flannel=_flannel(root.section("overlay", required=False)),
        backends=tuple(backends.table),
        ipvs=_ipvs(backends.section("ipvs")) if "ipvs" in backends.table else None,
        proxy=_proxy(backends.section("proxy")) if "proxy" in backends.table else None,
        other_backends={
            name: backends.section(name).table for name in backends.table if name not in BUILT_IN_BACKENDS
        },
        tunings=_tunings(root.section("tuning", required=False), roles),
        limits=parse_limits(root.section("limits", required=False)),
        evidence=_evidence(root.section("evidence", required=False)),
        defaults=_defaults(root.section("defaults", required=False)),
    )


def _check_numbers(value: object) -> None:
    """Raise ValueError for a whole number that TOML does not have; Python reads it, and may not be able to show it."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _check_numbers(each)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number has more than 64 bits")


def _put(table: dict[str, object], path: str, value: object) -> None:
    *sections, key = path.split(".")
    for name in sections:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):  # the file has a value where a section belongs, which is said later
            return
        table = inner
    table[key] = value


def _testbed(section: Section) -> Testbed:
    section.allow("name", "ssh_config")
    return Testbed(
        name=section.text("name", 'a name, such as "rack-4"'), ssh_config=section.path("ssh_config")
    )


def _roles(section: Section) -> Roles:
    section.allow("control_plane", "workers", "load_balancer", "benchmarker")
    roles = Roles(
        control_plane=()
        if section.table.get("control_plane") == []
        else section.hosts(
            "control_plane",
            'a list of different hosts, such as ["k04"], or [] where nobody can log in to it',
        ),
        workers=section.hosts("workers", 'a list of different hosts, such as ["k05", "k06"]'),
        load_balancer=section.host("load_balancer"),
        benchmarker=section.host("benchmarker"),
    )
    if roles.benchmarker in (roles.load_balancer, *roles.workers):
        raise section.error(
            "benchmarker",
            f"is {roles.benchmarker!r}, which is also the load balancer or a worker",
            "a host of its own, or the load would be measured with it",
        )
    return roles


def _cluster(section: Section, roles: Roles) -> Cluster:
    section.allow("kubeconfig", "context", "namespace", "create_namespace", "nodes")
    has_context = "context" in section.table
    return Cluster(
        kubeconfig=section.path("kubeconfig"),
        context=section.text("context", "a context of the kubeconfig") if has_context else None,
        namespace=section.dns_label("namespace", 'the name of a namespace, such as "kubelb"', "kubelb"),
        create_namespace=section.boolean("create_namespace", default=False),
        nodes=_nodes(section.section("nodes", required=False), roles),
    )


def _nodes(section: Section, roles: Roles) -> dict[str, str]:
    section.allow(*roles.hosts)
    return {
        host: section.dns_name(host, "the name of a node, as `kubectl get nodes` lists it")
        for host in section.table
    }


def _flannel(section: Section) -> Flannel:
    section.allow("namespace", "config_map", "daemon_set")
    return Flannel(
        namespace=section.dns_label("namespace", "the namespace of flannel", AS_PUBLISHED.namespace),
        config_map=section.dns_name("config_map", "the name of flannel's ConfigMap", AS_PUBLISHED.config_map),
        daemon_set=section.dns_name("daemon_set", "the name of flannel's DaemonSet", AS_PUBLISHED.daemon_set),
    )


def _ipvs(section: Section) -> IpvsSpec:
    section.allow("vip", "port", "scheduler", "forwarding", "external")
    external = section.boolean("external", default=False)
    for key in ("scheduler", "forwarding"):
        if external and key in section.table:
            raise section.error(key, "is set beside external = true", "nothing: who programs it decides that")
    return IpvsSpec(
        vip=section.ipv4("vip"),
        port=section.port("port"),
        scheduler=section.word("scheduler", SCHEDULERS, "rr"),
        forwarding=section.word("forwarding", FORWARDINGS, "masquerade"),
        external=external,
    )


def _proxy(section: Section) -> ProxySpec:
    section.allow("cluster_ip", "port", "via")
    return ProxySpec(
        cluster_ip=section.ipv4("cluster_ip") if "cluster_ip" in section.table else None,
        port=section.port("port"),
        via=section.ipv4("via"),
    )


def _tunings(section: Section, roles: Roles) -> dict[str, Profile]:
    found = profiles(section, roles)
    for name in section.table:
        own = section.section(name)
        if not roles.control_plane and "control_plane" in own.table:
            raise own.error(
                "control_plane",
                "is for no host, since roles.control_plane is []",
                "a section for a role that has hosts, or one for a host that roles names",
            )
    return found


def _evidence(section: Section) -> tuple[str, ...]:
    section.allow("roles")
    if "roles" not in section.table:
        return EVIDENCE_ROLES
    allowed = f"a list of {', '.join(EVIDENCE_ROLES)}, each once; an empty one reads no host"
    roles = section.table["roles"]
    if (
        not isinstance(roles, list)
        or any(role not in EVIDENCE_ROLES for role in roles)
        or len(set(roles)) < len(roles)
    ):
        raise section.error("roles", f"is {roles!r}", allowed)
    return tuple(roles)


def _defaults(section: Section) -> dict[str, str]:
    allowed = tuple(option.key for option in BY_KEY.values() if option.in_inventory)
    section.allow(*allowed)
    return {key: plain_text(value) for key, value in section.table.items()}
