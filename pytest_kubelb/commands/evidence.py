"""`kubelb evidence`: what every host counted around a run, as mpstat prints it. Reads a session, changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.gate.session import Item
    from pytest_kubelb.record.lines import Line
    from pytest_kubelb.record.reader import Note
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.record.sources import Source

_DESCRIPTION = (
    "Show what the hosts counted around one run: its findings, CPU shares, interrupts and softirqs per CPU, and where "
    "interrupts and queues were set to go. Without a point the points of the session are listed."
)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb evidence`."""
    parser = groups.add_parser(
        "evidence", help="what every host counted around a run", description=_DESCRIPTION
    )
    parser.add_argument("session", metavar="SESSION", help="a session's id, tag, folder or record.jsonl")
    parser.add_argument(
        "point", nargs="?", metavar="POINT", help="a point's id, as in its item's brackets: ipvs-pods04"
    )
    parser.add_argument(
        "--run",
        dest="number",
        type=int,
        metavar="N",
        help="which run, from 1. Default: that nearest to the median.",
    )
    parser.add_argument("--host", metavar="HOST", help="only this host. Default: every host that was read.")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the rootdir of the session. Default: the nearest folder with a .kubelb, from here upwards.",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.gate import choice
    from pytest_kubelb.gate.session import Gatherer
    from pytest_kubelb.record import history

    root = arguments.root or history.nearest_root(Path.cwd())
    source = choice.source(arguments.session, root)
    gatherer, settings = Gatherer(), _Settings()
    for line in gatherer.watch(source.lines()):
        settings.note(line)
    items = gatherer.measured().items
    if arguments.point is None:
        say(*(item.id for item in items))
        return
    item = _item(items, arguments.point)
    sample = _sample(item, arguments.number)
    say(*_text(source, item, sample, arguments.host, settings))


class _Settings:
    """Where interrupts and queues were set to go, by tuning and host."""

    def __init__(self) -> None:
        self._by_tuning: dict[str, dict[str, object]] = {}

    def note(self, line: Line | Note) -> None:
        from pytest_kubelb.record.lines import Event

        if isinstance(line, Event) and line.name == "settings":
            hosts = line.details.get("hosts")
            if isinstance(hosts, dict):
                self._by_tuning[str(line.details.get("tuning"))] = hosts

    def of(self, tuning: str, host: str) -> dict[str, str]:
        found = self._by_tuning.get(tuning, {}).get(host)
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _item(items: Sequence[Item], name: str) -> Item:
    from pytest_kubelb.errors import ConfigError

    for item in items:
        if item.id == name:
            return item
    known = ", ".join(item.id for item in items[:5]) or "none"
    raise ConfigError(
        f"POINT: the session has no point {name!r}: its points are {known} …; list all without POINT."
    )


def _sample(item: Item, number: int | None) -> Sample:
    """Give the run that is asked for, else the valid one nearest to the median, else the first."""
    import statistics

    from pytest_kubelb.errors import ConfigError

    runs = [sample for sample in item.series.samples if sample.validity != "warmup"]
    if number is not None:
        for sample in runs:
            if sample.run == number - 1:
                return sample
        raise ConfigError(f"--run {number}: {item.id} has runs 1 to {len(runs)}: give one of them.")
    valid = [sample for sample in runs if sample.validity == "valid" and sample.result is not None]
    if valid:
        median = statistics.median(item.series.valid_rps)
        return min(valid, key=lambda sample: abs(sample.result.rps - median) if sample.result else 0.0)
    if not runs:
        raise ConfigError(f"POINT: {item.id} has no run but warm-up runs: choose another point.")
    return runs[0]


def _text(source: Source, item: Item, sample: Sample, only: str | None, settings: _Settings) -> Iterator[str]:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.evidence import tables
    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.record.evidence_file import read_evidence
    from pytest_kubelb.record.points import point_key
    from pytest_kubelb.record.session import EVIDENCE

    rate = "no result" if sample.result is None else f"{sample.result.rps:,.0f} req/s"
    yield f"{item.id}, run {sample.run + 1}: {sample.validity}, {rate}, ceiling {sample.ceiling or 'not known'}"
    if sample.wire_bytes_per_request is not None:
        yield f"on the wire: {sample.wire_bytes_per_request:.1f} bytes per request, both directions, with framing"
    for finding in sample.findings:
        yield f"{finding.kind}: {finding.sentence}"
    wanted = (point_key(sample.point), sample.provisioning, sample.run)
    file = source.path.with_name(EVIDENCE)
    for line in read_evidence(file):
        if not line.warmup and (point_key(line.point), line.provisioning, line.run) == wanted:
            break
    else:
        raise ConfigError(f"{file} has no evidence of this run: choose another one.")
    if only is not None and only not in line.hosts:
        raise ConfigError(f"--host {only}: read were {', '.join(line.hosts)}: choose one of them.")
    for name in [only] if only is not None else line.hosts:
        try:
            counted = HostDelta.from_json(line.hosts[name])
        except ValueError as error:
            raise ConfigError(f"{file}: the evidence of {name} is damaged: {error}.") from error
        yield ""
        yield f"== {name}, {counted.seconds:.2f} s"
        yield from tables.seed_tables(counted)
        yield from ("", *tables.setting_table(settings.of(str(sample.point.get("tuning", "none")), name)))
