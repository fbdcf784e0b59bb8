"""Print a result as wrk does: the formats of wrk.c and units.c of wrk 4.1.0, in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_kubelb.load.result import WrkResult

REAL_OUTPUT = """\
Running 1s test @ http://192.168.0.111:8888/
  2 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    83.21us   39.87us   1.55ms   93.31%
    Req/Sec    22.97k     1.35k    25.98k    72.73%
  Latency Distribution
     50%   78.00us
     75%   92.00us
     90%  110.00us
     99%  201.00us
  50306 requests in 1.10s, 40.78MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  45733.21
Transfer/sec:     37.07MB
"""


def scaled(value: float, base: str, units: tuple[str, ...], step: int) -> str:
    """Do what format_units() does: the unit grows as soon as 85 % of the next one are reached."""
    suffix = ""
    for unit in units:
        if value < step * 0.85:
            break
        value, suffix = value / step, unit
    return f"{value:.2f}{suffix}{base}"


def time_text(value_us: float) -> str:
    if value_us >= 1e6:
        seconds = value_us / 1e6
        text = scaled(seconds, "", ("m", "h"), 60)
        return text if text[-1] in "mh" else f"{text}s"
    text = scaled(value_us, "", ("ms", "s"), 1000)
    return text if text.endswith("s") else f"{text}us"


def binary_text(value: float) -> str:
    return scaled(value, "B", ("K", "M", "G", "T", "P"), 1024)


def classic_text(result: WrkResult) -> str:
    latency, errors = result.latency, result.errors
    times_us = (latency.mean_us, latency.stdev_us, latency.max_us)
    lines = [
        "Running 1m test @ http://10.254.0.10/",
        "  40 threads and 800 connections",
        "  Thread Stats   Avg      Stdev     Max   +/- Stdev",
        "    Latency " + "  ".join(time_text(value) for value in times_us) + "   -nan%",
        "    Req/Sec    22.97k     1.35k    25.98k    72.73%",
    ]
    if latency.percentiles_us:
        lines.append("  Latency Distribution")
        lines += [f"{name:>7}%{time_text(value):>10}" for name, value in latency.percentiles_us.items()]
    duration = time_text(result.duration_s * 1e6)
    lines.append(f"  {result.requests} requests in {duration}, {binary_text(result.bytes)} read")
    if errors.connect or errors.read or errors.write or errors.timeout:
        lines.append(
            f"  Socket errors: connect {errors.connect}, read {errors.read}, "
            f"write {errors.write}, timeout {errors.timeout}"
        )
    if errors.status:
        lines.append(f"  Non-2xx or 3xx responses: {errors.status}")
    lines.append(f"Requests/sec: {result.rps:9.2f}")
    lines.append(f"Transfer/sec: {binary_text(result.bytes / result.duration_s):>10}")
    return "\n".join(lines) + "\n"
