"""What happened on a host, as the tables that mpstat(1) prints. Pure: a `HostDelta` in, text lines out.

Named and laid out as `mpstat -P ALL`, `-I CPU` and `-I SCPU` do it, so that tables of old can be read beside them.
Lines fit 80 columns: a table with more columns is continued below, and so are CPUs, which are rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.rates import CPU_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_kubelb.evidence.delta import HostDelta

WIDTH: Final = 80
_CPU: Final = 4
_ARCHITECTURE: Final = frozenset(
    ("LOC", "SPU", "PMI", "IWI", "RTR", "RES", "CAL", "TLB", "TRM", "THR", "DFR", "MCE", "MCP", "NMI", "HYP", "HRE",
     "HVS", "PIN", "NPI", "PIW", "ERR", "MIS")
)  # fmt: skip


def cpu_table(delta: HostDelta) -> list[str]:
    """Give `mpstat -P ALL`: % of the time in each state, for all CPUs together and for each."""
    states = {f"%{state}": delta.cpu_percent.get(state, ()) for state in CPU_STATES}
    means = {name: sum(row) / len(row) if row else 0.0 for name, row in states.items()}
    return [
        _line("CPU", states),
        _line("all", (f"{mean:.2f}" for mean in means.values())),
        *_cpu_lines(delta.cpus, list(states.values())),
    ]


def interrupt_tables(delta: HostDelta, *, devices_only: bool = True) -> list[str]:
    """Give `mpstat -I CPU`: interrupts/s of each row of /proc/interrupts for each CPU; below it what the numbers are.

    `devices_only` leaves out the CPUs' own (timer, rescheduling).
    """
    rows = {
        name: row
        for name, row in delta.interrupts_per_s.items()
        if not (devices_only and name.partition(" ")[0] in _ARCHITECTURE)
    }
    numbered = {f"{name.partition(' ')[0]}/s": row for name, row in rows.items()}
    return [*_tables(delta.cpus, numbered), *_legend(rows)]


def softirq_table(delta: HostDelta) -> list[str]:
    """Give `mpstat -I SCPU`: softirqs/s of each kind for each CPU."""
    return _tables(delta.cpus, {f"{name}/s": row for name, row in delta.softirqs_per_s.items()})


def setting_table(settings: Mapping[str, str]) -> list[str]:
    """Give where interrupts and queues are set to go, as read: a line for each value, with all that have it."""
    by_value: dict[tuple[str, str], list[str]] = {}
    for name, value in settings.items():
        family, _, rest = name.partition(" ")
        if family in ("irq", "rps_cpus", "xps_cpus", "rps_flow_cnt", "rps_sock_flow_entries"):
            by_value.setdefault((family, value), []).append(rest)
    lines: list[str] = []
    for (family, value), places in by_value.items():
        lines += _wrapped(f"{family} {value}", [place for place in places if place])
    return lines


def seed_tables(delta: HostDelta) -> list[str]:
    """Give the three tables, one below the other, with an empty line between them; those without a row are left out."""
    lines: list[str] = []
    for table in (cpu_table(delta), interrupt_tables(delta), softirq_table(delta)):
        if table:
            lines += ["", *table] if lines else table
    return lines


def _tables(cpus: Sequence[int], columns: Mapping[str, Sequence[float]]) -> list[str]:
    lines: list[str] = []
    for names in _fitting(columns):
        part = [columns[name] for name in names]
        widths = [_width(name, columns[name]) for name in names]
        lines += [
            "CPU".rjust(_CPU) + "".join(name.rjust(width) for name, width in zip(names, widths, strict=True))
        ]
        for at, cpu in enumerate(cpus):
            cells = (f"{row[at]:.2f}".rjust(width) for row, width in zip(part, widths, strict=True))
            lines.append(f"{cpu:>{_CPU}}" + "".join(cells))
    return lines


def _fitting(columns: Mapping[str, Sequence[float]]) -> Iterator[list[str]]:
    names: list[str] = []
    used = _CPU
    for name, row in columns.items():
        width = _width(name, row)
        if names and used + width > WIDTH:
            yield names
            names, used = [], _CPU
        names.append(name)
        used += width
    if names:
        yield names


def _width(name: str, row: Sequence[float]) -> int:
    return 1 + max(9, len(name), *(len(f"{value:.2f}") for value in row)) if row else 1 + max(9, len(name))


def _line(cpu: str, cells: Iterable[str]) -> str:
    widths = (max(7, len(state) + 2) for state in CPU_STATES)
    return cpu.rjust(_CPU) + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=False))


def _cpu_lines(cpus: Sequence[int], rows: Sequence[Sequence[float]]) -> list[str]:
    return [_line(str(cpu), (f"{row[at]:.2f}" for row in rows if row)) for at, cpu in enumerate(cpus)]


def _legend(names: Iterable[str]) -> list[str]:
    told = [f"{number} {what}" for number, _, what in (name.partition(" ") for name in names) if what]
    return _wrapped("", told)


def _wrapped(head: str, words: Sequence[str]) -> list[str]:
    """Put words on lines of at most `WIDTH`, commas between them, the later lines indented."""
    lines = [f"{head}:" if head and words else head]
    for at, word in enumerate(words):
        text = word + ("," if at + 1 < len(words) else "")
        if lines[-1].strip() and len(lines[-1]) + 1 + len(text) > WIDTH:
            lines.append("    " + text)
        else:
            lines[-1] = f"{lines[-1]} {text}" if lines[-1] else text
    return [line for line in lines if line]
