"""What a session was measured on and with, and whether two sessions may be compared. Pure: values in, values out.

A fingerprint is nested JSON: `testbed`, `lab_kernel`, `hosts` (by name: kernel, cpu, cpus, nics, wrk, memory_mib),
`workload`, `backends`, `tuning`, `overlay`, `wrk` (as set for the session), `points` (by point: connections, threads,
duration_s and host_header as run, bytes_per_request of the responses), `versions`, `controller`, and under `other`
whatever else the record tells of the testbed. What no session tells is not in it: sections that later versions
record join by their name.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.record.points import point_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_kubelb.record.lines import Event, SessionStart
    from pytest_kubelb.record.points import PointKey

Fingerprint: TypeAlias = "Mapping[str, object]"
"""JSON values by name; see the top of this module."""

BYTES_TOLERANCE: Final = 0.02
"""Bytes per response may differ by this much: pods answer with their own address, of 7 to 15 characters."""
MEMORY_TOLERANCE: Final = 0.1
"""What a kernel calls all of its memory varies from boot to boot."""
_SECTIONS: Final = ("lab_kernel", "workload", "backends", "tuning", "overlay")
_NOTED: Final = ("versions", "controller", "other")
_PER_SESSION: Final = ("lab_boot_s", "imported", "ab", "specs", "process")
_WRK_FLAGS: Final = {"-c": "connections", "-t": "threads", "-d": "duration_s", "-H": "host_header"}
_LONG_FLAGS: Final = {"--connections": "-c", "--threads": "-t", "--duration": "-d", "--header": "-H"}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Difference:
    """One field in which two sessions differ, or which one of them does not tell."""

    path: tuple[str, ...]
    """Where it stands in the fingerprint."""
    baseline: object
    """JSON value; None when the baseline does not tell."""
    current: object
    """JSON value; None when this session does not tell."""
    unknown: bool
    """One of the two does not tell: allowed, and to be said."""
    matters: bool
    """The two must not be compared: at all, or at `point`."""
    point: str | None
    """The point as `point_text` gives it, for a field of one point."""

    @property
    def field(self) -> str:
        """The field in words: `kernel of k11`."""
        return _field(self.path)

    @property
    def sentence(self) -> str:
        """What differs, with both values, as half a sentence: `the baseline ran with …, this session with …`."""
        at = f" at {self.point}" if self.point else ""
        before, now = _shown(self.baseline), _shown(self.current)
        return f"the baseline ran with {self.field} {before}{at}, this session with {now}"


def of(
    start: SessionStart, events: Iterable[Event] = (), loads: Mapping[PointKey, Fingerprint] | None = None
) -> dict[str, object]:
    """Give the fingerprint of a session out of its first line and its events (only `testbed` tells something).

    `loads` is how each point was loaded, as `levels` gives it; without it the fingerprint has no `points`, as at the
    start of a session.
    """
    facts = dict(start.facts)
    for event in events:
        if event.name == "testbed":
            facts.update(event.details)
    found: dict[str, object] = {}
    for name in ("testbed", *_SECTIONS, "versions", "controller"):
        if name in facts:
            found[name] = facts.pop(name)
    if hosts := _hosts(facts.pop("hosts", None), facts.pop("kernels", None)):
        found["hosts"] = hosts
    if wrk := _wrk_settings(start.settings):
        found["wrk"] = wrk
    if loads:
        found["points"] = {point_text(key): dict(load) for key, load in sorted(loads.items(), key=_rank)}
    if other := {name: value for name, value in facts.items() if name not in _PER_SESSION}:
        found["other"] = other
    return found


def _rank(item: tuple[PointKey, Fingerprint]) -> list[tuple[str, bool, str | int]]:
    """Give a key for sorting: a record of others may have a pod count that is text beside one that is a number."""
    return [(name, isinstance(value, str), value) for name, value in item[0]]


def compare(baseline: Fingerprint, current: Fingerprint) -> tuple[Difference, ...]:
    """Give every field in which two sessions differ or of which one does not tell, in the order of their paths.

    Missing on both sides is equal. Points and hosts' facts are compared where both sessions have the point or the
    host; another set of hosts is a difference in itself.
    """
    shared = {name: _names(baseline, name) & _names(current, name) for name in ("hosts", "points")}
    ours, theirs = (dict(_leaves(_part(each, shared))) for each in (current, baseline))
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        before, now = theirs.get(path), ours.get(path)
        if not _equal(path, before, now):
            unknown = path not in ours or path not in theirs
            point = path[1] if path[0] == "points" and len(path) > 2 else None
            found.append(Difference(path, before, now, unknown, not unknown and _matters(path), point))
    before_hosts, now_hosts = (sorted(_names(each, "hosts")) or None for each in (baseline, current))
    if before_hosts != now_hosts:
        unknown = before_hosts is None or now_hosts is None
        found.append(Difference(("hosts",), before_hosts, now_hosts, unknown, not unknown, None))
    return tuple(found)


def refusal(differences: Sequence[Difference]) -> str | None:
    """Give why nothing of two sessions may be compared, as half a sentence; None when there is no such reason."""
    reasons = [each.sentence for each in differences if each.matters and each.point is None]
    more = f" (and {len(reasons) - 1} more differences)" if len(reasons) > 1 else ""
    return reasons[0] + more if reasons else None


def noted(differences: Sequence[Difference]) -> str:
    """Give what is not told on one side and what differs without mattering, once for each field."""
    unknown = dict.fromkeys(each.field for each in differences if each.unknown)
    other = [each.sentence for each in differences if not each.unknown and not each.matters]
    told = [f"{', '.join(unknown)} not known on both sides, taken as equal"] if unknown else []
    return "; ".join([*told, *other])


def told(fingerprint: Fingerprint) -> list[tuple[str, str]]:
    """Give the fields of a fingerprint and their values in words; those of single points are left out."""
    return [(_field(path), _shown(value)) for path, value in _leaves(fingerprint) if path[0] != "points"]


@lru_cache(maxsize=256)  # one command line stands in every run of a point
def wrk_command_facts(command: str) -> Mapping[str, object]:
    """Give connections, threads, duration_s and host_header, as far as a wrk command line has them."""
    try:
        words = shlex.split(command)
    except ValueError:
        return {}
    found: dict[str, object] = {}
    for flag, value in _flags(words):
        name = _WRK_FLAGS[flag]
        if flag == "-H":
            header, _, content = value.partition(":")
            if header.strip().lower() == "host":
                found[name] = content.strip()
        elif (number := _seconds(value) if flag == "-d" else _whole(value)) is not None:
            found[name] = number
    return found


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    following = iter(words)
    for word in following:
        name, equals, value = word.partition("=")
        if name in _LONG_FLAGS:
            yield _LONG_FLAGS[name], value if equals else next(following, "")
        elif word[:2] in _WRK_FLAGS:
            yield word[:2], word[2:] or next(following, "")


def _whole(text: str) -> int | None:
    # wrk takes SI units: -c1k.
    match = re.fullmatch(r"([0-9]{1,9})([kKmM]?)", text)
    return int(match[1]) * {"": 1, "k": 1000, "m": 1_000_000}[match[2].lower()] if match else None


def _seconds(text: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,9})([smh]?)", text)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def _hosts(told: object, kernels: object) -> dict[str, dict[str, object]]:
    hosts: dict[str, dict[str, object]] = {}
    if isinstance(kernels, dict):
        hosts = {name: {"kernel": kernel} for name, kernel in kernels.items()}
    if isinstance(told, dict):
        for name, facts in told.items():
            if isinstance(facts, dict):
                hosts.setdefault(name, {}).update(facts)
    return hosts


def _wrk_settings(settings: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ("connections", "threads", "duration"):
        given = settings.get(name)
        if isinstance(given, dict) and isinstance(given.get("value"), str):
            text = given["value"]
            found["duration_s" if name == "duration" else name] = (
                _seconds(text) or text if name == "duration" else text
            )
    return found


def _leaves(value: Fingerprint, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _leaves(item, (*path, name))
        elif item is not None:
            yield (*path, name), item


def _part(fingerprint: Fingerprint, kept: Mapping[str, set[str]]) -> dict[str, object]:
    """Give the fingerprint with only the `kept` names in the sections that are kept in part."""
    return {
        name: {key: value[key] for key in value if key in kept[name]}
        if name in kept and isinstance(value, dict)
        else value
        for name, value in fingerprint.items()
    }


def _names(fingerprint: Fingerprint, section: str) -> set[str]:
    found = fingerprint.get(section)
    return set(found) if isinstance(found, dict) else set()


def _equal(path: tuple[str, ...], one: object, other: object) -> bool:
    about = {"bytes_per_request": BYTES_TOLERANCE, "memory_mib": MEMORY_TOLERANCE}.get(path[-1])
    if about is not None and isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= about * max(one, other)
    return one == other


def _matters(path: tuple[str, ...]) -> bool:
    return path[0] not in _NOTED and not (path[0] == "hosts" and path[-1] == "memory_mib")


def _field(path: tuple[str, ...]) -> str:
    if path[0] == "hosts" and len(path) > 2:
        return f"{' '.join(path[2:])} of {path[1]}"
    return " ".join(path[2:]) if path[0] == "points" and len(path) > 2 else ".".join(path)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "nothing" if value is None else str(value)
