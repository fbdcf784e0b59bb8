"""The kinds of line in a log around wrk's classic text. Pure: a line in, its kind and its parts out.

The original's logs are made by a shell script: `podnum=4`, `Start time: <epoch>`, the command, what wrk
prints, `End time: <epoch>`. Other scripts leave parts out, or write a bare number, a label or a date.
"""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_FIGURES = (
    r"Latency\s+(?!Distribution)\S|Req/Sec\s|[0-9]+ requests in|Socket errors|Non-2xx"
    r"|Requests/sec|Transfer/sec|Latency Distribution"
)
_KINDS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("header", r"(?i:pod_?num|pods)\s*[=:]\s*(?P<value>.*)"),
        ("start", r"Start time:\s*(?P<value>.*)"),
        ("end", r"End time:\s*(?P<value>.*)"),
        ("running", r"Running (?P<value>[0-9]{1,6})(?P<unit>[smh]) test @ (?P<url>\S+)"),
        ("figure", rf"(?P<value>{_FIGURES})"),
        ("percentile", r"(?P<value>[0-9]{1,3}(?:\.[0-9]{1,3})?%)\s"),
        # A pod count, or a time; other numbers mean nothing.
        ("number", r"(?P<value>[0-9]{1,4}|[0-9]{9,19})$"),
        ("retry", r"(?P<value>Retrying\b)"),
        ("refused", r"(?P<value>unable to (?:connect|resolve).*)"),
        (
            "wrk2",
            r"(?P<value>Initialised [0-9]+ threads|Thread calibration:|Detailed Percentile spectrum"
            r"|Value\s+Percentile\s+TotalCount|#\[|Uncorrected Latency)",
        ),
        ("table", r"(?P<value>[0-9.]+\s+[0-9.]+\s+[0-9]+(?:\s+(?:[0-9.]+|-?inf))?$)"),
        ("chatter", r"(?P<value>[0-9]+ threads? and [0-9]+ connections?$|Thread Stats\s|-{5,}$)"),
        ("label", r"(?P<key>[A-Za-z][A-Za-z0-9_-]{0,31})=(?P<value>\S{1,64})$"),
    )
)
_COMMAND: Final = re.compile(r"(?:^|[\s/])wrk2?\s+-")
_ASKED: Final = re.compile(r"\s(?:-d\s?|--duration[ =])([0-9]{1,6})([smh]?)(?=\s|$)")
_EPOCH_AFTER: Final = re.compile(r"\s([0-9]{10})$")
_NOISE: Final = (
    (
        "curl's progress meter",
        re.compile(r"% Total\s|Dload\s|[0-9]+\s+[0-9.]+[kM]?\s+[0-9]+\s.*--:--:--|curl:"),
    ),
    (
        "an error of kubectl",
        re.compile(r"error:|Error from server|The connection to the server|Unable to connect to the server"),
    ),
)


def kind_of(line: str, *, in_report: bool) -> tuple[str, re.Match[str] | None]:
    """Give the kind of a line that is not empty, without blanks at its ends; `noise` for all others.

    `in_report` says that wrk has begun to print: only there a percentage is a percentile.
    """
    if _COMMAND.search(line):
        return "command", None
    for name, pattern in _KINDS:
        match = pattern.match(line)
        if match is None:
            continue
        if name == "percentile":
            return ("figure" if in_report else "noise"), match
        return name, match
    return "noise", None


def noise_of(line: str) -> str:
    """Give what a line of noise is, in a few words."""
    for name, pattern in _NOISE:
        if pattern.match(line):
            return name
    return "a line that is no part of a log"


def command_of(line: str) -> tuple[str, str | None]:
    """Give the command line, and the epoch that some logs have after it, as text."""
    match = _EPOCH_AFTER.search(line)
    return (line, None) if match is None else (line[: match.start()].rstrip(), match[1])


def asked_s(command: str) -> float | None:
    """Give the seconds that a command line asks wrk to run for; None when it does not say."""
    match = _ASKED.search(command)
    # A bare number is in seconds, as wrk reads it.
    return None if match is None else float(int(match[1]) * _SECONDS[match[2] or "s"])


def announced_s(running: re.Match[str], measured_s: float | None) -> float:
    """Give the seconds of `Running 1m test`, which wrk rounds to the unit: 90 s are announced as 2m.

    `measured_s` is taken where it rounds to what was announced.
    """
    unit_s = _SECONDS[running["unit"]]
    announced = float(int(running["value"]) * unit_s)
    if measured_s is not None and unit_s > 1 and abs(measured_s - announced) <= unit_s / 2:
        return measured_s
    return announced
