"""What a profile asks of a host, as settings of that host, and what the host cannot do. Pure: touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_kubelb.tuning import irqs, places
from pytest_kubelb.tuning.cpuset import listed
from pytest_kubelb.tuning.irqbalance import ABSENT, RUNNING, STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_kubelb.tuning.cpuset import CpuSet
    from pytest_kubelb.tuning.knobs import FlowTables, Knobs, Spread
    from pytest_kubelb.tuning.reading import Reading

_OF_THE_MACHINE: Final = "belongs to the whole machine, and this host is only a network namespace of one"
_STRUCTURE: Final = ("channels", "rings", "coalesce")


@dataclass
class Plan:
    """The settings that a profile wants on one host; built up knob by knob."""

    settings: dict[str, str] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    """Knob or setting -> why the host cannot do it."""


def is_structure(setting: str) -> bool:
    """Tell whether a setting makes the NIC's queues anew, and so comes before whatever is set on queues."""
    return setting.partition(" ")[0] in _STRUCTURE


def plan(knobs: Knobs, nic: str, reading: Reading) -> Plan:
    """Give what `knobs` mean on a host that is as `reading` says; `nic` is the one to tune."""
    made = Plan()
    _daemon(made, knobs, reading)
    for family in _STRUCTURE:
        _ethtool(made, family, nic, getattr(knobs, family), reading)
    if knobs.rss is not None:
        _rss(made, knobs.rss, nic, reading)
    if knobs.rps is not None:
        _queues(made, "rps", "rps_cpus", knobs.rps, nic, reading)
    if knobs.rfs is not None:
        _rfs(made, knobs.rfs, nic, reading)
    if knobs.xps is not None:
        _queues(made, "xps", "xps_cpus", knobs.xps, nic, reading)
    _frequency(made, knobs, reading)
    for name, value in knobs.sysctls.items():
        _sysctl(made, f"sysctl {name}", value, reading)
    for setting, size in (
        (places.CONNTRACK_HASHSIZE, knobs.conntrack_hashsize),
        (places.CONNTRACK_MAX, knobs.conntrack_max),
    ):
        if size is not None:
            _sysctl(made, setting, str(size), reading)
    return made


def _daemon(made: Plan, knobs: Knobs, reading: Reading) -> None:
    if knobs.irqbalance is None:
        return
    state = reading.irqbalance.state
    if not reading.first_namespace:
        made.unsupported["irqbalance"] = f"irqbalance {_OF_THE_MACHINE}"
    elif state == ABSENT:
        made.settings[places.IRQBALANCE] = ABSENT
        if knobs.irqbalance:
            made.unsupported["irqbalance"] = "irqbalance is not installed"
    else:
        made.settings[places.IRQBALANCE] = RUNNING if knobs.irqbalance else STOPPED


def _ethtool(made: Plan, family: str, nic: str, wanted: Mapping[str, object], reading: Reading) -> None:
    for word, value in wanted.items():
        shown = reading.shown[family, nic]
        if word not in shown.values:
            made.unsupported[f"{family} {word}"] = (
                shown.refusal or f"ethtool: {nic} has no such value; it has {', '.join(shown.values)}"
            )
        elif shown.most.get(word, "").isdecimal() and int(str(value)) > int(shown.most[word]):
            made.unsupported[f"{family} {word}"] = (
                f"{value} is more than the {shown.most[word]} that {nic} can"
            )
        else:
            made.settings[f"{family} {nic} {word}"] = str(value)


def _rss(made: Plan, spread: Spread, nic: str, reading: Reading) -> None:
    of_nic = [irq for irq in reading.irqs if irq.nic == nic]
    if not of_nic:
        made.unsupported["rss"] = f"{nic} has no interrupts of its own here (a veth, for one, has none)"
        return
    if spread.cpus is None:
        by_name = {irq.action: irq for irq in of_nic}
        for name, named in spread.by_queue.items():
            _one(
                made,
                f"rss {name}",
                by_name[name].setting if name in by_name else None,
                named,
                reading,
                by_name,
            )
        return
    receiving = irqs.receiving(of_nic)
    if not receiving:
        names = ", ".join(irq.action for irq in of_nic)
        made.unsupported["rss"] = (
            f"which interrupt of {nic} is which queue is not clear from {names}: name them"
        )
        return
    if (cpus := _on(made, "rss", spread.cpus, reading)) is None:
        return
    for index, irq in enumerate(receiving):
        cpu = str(cpus[index % len(cpus)])
        made.settings[irq.setting] = cpu
        if (sending := irqs.partner(irq, of_nic)) is not None:
            made.settings[sending.setting] = cpu


def _queues(made: Plan, knob: str, family: str, spread: Spread, nic: str, reading: Reading) -> None:
    queues = reading.queues(nic, family)
    if not queues:
        one = ", which a NIC with one tx queue lacks" if family == "xps_cpus" else ""
        made.unsupported[knob] = f"the kernel shows no {family} for {nic}{one}"
    elif spread.cpus is None:
        for queue, cpus in spread.by_queue.items():
            setting = f"{family} {nic} {queue}" if queue in queues else None
            _one(made, f"{knob} {queue}", setting, cpus, reading, queues)
    elif (chosen := _on(made, knob, spread.cpus, reading)) is not None:
        for index, queue in enumerate(queues):
            mine = chosen[index % len(chosen)] if spread.in_turn else None
            made.settings[f"{family} {nic} {queue}"] = listed(chosen) if mine is None else str(mine)


def _one(
    made: Plan, knob: str, setting: str | None, cpus: CpuSet, reading: Reading, known: Collection[str]
) -> None:
    if setting is None:
        made.unsupported[knob] = f"there is no such queue; the host has {', '.join(known)}"
    elif (chosen := _on(made, knob, cpus, reading)) is not None:
        made.settings[setting] = listed(chosen)


def _on(made: Plan, knob: str, cpus: CpuSet, reading: Reading) -> list[int] | None:
    try:
        return sorted(cpus.on(reading.online))
    except ValueError as error:
        made.unsupported[knob] = str(error)
        return None


def _rfs(made: Plan, tables: FlowTables, nic: str, reading: Reading) -> None:
    if places.SOCK_FLOWS in reading.settings:
        made.settings[places.SOCK_FLOWS] = str(tables.sock_flow_entries)
    elif not reading.first_namespace:
        made.unsupported[places.SOCK_FLOWS] = f"rps_sock_flow_entries {_OF_THE_MACHINE}"
    else:
        made.unsupported[places.SOCK_FLOWS] = "the kernel has no RPS (CONFIG_RPS)"
    queues = reading.queues(nic, "rps_flow_cnt")
    if not queues:
        made.unsupported["rfs"] = f"the kernel shows no rps_flow_cnt for {nic}"
    for queue in queues:
        share = tables.sock_flow_entries // len(queues) if tables.flow_cnt is None else tables.flow_cnt
        made.settings[f"rps_flow_cnt {nic} {queue}"] = str(share)


def _frequency(made: Plan, knobs: Knobs, reading: Reading) -> None:
    def governors(wanted: str) -> None:
        names = [name for name in reading.settings if name.startswith("governor ")]
        if not names:
            made.unsupported["governor"] = "the kernel scales no CPU frequency here (no cpufreq)"
        elif reading.governors and wanted not in reading.governors:
            offered = ", ".join(reading.governors)
            made.unsupported["governor"] = f"the kernel does not offer {wanted}; it has {offered}"
        else:
            made.settings.update(dict.fromkeys(names, wanted))

    def turbo(wanted: str) -> None:
        if places.TURBO in reading.settings:
            made.settings[places.TURBO] = wanted
        else:
            made.unsupported["turbo"] = "the kernel has neither intel_pstate's no_turbo nor cpufreq's boost"

    chosen: list[tuple[str, str | None, Callable[[str], None]]] = [
        ("governor", knobs.governor, governors),
        ("turbo", None if knobs.turbo is None else "on" if knobs.turbo else "off", turbo),
    ]
    for knob, wanted, choose in chosen:
        if wanted is not None and not reading.first_namespace:
            made.unsupported[knob] = f"the CPU frequency {_OF_THE_MACHINE}"
        elif wanted is not None:
            choose(wanted)


def _sysctl(made: Plan, setting: str, value: str, reading: Reading) -> None:
    file = reading.file_of(setting) or ""
    if not reading.first_namespace and not file.startswith("/proc/sys/net/"):
        made.unsupported[setting] = f"this sysctl {_OF_THE_MACHINE}"
    elif setting not in reading.settings:
        because = "is nf_conntrack loaded?" if "/netfilter/" in file else "is its module loaded?"
        where = "" if reading.first_namespace else ", or not in this network namespace"
        made.unsupported[setting] = f"the kernel has no {file}{where}; {because}"
    elif file in reading.read_only:
        made.unsupported[setting] = f"the kernel lets nobody write {file} here"
    else:
        made.settings[setting] = value
