"""The tables of the report: points, findings, tuning as read back, node specs. Pure: values in, rows of text out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.report.html import withheld, words
from pytest_kubelb.text.spelling import rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.report.html.model import MeasuredPoint, Session, Sheet


@dataclass(frozen=True)
class Cell:
    """One field of a table."""

    text: str
    sort: float | str | None = None
    """What it is sorted by, where that is not the text; None in a column of numbers stands last."""
    folded: tuple[str, str] | None = None
    """What is long and seldom read: its name, and all of it, which is shown when that is chosen."""


@dataclass(frozen=True)
class Table:
    """Rows under headings."""

    name: str
    headings: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    points: Sequence[int] = ()
    """Of each row, the point whose runs its first cell shows; empty where rows are no points."""


def points(sheet: Sheet) -> Table:
    """Give a row for every point of every session."""
    several = len(sheet.sessions) > 1
    conditions = len({point.condition for point in sheet.points}) > 1
    compared = any(point.change is not None for point in sheet.points)
    headings = ["point", "pods", *["condition"] * conditions, *["session"] * several]
    headings += ["runs", "median", "interval", "CV", "verdict", "ceiling"]
    headings += [*["change"] * compared, "mean", "s_r", "tolerance"]
    words_in = {"point", "condition", "session", "interval", "ceiling", "verdict"}
    rows = []
    for point in sheet.points:
        row = [Cell(f"{point.backend}-pods{point.pods:02d}"), _whole(point.pods)]
        row += [Cell(point.condition or "none told")] * conditions + [Cell(point.session)] * several
        rows.append([*row, *_level(point), *([_changed(point)] * compared), *_spread(point)])
    return Table(
        "points",
        headings,
        [heading not in words_in for heading in headings],
        rows,
        [point.index for point in sheet.points],
    )


def _level(point: MeasuredPoint) -> list[Cell]:
    interval, widest = point.interval, point.widest
    told = "-" if interval is None else f"{rate(interval.low)} to {rate(interval.high)}"
    cv = widest.judged.cv if widest else None
    return [
        Cell(f"{len(point.valid)}/{len(point.runs)}", len(point.valid)),
        Cell(rate(point.median), point.median),
        Cell(told, None if interval is None else interval.low),
        Cell(words.share(cv), cv),
        Cell(point.word),
        Cell(point.ceiling or words.NOT_KNOWN),
    ]


def _spread(point: MeasuredPoint) -> list[Cell]:
    judged = point.widest.judged if point.widest else None
    mean = sum(point.rps) / len(point.rps) if point.rps else None
    s_r, tolerance = (judged.s_r, judged.tolerance) if judged else (None, None)
    return [
        Cell(rate(mean), mean),
        Cell(rate(s_r), s_r),
        Cell(words.share(tolerance, 1), tolerance),
    ]


def _whole(value: int) -> Cell:
    return Cell(str(value), value)


def _changed(point: MeasuredPoint) -> Cell:
    change = (point.change or {}).get("change")
    if isinstance(change, int | float):
        return Cell(
            f"{words.change(float(change))} {(point.change or {}).get('verdict', '')}".strip(), float(change)
        )
    return Cell("not judged" if point.change else "-")


def findings(sheet: Sheet) -> Table | None:
    """Give a row for every signal of every host and its effect; None when no run has a finding."""
    found: dict[tuple[str, str, str, str], list[tuple[MeasuredPoint, Finding]]] = {}
    for point in sheet.points:
        for sample in point.samples:
            for finding in sample.findings:
                key = (finding.effect, finding.kind, finding.signal, finding.host)
                found.setdefault(key, []).append((point, finding))
    if not found:
        return None
    rows = []
    for (effect, kind, signal, host), each in sorted(found.items()):
        worst = max((finding for _, finding in each), key=lambda finding: finding.value)
        measured = len({point.index for point, _ in each})
        rows.append(
            [
                Cell(signal.replace("_", " ")),
                Cell(kind),
                Cell(host or "all"),
                Cell("told only" if effect == "none" else effect),
                _whole(len(each)),
                _whole(measured),
                Cell(_measure(worst.value, worst.unit), worst.value),
                Cell("-" if worst.limit is None else _measure(worst.limit, worst.unit), worst.limit),
                Cell(withheld.text(worst.sentence)),
            ]
        )
    headings = (
        "signal",
        "kind",
        "host",
        "effect",
        "runs",
        "points",
        "worst",
        "limit",
        "sentence of the worst",
    )
    numeric = (False, False, False, False, True, True, True, True, False)
    return Table("findings", headings, numeric, rows)


def _measure(value: float, unit: str) -> str:
    shown = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".strip()


def tuning(sheet: Sheet) -> Table | None:
    """Give a row for every setting as it was read back, with the hosts that have it so; None where no session tells.

    A profile tells of the settings it applied, the evidence of all that it reads.
    """
    alike: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for session in sheet.sessions:
        applied: set[tuple[str, str, str]] = set()
        for event in session.events:
            told = event.details
            if event.name == "tuned":
                profile, host = in_words(told.get("profile")), in_words(told.get("host"))
                for name, value, note in _settings(told):
                    applied.add((profile, host, name))
                    alike.setdefault((profile, name, value, note), {})[host] = None
            elif event.name == "settings" and isinstance(hosts := told.get("hosts"), Mapping):
                profile = in_words(told.get("tuning"))
                for host, read in hosts.items():
                    for name, value in read.items() if isinstance(read, Mapping) else ():
                        if (profile, str(host), str(name)) not in applied:
                            alike.setdefault((profile, str(name), in_words(value), ""), {})[str(host)] = None
    if not alike:
        return None
    rows = [
        [Cell(text) for text in (profile, ", ".join(hosts), name, value, note)]
        for (profile, name, value, note), hosts in alike.items()
    ]
    return Table("tuning", ("profile", "hosts", "setting", "value", "note"), (False,) * 5, rows)


def _settings(told: Mapping[str, object]) -> Iterable[tuple[str, str, str]]:
    """Give name, value and note of what was read back, and of what the host cannot do."""
    settings, changed, unsupported = (
        each if isinstance(each := told.get(field), Mapping) else {}
        for field in ("settings", "changed", "unsupported")
    )
    for name in dict.fromkeys((*changed, *settings)):
        pair = changed.get(name)
        before, after = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        value = settings.get(name, after)
        yield str(name), in_words(value), "" if pair is None else f"was {in_words(before)}"
    for name, reason in unsupported.items():
        yield str(name), "-", f"unsupported: {in_words(reason)}"


def specs(sheet: Sheet) -> Table | None:
    """Give a row for all hosts that are alike; None where no session tells."""
    alike: dict[tuple[Cell, ...], dict[str, None]] = {}
    headings = ("hosts", "kernel", "CPU", "CPUs", "memory MiB", "NICs", "wrk")
    for session in sheet.sessions:
        for host, told in _told_hosts(session).items():
            row = (
                Cell(in_words(told.get("kernel"))),
                Cell(in_words(told.get("cpu"))),
                _number(told.get("cpus")),
                _number(told.get("memory_mib")),
                Cell(_nics(told.get("nics")), folded=_offloads(told.get("nics"))),
                Cell(in_words(told.get("wrk")).partition(" Copyright")[0]),
            )
            alike.setdefault(row, {})[host] = None
    if not alike:
        return None
    rows = [[Cell(", ".join(hosts)), *row] for row, hosts in alike.items()]
    return Table("specs", headings, (False, False, False, True, True, False, False), rows)


def _told_hosts(session: Session) -> dict[str, dict[str, object]]:
    hosts: dict[str, dict[str, object]] = {}
    for source in (session.facts.get("hosts"), session.facts.get("specs")):
        if isinstance(source, Mapping):
            for host, told in source.items():
                if isinstance(told, Mapping):
                    known = {str(name): value for name, value in told.items() if value is not None}
                    hosts.setdefault(str(host), {}).update(known)
    return hosts


def _number(value: object) -> Cell:
    return Cell(f"{value:,}", value) if isinstance(value, int | float) else Cell(words.NOT_KNOWN)


def _nics(value: object) -> str:
    if not isinstance(value, Mapping):
        return in_words(value)
    return "; ".join(f"{name} ({_nic(told)})" for name, told in value.items()) or "none"


def _nic(told: object) -> str:
    if not isinstance(told, Mapping):
        return in_words(told)
    said = [str(told["driver"])] if told.get("driver") else []
    said += [f"{told['speed_mbps']} Mbit/s"] if told.get("speed_mbps") else []
    said += [f"MTU {told['mtu']}"] if told.get("mtu") else []
    said += [f"{told.get('rx_queues', '?')} rx and {told.get('tx_queues', '?')} tx queues"]
    return ", ".join(said)


def _offloads(nics: object) -> tuple[str, str] | None:
    """Give how many offloads are on, and which; a NIC may have thirty."""
    on = {
        str(name): [str(each) for each in told["offloads"]]
        for name, told in (nics.items() if isinstance(nics, Mapping) else ())
        if isinstance(told, Mapping) and isinstance(told.get("offloads"), list | tuple) and told["offloads"]
    }
    if not on:
        return None
    which = "; ".join(f"{name}: {', '.join(offloads)}" for name, offloads in on.items())
    return words.counted(sum(map(len, on.values())), "offload") + " on", withheld.text(which)


def in_words(value: object) -> str:
    """Give a JSON value as text; what is missing is `not known`."""
    if value is None or value == "":
        return words.NOT_KNOWN
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {in_words(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(in_words(each) for each in value) or "none"
    return withheld.text(str(value))
