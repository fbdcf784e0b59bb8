"""Read the times that logs hold: epochs, and dates in words as date(1) prints them. Touches nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = re.compile(r"([0-9]{9,10})(\.[0-9]{1,9})?")
# date +%s%3N, and +%s%N
_FINE_EPOCH: Final = re.compile(r"([0-9]{10})(?:([0-9]{3})|([0-9]{9}))")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# Wed May  3 00:36:05 UTC 2017 · Wed 03 May 2017 12:36:05 AM UTC · Wed, 03 May 2017 00:36:05 +0000 · 2017年 5月 3日
_WORDS: Final = (
    re.compile(
        rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[0-9]{{1,2}}) {_CLOCK}"
        r"( (?P<half>[AP]M))?( (?P<zone>\S{1,6}))? (?P<year>[0-9]{4})"
    ),
    re.compile(
        rf"[A-Za-z]{{3}},? (?P<day>[0-9]{{1,2}}) (?P<month>[A-Za-z]{{3}}) (?P<year>[0-9]{{4}}) {_CLOCK}"
        r"( (?P<half>[AP]M))?( (?P<zone>\S{1,6}))?"
    ),
    re.compile(
        rf"(?P<year>[0-9]{{4}})年 ?(?P<month>[0-9]{{1,2}})月 ?(?P<day>[0-9]{{1,2}})日 \S{{1,5}} {_CLOCK}"
        r"(?P<half>)( (?P<zone>\S{1,6}))?"
    ),
)
# Hours east of Greenwich, of the zones that are not ambiguous.
_ZONES: Final = {
    zone: east
    for east, zones in {
        0: "UTC GMT Z",
        9: "JST",
        1: "CET",
        2: "CEST",
        -4: "EDT",
        -5: "EST CDT",
        -6: "MDT",
        -7: "MST PDT",
        -8: "PST",
    }.items()
    for zone in zones.split()
}
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
# Seconds from 1990 to 2100: what lies outside is a number, but not the time of a measurement.
_EARLIEST_S: Final = 631_152_000
_LATEST_S: Final = 4_102_444_800


def epoch_s(text: str) -> float | None:
    """Give the epoch in seconds that `text` is, also one in ms or ns; None when it is none."""
    match, fine = _EPOCH.fullmatch(text), _FINE_EPOCH.fullmatch(text)
    if match is not None:
        return _plausible(float(text))
    if fine is not None:
        return _plausible(int(fine[1]) + float(f"0.{fine[2] or fine[3]}"))
    return None


def date_s(text: str) -> tuple[float, str | None] | None:
    """Give the epoch of a date in words, and the zone when it is not known and UTC was taken for it.

    None when `text` is no date. ISO 8601 is read as well.
    """
    words = " ".join(text.split())
    for pattern in _WORDS:
        match = pattern.fullmatch(words)
        if match is not None:
            return _of_words(match)
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", words):
        return None
    try:
        moment = datetime.fromisoformat(words)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = _plausible(aware.timestamp())
    except (ValueError, OverflowError):
        return None
    return None if seconds is None else (seconds, None if moment.tzinfo else "none")


def iso(seconds: float) -> str:
    """Give an epoch as the record writes a time: ISO 8601, UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds" if seconds % 1 else "seconds")


def _of_words(match: re.Match[str]) -> tuple[float, str | None] | None:
    name = match["month"].lower()
    month = _MONTHS.get(name) if name.isalpha() else int(name)
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "PM" else 0)
    zone, unknown = _zone(match["zone"])
    try:
        moment = datetime(
            int(match["year"]),
            month or 0,
            int(match["day"]),
            hour,
            int(match["minute"]),
            int(match["second"]),
            tzinfo=zone,
        )
        seconds = _plausible(moment.timestamp())
    except (ValueError, OverflowError):
        return None
    return None if seconds is None else (seconds, unknown)


def _zone(name: str | None) -> tuple[timezone, str | None]:
    offset = _OFFSET.fullmatch(name or "")
    if offset is not None and int(offset[2]) < 24:
        east = timedelta(hours=int(offset[2]), minutes=int(offset[3]) % 60)
        return timezone(-east if offset[1] == "-" else east), None
    if name in _ZONES:
        return timezone(timedelta(hours=_ZONES[name])), None
    return UTC, name or "none"


def _plausible(seconds: float) -> float | None:
    return seconds if _EARLIEST_S <= seconds <= _LATEST_S else None
