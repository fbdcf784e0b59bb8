"""Tuning profiles: the sections `[tuning.NAME.ROLE]` of an inventory, and the ready ones. Pure: touches nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pytest_kubelb.tuning import cpuset
from pytest_kubelb.tuning.knobs import FlowTables, Knobs, Spread, knobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.testbed.inventory import Roles
    from pytest_kubelb.testbed.section import Section

NONE: Final = "none"
"""The profile that changes nothing; no inventory can define it otherwise."""
ROLES: Final = ("load_balancer", "benchmarker", "workers", "control_plane")

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_TO_CPU_0 = Spread(cpuset.parse("0"), in_turn=True)

READY: Final[dict[str, Knobs]] = {
    # What the seed's measurements were made with: all interrupts on CPU 0, RPS mask fe, RFS 32768/8192.
    "seed": Knobs(
        irqbalance=False,
        rss=_TO_CPU_0,
        rps=Spread(cpuset.parse("fe")),
        rfs=FlowTables(32768, 8192),
    ),
    "rss": Knobs(irqbalance=False, rss=Spread(cpuset.parse("all"), in_turn=True), rps=Spread(cpuset.parse("none"))),
    "rps": Knobs(irqbalance=False, rss=_TO_CPU_0, rps=Spread(cpuset.parse("1-"))),
    "rfs": Knobs(
        irqbalance=False, rss=_TO_CPU_0, rps=Spread(cpuset.parse("1-")), rfs=FlowTables(32768, None)
    ),
}  # fmt: skip
"""Profiles that need no inventory: they tune the load balancer. Only `seed` names CPUs that a host may not have."""


@dataclass(frozen=True)
class Profile:
    """One named profile."""

    name: str
    by_host: Mapping[str, Knobs] = field(default_factory=dict)
    """Host -> its knobs; hosts that are not named are left as they are."""


def profiles(section: Section, roles: Roles) -> dict[str, Profile]:
    """Give `none`, every profile of the inventory's `[tuning]`, and the ready ones that it does not define.

    A section is for a role or for a host by its name; the keys of the host's own section win over the role's. Raises
    ConfigError with file, key, value, what is allowed, and the nearest known name.
    """
    found = {NONE: Profile(NONE)}
    for name in section.table:
        if not _NAME.fullmatch(name) or name == NONE:
            raise section.error(
                name,
                "is not the name of a profile",
                "lower-case letters, digits and dashes; none is always the one that changes nothing",
            )
        found[name] = _profile(name, section.section(name), roles)
    for name, ready in READY.items():
        found.setdefault(name, Profile(name, {roles.load_balancer: ready}))
    return found


def _profile(name: str, section: Section, roles: Roles) -> Profile:
    members = {
        "load_balancer": (roles.load_balancer,),
        "benchmarker": (roles.benchmarker,),
        "workers": roles.workers,
        "control_plane": roles.control_plane,
    }
    section.allow(*dict.fromkeys((*ROLES, *roles.hosts)))
    by_host: dict[str, Knobs] = {}
    origin: dict[str, Section] = {}
    for role in ROLES:
        if role not in section.table:
            continue
        given = section.section(role)
        for host in members[role]:
            if host in by_host:
                raise section.error(
                    role,
                    f"and {origin[host].name} are both for host {host!r}",
                    f"one of them, or a section for the host itself, [{section.name}.{host}]",
                )
            by_host[host], origin[host] = knobs(given), given
    for host in section.table:
        if host in ROLES:
            continue
        own = section.section(host)
        by_host[host] = knobs(own)
        if host in origin:
            by_host[host] = knobs(replace(own, table={**origin[host].table, **own.table}))
    return Profile(name, by_host)
