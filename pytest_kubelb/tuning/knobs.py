"""The knobs of one host in a profile, read from a `[tuning.NAME.ROLE]` section. Pure: touches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_kubelb.tuning import cpuset
from pytest_kubelb.tuning.places import NIC, SYSCTL_NAME, SYSCTL_VALUE

if TYPE_CHECKING:
    from pytest_kubelb.testbed.section import Section
    from pytest_kubelb.tuning.cpuset import CpuSet

CHANNELS: Final = ("rx", "tx", "combined", "other")
"""Words of `ethtool -L`."""
RINGS: Final = ("rx", "rx-mini", "rx-jumbo", "tx")
"""Words of `ethtool -G`."""
COALESCE: Final = (
    "adaptive-rx", "adaptive-tx", "rx-usecs", "rx-frames", "rx-usecs-irq", "rx-frames-irq", "tx-usecs", "tx-frames",
    "tx-usecs-irq", "tx-frames-irq", "stats-block-usecs", "pkt-rate-low", "rx-usecs-low", "rx-frames-low",
    "tx-usecs-low", "tx-frames-low", "pkt-rate-high", "rx-usecs-high", "rx-frames-high", "tx-usecs-high",
    "tx-frames-high", "sample-interval",
)  # fmt: skip
"""Words of `ethtool -C`."""
OWN_KNOBS: Final = {
    "net.core.rps_sock_flow_entries": "rfs",
    "net.netfilter.nf_conntrack_max": "conntrack_max",
    "net.nf_conntrack_max": "conntrack_max",
    "net.netfilter.nf_conntrack_buckets": "conntrack_hashsize",
}
"""Sysctls that have a knob of their own."""
KEYS: Final = (
    "required", "nic", "rss", "rps", "rfs", "xps", "channels", "rings", "coalesce", "irqbalance", "governor", "turbo",
    "sysctls", "conntrack_max", "conntrack_hashsize",
)  # fmt: skip
IN_TURN: Final = "in turn"

_MOST = 2**31 - 1
_T = TypeVar("_T")
_QUEUE = re.compile(r"[!-~]{1,64}")
_GOVERNOR = re.compile(r"[a-z_]{1,15}")


@dataclass(frozen=True)
class Spread:
    """Which CPUs serve which queues."""

    cpus: CpuSet | None = None
    """For every queue; None where `by_queue` names them."""
    in_turn: bool = False
    """One CPU of the set to each queue in turn, and not the whole set to every queue."""
    by_queue: Mapping[str, CpuSet] = field(default_factory=dict)
    """Queue, or the name of its interrupt, -> its CPUs; queues that are not named stay as they are."""


@dataclass(frozen=True)
class FlowTables:
    """Receive flow steering: sizes of the tables, which the kernel rounds up to powers of two."""

    sock_flow_entries: int
    flow_cnt: int | None
    """For each rx queue; None is `sock_flow_entries` divided by the number of queues, as the kernel's manual has it."""


@dataclass(frozen=True)
class Knobs:
    """What a profile sets on one host; None and empty leave a knob as it is found."""

    required: bool = False
    """A knob that the host cannot do is an error, not a remark."""
    nic: str | None = None
    """None is the NIC towards the other hosts of the testbed."""
    rss: Spread | None = None
    rps: Spread | None = None
    rfs: FlowTables | None = None
    xps: Spread | None = None
    channels: Mapping[str, int] = field(default_factory=dict)
    rings: Mapping[str, int] = field(default_factory=dict)
    coalesce: Mapping[str, str] = field(default_factory=dict)
    """`rx-usecs` -> a number, `adaptive-rx` -> on or off."""
    irqbalance: bool | None = None
    governor: str | None = None
    turbo: bool | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    conntrack_max: int | None = None
    conntrack_hashsize: int | None = None
    """Buckets of the table; without it the kernel's chains grow with `conntrack_max`."""

    def to_json(self) -> dict[str, object]:
        """Give what is asked for as JSON values, CPU sets as lists of CPUs; what is left as it is found is left out."""
        given = {name: getattr(self, name) for name in KEYS if name != "required"}
        return {name: _plain(value) for name, value in given.items() if value not in (None, {})}

    @property
    def needs_nic(self) -> bool:
        """Any of the knobs is one of a NIC."""
        return any((self.rss, self.rps, self.rfs, self.xps, self.channels, self.rings, self.coalesce))


def knobs(section: Section) -> Knobs:
    """Read one section. Raises ConfigError with file, key, value, what is allowed, and the nearest known key."""
    section.allow(*KEYS)

    def given(key: str, read: Callable[[], _T]) -> _T | None:
        return read() if key in section.table else None

    return Knobs(
        required=section.boolean("required", default=False),
        nic=given("nic", lambda: _matching(section, "nic", NIC, 'the name of a NIC, such as "eth0"')),
        rss=given("rss", lambda: _rss(section)),
        rps=given("rps", lambda: _spread(section, "rps")),
        rfs=given("rfs", lambda: _flow_tables(section.section("rfs"))),
        xps=given("xps", lambda: _spread(section, "xps")),
        channels=_sizes(section, "channels", CHANNELS),
        rings=_sizes(section, "rings", RINGS),
        coalesce=_coalesce(section.section("coalesce", required=False)),
        irqbalance=given("irqbalance", lambda: section.boolean("irqbalance")),
        governor=given("governor", lambda: _matching(section, "governor", _GOVERNOR, "a cpufreq governor")),
        turbo=given("turbo", lambda: section.boolean("turbo")),
        sysctls=_sysctls(section.section("sysctls", required=False)),
        conntrack_max=given("conntrack_max", lambda: section.integer("conntrack_max", 1, _MOST)),
        conntrack_hashsize=given(
            "conntrack_hashsize", lambda: section.integer("conntrack_hashsize", 1, _MOST)
        ),
    )


def _plain(value: object) -> object:
    match value:
        case Spread():
            if value.by_queue:
                return {queue: str(cpus) for queue, cpus in sorted(value.by_queue.items())}
            return f"{value.cpus} in turn" if value.in_turn else str(value.cpus)
        case FlowTables():
            return dict(vars(value))
        case Mapping():
            return dict(sorted(value.items()))
    return value


def _matching(section: Section, key: str, pattern: re.Pattern[str], allowed: str) -> str:
    value = section.text(key, allowed)
    if not pattern.fullmatch(value):
        raise section.error(key, f"is {value!r}", allowed)
    return value


def _cpus(section: Section, key: str, value: object, *more: str) -> CpuSet:
    allowed = ", ".join((cpuset.ALLOWED, *more, 'or a table of queues, such as { "rx-0" = "1-7" }'))
    if not isinstance(value, str):
        raise section.error(key, f"is {value!r}", allowed)
    try:
        return cpuset.parse(value)
    except ValueError as error:
        because = "" if cpuset.ALLOWED in str(error) else f" ({error})"  # the rule is told once
        raise section.error(key, f"is {value!r}{because}", allowed) from error


def _spread(section: Section, key: str) -> Spread:
    value = section.table[key]
    if isinstance(value, Mapping):
        queues = section.section(key)
        if not queues.table:
            raise section.error(key, "is empty", 'queues and their CPUs, such as { "rx-0" = "1-7" }')
        for queue in queues.table:
            if not _QUEUE.fullmatch(queue):
                raise queues.error(repr(queue), "is no queue", "a name without blanks, such as rx-0")
        return Spread(by_queue={queue: _cpus(queues, queue, each) for queue, each in queues.table.items()})
    if value == IN_TURN:
        return Spread(cpuset.parse("all"), in_turn=True)
    return Spread(_cpus(section, key, value, f'"{IN_TURN}"'))


def _rss(section: Section) -> Spread:
    spread = _spread(section, "rss")
    sets = spread.by_queue.values() if spread.cpus is None else (spread.cpus,)
    if any(not each.cpus and each.onwards is None for each in sets):
        raise section.error("rss", f"is {section.table['rss']!r}", "at least one CPU for every interrupt")
    return Spread(spread.cpus, in_turn=spread.cpus is not None, by_queue=spread.by_queue)


def _flow_tables(section: Section) -> FlowTables:
    section.allow("sock_flow_entries", "flow_cnt")
    return FlowTables(
        section.integer("sock_flow_entries", 0, 2**29),
        section.integer("flow_cnt", 0, 2**29) if "flow_cnt" in section.table else None,
    )


def _sizes(section: Section, key: str, words: tuple[str, ...]) -> dict[str, int]:
    table = section.section(key, required=False)
    table.allow(*words)
    return {word: table.integer(word, 0, 2**20) for word in table.table}


def _coalesce(section: Section) -> dict[str, str]:
    section.allow(*COALESCE)
    return {
        word: ("on" if section.boolean(word) else "off")
        if word.startswith("adaptive-")
        else str(section.integer(word, 0, _MOST))
        for word in section.table
    }


def _sysctls(section: Section) -> dict[str, str]:
    read: dict[str, str] = {}
    for name, value in section.table.items():
        if not SYSCTL_NAME.fullmatch(name):
            raise section.error(
                repr(name), "is no sysctl", "a name with dots, such as net.core.netdev_budget"
            )
        if name.replace("/", ".") in OWN_KNOBS:
            knob = OWN_KNOBS[name.replace("/", ".")]
            raise section.error(name, "has a knob of its own", f"the key {knob} of the section above")
        allowed = "a whole number, or a line of text of at most 1000 characters"
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise section.error(name, f"is {value!r}", allowed)
        text = " ".join(str(value).split())
        if not SYSCTL_VALUE.fullmatch(text) or len(text) > 1000:
            raise section.error(name, f"is {value!r}", allowed)
        read[name] = text
    return read
