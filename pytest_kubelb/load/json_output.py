"""Read the line that `report.lua` makes wrk print. Text in, values out.

Touches nothing but the script in this package.
"""

from __future__ import annotations

from importlib.resources import files

from pytest_kubelb.errors import WrkOutputError
from pytest_kubelb.load import json_fields
from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.load.result import PERCENTILES, Latency, SocketErrors, WrkResult

BEGIN = "KUBELB-WRK-BEGIN "
END = " KUBELB-WRK-END"


def report_script() -> str:
    """Give the text of `report.lua`, to be put on the benchmarker and handed to wrk with `-s`."""
    return files(__package__).joinpath("report.lua").read_text(encoding="utf-8")


def parse_json_output(stdout: str) -> WrkResult:
    """Give the result in wrk's standard output; wrk's own text around the line is ignored.

    `rps` is requests / duration. Raises WrkOutputError when the line is missing, cut off, there
    twice, or odd.
    """
    try:
        return _result(json_fields.decode_object(_line(stdout)))
    except ValueError as error:
        raise WrkOutputError(
            f"The line with wrk's figures cannot be read: {error}; "
            "run the command by hand and look whether something else prints to its standard output."
        ) from error


def _line(stdout: str) -> str:
    found = [line for line in stdout.split("\n") if line.startswith(BEGIN)]
    if not found:
        last = stdout.rstrip().rpartition("\n")[2]
        raise WrkOutputError(
            f"wrk printed no line that begins with {BEGIN.strip()!r} (the last one is {excerpt(last)}): "
            "it ended early or ran without -s report.lua; look at its standard error."
        )
    if len(found) > 1:
        raise ValueError(f"it is there {len(found)} times instead of once")
    line = found[0].rstrip("\r")
    if not line.endswith(END):
        raise ValueError(f"it does not end with {END.strip()!r}, so it was cut off")
    return line[len(BEGIN) : -len(END)]


def _result(fields: json_fields.JsonObject) -> WrkResult:
    requests = json_fields.count(fields, "requests")
    duration_us = json_fields.count(fields, "duration_us")
    if duration_us == 0:
        raise ValueError("'duration_us' is 0, not a duration")
    latency = Latency.from_json(json_fields.mapping(fields, "latency"))
    for name in PERCENTILES:
        if name not in latency.percentiles_us:
            raise ValueError(f"the percentile {name!r} is missing")
    return WrkResult(
        rps=requests * 1e6 / duration_us,
        requests=requests,
        bytes=json_fields.count(fields, "bytes"),
        duration_s=duration_us / 1e6,
        latency=latency,
        errors=SocketErrors.from_json(json_fields.mapping(fields, "errors")),
    )
