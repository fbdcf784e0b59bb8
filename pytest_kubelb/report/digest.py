"""What the tables and verdicts at the end of a session need of a point's runs: figures, and no run. Pure.

A session has thousands of runs, which are in its record. What it keeps of one in memory is two numbers.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.record.sample import valid_rps
from pytest_kubelb.report import ceilings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.record.sample import Series


@dataclass(frozen=True)
class Provisioning:
    """The valid runs of a point under one provisioning."""

    number: int
    """As the record has it, from 1."""
    rps: tuple[float, ...]
    """Requests per second of each, in the order in which they ran."""


@dataclass(frozen=True)
class Digest:
    """The runs of one point in figures; `of` makes it."""

    point: Mapping[str, str | int]
    """The point's axes by name."""
    runs: int
    """Runs of the first provisioning, whatever their validity; warm-up runs are not counted."""
    valid_rps: tuple[float, ...]
    """Requests per second of the valid ones among them."""
    speaks: bool
    """Whether the valid ones speak for the others: there is one, and none failed."""
    ceiling: str | None
    """What most of the valid ones had; None where no evidence was read."""
    provisionings: tuple[Provisioning, ...]
    """Those that have a valid run, the first first."""
    wire_bytes: array[float]
    """Bytes on the wire for each request, of every valid run of which that is known."""


def of(series: Series) -> Digest:
    """Give the figures of a point's runs."""
    groups = (series.samples, *series.measured_anew)
    rps = [valid_rps(samples) for samples in groups]
    wire_bytes = (
        sample.wire_bytes_per_request
        for samples in groups
        for sample in samples
        if sample.validity == "valid" and sample.wire_bytes_per_request is not None
    )
    return Digest(
        point=series.point,
        runs=sum(sample.validity != "warmup" for sample in series.samples),
        valid_rps=rps[0],
        speaks=series.unspoken("") is None,
        ceiling=ceilings.of_point(series),
        provisionings=tuple(
            Provisioning(samples[0].provisioning, valid)
            for samples, valid in zip(groups, rps, strict=True)
            if valid
        ),
        wire_bytes=array("d", wire_bytes),
    )
