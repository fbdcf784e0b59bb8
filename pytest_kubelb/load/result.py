"""What one wrk invocation measured, as values, and the same as JSON. Touches nothing.

Every `from_json` raises ValueError that names the field that is missing or odd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

PERCENTILES = ("50", "75", "90", "95", "99", "99.9", "99.99")
"""Percentiles that `report.lua` prints, as they are spelt in `Latency.percentiles_us`."""


@dataclass(frozen=True)
class Latency:
    """Response times over all requests of a run, in microseconds."""

    mean_us: float
    """Arithmetic mean."""
    stdev_us: float
    """Standard deviation."""
    max_us: float
    """Longest response."""
    percentiles_us: Mapping[str, float]
    """Keys as in `PERCENTILES`; fewer, or none, when the figures come from wrk's classic text."""

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> Latency:
        """Read the fields of this class; others are ignored."""
        percentiles_us = json_fields.mapping(fields, "percentiles_us")
        return cls(
            mean_us=json_fields.number(fields, "mean_us"),
            stdev_us=json_fields.number(fields, "stdev_us"),
            max_us=json_fields.number(fields, "max_us"),
            percentiles_us={name: json_fields.number(percentiles_us, name) for name in percentiles_us},
        )


@dataclass(frozen=True)
class SocketErrors:
    """What went wrong during a run, by wrk's own kinds."""

    connect: int
    """Connections that could not be opened."""
    read: int
    """Reads that failed, or ended before the response was complete."""
    write: int
    """Writes that failed."""
    status: int
    """Responses with a status above 399; they count as requests all the same."""
    timeout: int
    """Responses that took longer than wrk's time-out."""

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> SocketErrors:
        """Read the fields of this class; others are ignored."""
        return cls(
            connect=json_fields.count(fields, "connect"),
            read=json_fields.count(fields, "read"),
            write=json_fields.count(fields, "write"),
            status=json_fields.count(fields, "status"),
            timeout=json_fields.count(fields, "timeout"),
        )


@dataclass(frozen=True)
class WrkResult:
    """What wrk says about one run."""

    rps: float
    """Requests per second: `requests / duration_s`."""
    requests: int
    """Responses received in full."""
    bytes: int
    """Bytes read, HTTP headers included."""
    duration_s: float
    """wrk's own measure of the run, in seconds; not the wall time of its process."""
    latency: Latency
    errors: SocketErrors

    def to_json(self) -> dict[str, object]:
        """Give the result as a JSON object; `from_json` gives it back."""
        return {
            **vars(self),
            "latency": {**vars(self.latency), "percentiles_us": dict(self.latency.percentiles_us)},
            "errors": dict(vars(self.errors)),
        }

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> WrkResult:
        """Read what `to_json` gave."""
        return cls(
            rps=json_fields.number(fields, "rps"),
            requests=json_fields.count(fields, "requests"),
            bytes=json_fields.count(fields, "bytes"),
            duration_s=json_fields.number(fields, "duration_s"),
            latency=Latency.from_json(json_fields.mapping(fields, "latency")),
            errors=SocketErrors.from_json(json_fields.mapping(fields, "errors")),
        )
