"""Read wrk's classic text, as `wrk` prints it without a script. Text in, values out; touches nothing.

The format is that of wrk.c and units.c of wrk 4.x: two decimals and a unit that grows with the value, so
figures are rounded by up to 1 part in 170. Only `requests` and `rps` are as exact as in the JSON line.
wrk2 4.0 prints the same report, with percentiles up to 100.000% and more text between, which is ignored.
"""

from __future__ import annotations

import math
import re

from pytest_kubelb.errors import WrkOutputError
from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult

_TIME_US = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_BINARY = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}

# Digits are bounded: int() and float() refuse, or turn to infinity, what is longer.
_NUMBER = r"[0-9]{1,18}\.[0-9]{2}"
_COUNT = r"[0-9]{1,18}"
_TIME = rf"({_NUMBER})(us|ms|s|m|h)"
# Without a single response wrk divides 0 by 0, and wrk2 does so for times as well.
_PERCENT = r"(?:[0-9]{1,3}\.[0-9]{2}|-?nan)%"
_TIME_OR_NAN = rf"({_NUMBER}|-?nan)(us|ms|s|m|h)"
_RATE_OR_NAN = rf"(?:{_NUMBER}|-?nan)[kMGTP]?"
_BYTES = rf"({_NUMBER})([KMGTP]?)B"

# name of the line, how it begins, what it is like in full
_LINES = {
    "Latency": (
        r"Latency\s+(?!Distribution)",
        rf"Latency\s+{_TIME_OR_NAN}\s+{_TIME_OR_NAN}\s+{_TIME_OR_NAN}\s+{_PERCENT}",
    ),
    "Req/Sec": (
        r"Req/Sec\s",
        rf"Req/Sec\s+{_RATE_OR_NAN}\s+{_RATE_OR_NAN}\s+{_RATE_OR_NAN}\s+{_PERCENT}",
    ),
    "requests in": (r"[0-9]+ requests in", rf"({_COUNT}) requests in\s+{_TIME}, {_BYTES} read"),
    "Socket errors": (
        r"Socket errors",
        rf"Socket errors: connect ({_COUNT}), read ({_COUNT}), write ({_COUNT}), timeout ({_COUNT})",
    ),
    "Non-2xx": (r"Non-2xx", rf"Non-2xx or 3xx responses: ({_COUNT})"),
    "Requests/sec": (r"Requests/sec", rf"Requests/sec:\s+({_NUMBER})"),
    "Transfer/sec": (r"Transfer/sec", rf"Transfer/sec:\s+{_BYTES}"),
}
_BEGINNINGS = {name: re.compile(begins) for name, (begins, _) in _LINES.items()}
_PATTERNS = {name: re.compile(full) for name, (_, full) in _LINES.items()}
_PERCENTILE_LINE = re.compile(rf"([0-9]{{1,2}}(?:\.[0-9]{{1,3}})?|100(?:\.0{{1,3}})?)%\s+{_TIME}")
_REQUIRED = ("Latency", "Req/Sec", "requests in", "Requests/sec", "Transfer/sec")


def parse_classic_output(stdout: str) -> WrkResult:
    """Give the result in the text of one wrk invocation; lines that are not wrk's are ignored.

    `percentiles_us` holds what `--latency` printed (50, 75, 90, 99), else nothing.
    Raises WrkOutputError that names the line when one is missing (the text was cut off), there twice, or odd.
    """
    lines = [line.strip() for line in stdout.split("\n")]
    found: dict[str, re.Match[str]] = {}
    for line in lines:
        name = next((name for name, begins in _BEGINNINGS.items() if begins.match(line)), None)
        if name is None:
            continue
        match = _PATTERNS[name].fullmatch(line)
        if match is None:
            raise _odd(name, line, "does not read as wrk prints it")
        if name in found:
            raise _odd(name, line, "is there twice")
        found[name] = match
    for name in _REQUIRED:
        if name not in found:
            last = stdout.rstrip().rpartition("\n")[2]
            raise WrkOutputError(
                f"wrk's text has no {name!r} line (the last one is {excerpt(last)}): "
                "wrk ended early or its output was cut off; run it again."
            )
    return _result(found, _percentiles(lines))


def _result(found: dict[str, re.Match[str]], percentiles_us: dict[str, float]) -> WrkResult:
    latency, total = found["Latency"], found["requests in"]
    errors = found.get("Socket errors")
    connect, read, write, timeout = (int(kind) for kind in errors.groups()) if errors else (0, 0, 0, 0)
    status = found.get("Non-2xx")
    rps = float(found["Requests/sec"][1])
    requests = int(total[1])
    _check_rate(rps, requests, total, found["Requests/sec"].string)
    if requests and "nan" in latency.string.rpartition(" ")[0]:
        raise _odd("Latency", latency.string, f"has no figures, in spite of {requests} requests")
    return WrkResult(
        rps=rps,
        requests=requests,
        bytes=round(float(total[4]) * _BINARY[total[5]]),
        duration_s=_time_us(total[2], total[3]) / 1e6,
        latency=Latency(
            mean_us=_time_us(latency[1], latency[2]),
            stdev_us=_time_us(latency[3], latency[4]),
            max_us=_time_us(latency[5], latency[6]),
            percentiles_us=percentiles_us,
        ),
        errors=SocketErrors(connect, read, write, int(status[1]) if status else 0, timeout),
    )


def _percentiles(lines: list[str]) -> dict[str, float]:
    """Give the percentiles, which stand in one block under their heading."""
    heading = next((i for i, line in enumerate(lines) if line.startswith("Latency Distribution")), None)
    found: dict[str, float] = {}
    if heading is None:
        return found
    for line in lines[heading + 1 :]:
        match = _PERCENTILE_LINE.fullmatch(line)
        if match is None:
            if "%" in line:
                raise _odd("Latency Distribution", line, "does not read as wrk prints it")
            break
        # wrk prints 99.9 as 99.900 with some builds
        found[f"{float(match[1]):g}"] = _time_us(match[2], match[3])
    if not found:
        raise _odd("Latency Distribution", lines[heading], "has no percentiles under it")
    return found


def _check_rate(rps: float, requests: int, total: re.Match[str], line: str) -> None:
    """Refuse figures that contradict each other: two outputs were mixed, or a digit was lost."""
    rounding_s = 0.0051 * _TIME_US[total[3]] / 1e6
    duration_s = _time_us(total[2], total[3]) / 1e6
    longest_s, shortest_s = duration_s + rounding_s, duration_s - rounding_s
    highest = math.inf if shortest_s <= 0 else requests / shortest_s
    if not requests / longest_s - 0.01 <= rps <= highest + 0.01:
        raise _odd("Requests/sec", line, f"contradicts {total.string!r}")


def _time_us(value: str, unit: str) -> float:
    """Give microseconds; no response took no time, which wrk2 prints as nan."""
    return 0.0 if value.endswith("nan") else float(value) * _TIME_US[unit]


def _odd(name: str, line: str, what: str) -> WrkOutputError:
    return WrkOutputError(
        f"The {name!r} line of wrk's text {what}: {excerpt(line)}; "
        "was its output cut off, or mixed with another's? Run it again."
    )
