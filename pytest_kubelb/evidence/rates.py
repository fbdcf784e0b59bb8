"""What counters did between two readings: differences, rates and shares. Pure: values in, values out.

A counter that has fallen was reset, or has wrapped round where it is 32 bits wide (interrupts and softirqs are, and
everything on a 32-bit kernel); no difference is ever negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence import kernel_files
from pytest_kubelb.evidence.forwarding_tables import Forwarded, Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Table = tuple[tuple[int, ...], Mapping[str, str]]

CPU_STATES: Final = ("usr", "nice", "sys", "iowait", "irq", "soft", "steal", "guest", "gnice", "idle")
"""The columns of mpstat(1), in its order: guest time is not part of usr, nor gnice of nice."""

MAIN_COLUMNS: Final = kernel_files.NIC_COLUMNS[:4] + kernel_files.NIC_COLUMNS[8:12]
"""The columns of a NIC that are given even when they are zero."""

_HALF: Final = 1 << 31


def grown(before: int, after: int) -> int:
    """Give by how much a counter grew."""
    if after >= before:
        return after - before
    if _HALF <= before < 2 * _HALF and after < _HALF:
        return after - before + 2 * _HALF if after >= 0 else 0
    return max(0, after)


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Give what the counters of both readings did, without those that stood still."""
    return {
        name: grown(before[name], value)
        for name, value in after.items()
        if name in before and before[name] != value
    }


def cpu_percent(
    before: Mapping[int, Sequence[int]], after: Mapping[int, Sequence[int]], cpus: Sequence[int]
) -> dict[str, tuple[float, ...]]:
    """Give mpstat's shares, one for each of `cpus`, which both readings have; a CPU that did not tick has zeros."""
    columns = [_shares(before[cpu], after[cpu]) for cpu in cpus]
    return {state: tuple(column[at] for column in columns) for at, state in enumerate(CPU_STATES)}


def _shares(before: Sequence[int], after: Sequence[int]) -> list[float]:
    # idle and iowait can go backwards a little (kernel documentation, filesystems/proc.rst): that is no time.
    spent = [max(0, now - then) for then, now in zip(before, after, strict=True)]
    usr, nice, system, idle, iowait, irq, softirq, steal, guest, gnice = spent
    # The kernel counts guest time twice: by itself, and in user and nice.
    guest, gnice = min(guest, usr), min(gnice, nice)
    states = (usr - guest, nice - gnice, system, iowait, irq, softirq, steal, guest, gnice, idle)
    whole = sum(states)
    return [round(100 * ticks / whole, 2) if whole else 0.0 for ticks in states]


def per_cpu_rates(
    before: Table, after: Table, cpus: Sequence[int], seconds: float, name: Callable[[str, str, int], str]
) -> dict[str, tuple[float, ...]]:
    """Give events/s for each of `cpus`, without the rows that stood still; `name` gives a row's own name.

    Only rows whose text differs are read: most interrupts never happen.
    """
    (cpus_before, rows_before), (cpus_after, rows_after) = before, after
    found: dict[str, tuple[float, ...]] = {}
    if seconds <= 0:
        return found
    for row, now in rows_after.items():
        then = rows_before.get(row)
        if then is None or then == now:
            continue
        counts = zip(_picked(then, cpus_before, cpus), _picked(now, cpus_after, cpus), strict=True)
        rates = tuple([0.0 if old == new else round(grown(old, new) / seconds, 1) for old, new in counts])
        if any(rates):
            found[name(row, now, len(cpus_after))] = rates
    return found


def _picked(rest: str, columns: Sequence[int], cpus: Sequence[int]) -> Sequence[int]:
    """Give a row's counts for `cpus`, 0 where it has none."""
    counts = kernel_files.row_counts(rest, len(columns))
    if counts and columns == cpus:
        return counts
    by_cpu = dict(zip(columns, counts, strict=False))
    return [by_cpu.get(cpu, 0) for cpu in cpus]


def nics(
    before: Mapping[str, Sequence[int]], after: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, int]]:
    """Give what each NIC of both readings counted: the first four columns of both directions, others when not zero."""
    found = {}
    for nic, values in after.items():
        if (known := before.get(nic)) is not None:
            counted = map(grown, known, values)
            found[nic] = {
                column: count
                for column, count in zip(kernel_files.NIC_COLUMNS, counted, strict=True)
                if count or column in MAIN_COLUMNS
            }
    return found


def forwarded(before: Forwarded, after: Forwarded) -> Forwarded:
    """Give what services and endpoints took; one that was not there before has taken all that it counts."""
    services = {
        name: taken
        for name, count in after.services.items()
        if (taken := grown(before.services.get(name, 0), count))
    }
    nothing = (0, 0, 0)
    endpoints = {
        name: (grown(then[0], now[0]), grown(then[1], now[1]), grown(then[2], now[2]))
        for name, now in after.endpoints.items()
        for then in (before.endpoints.get(name, nothing),)
    }
    return Forwarded(services, endpoints)


def ipvs_forwarded(tables: Forwarded, before: Opened, after: Opened, total: int | None) -> Forwarded:
    """Give what ipvs forwarded, with connections as of now where that can be known.

    `tables` is what ipvsadm's tables gained, up to two seconds late; `before` and `after` are the connections in ipvs's
    own table, as of now, but expiring; `total` is what all CPUs counted, as of now, None where the kernel does not say.
    When the table gained exactly the total, its rows are the run's. A single service took the total, however late its
    own counter is; its pods' counters then are late.
    """
    if total is None or total == sum(tables.services.values()):
        return tables
    services = {name: count - before.services.get(name, 0) for name, count in after.services.items()}
    pods = {name: count - before.pods.get(name, 0) for name, count in after.pods.items()}
    if sum(pods.values()) == total and min(pods.values(), default=0) >= 0:
        rows = {name: (taken, *tables.endpoints.get(name, (0, 0, 0))[1:]) for name, taken in pods.items()}
        return Forwarded({name: taken for name, taken in services.items() if taken > 0}, rows)
    if len(services) == 1:
        return Forwarded(dict.fromkeys(services, total), tables.endpoints)
    return tables
