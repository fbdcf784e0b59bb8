"""What one run yields, and the runs of one point together. Values only; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load import json_fields
from pytest_kubelb.load.result import WrkResult
from pytest_kubelb.record.finding import CEILINGS, Finding
from pytest_kubelb.verdict import validity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VALIDITIES: Final = ("valid", "warmup", "stalled", "contaminated", "failed")
"""What a run can be: only `valid` ones are judged."""


@dataclass(frozen=True)
class Sample:
    """What one run yields. Raises ValueError when its parts contradict each other."""

    point: Mapping[str, str | int]
    """The point's axes by name."""
    provisioning: int
    """Pass of the sweep that this run belongs to, from 1."""
    run: int
    """Index within the provisioning, from 0; warm-up runs are counted apart."""
    validity: str
    """One of `VALIDITIES`."""
    reason: str | None
    """Why the run is not valid, in one sentence."""
    started: str
    """ISO 8601, UTC."""
    wall_s: float
    """Wall time of the wrk process in seconds, measured on the benchmarker."""
    command: str
    """The wrk command line as run."""
    result: WrkResult | None
    """None when the validity is `failed`, and only then may it be."""
    wrk_cpu_s: float | None = None
    """CPU time of wrk itself, user and system, in seconds; None where it is not known."""
    ceiling: str | None = None
    """What limited the run, one of `finding.CEILINGS`; None where no evidence was read."""
    findings: tuple[Finding, ...] = ()
    """What the evidence around the run says of it."""
    wire_bytes_per_request: float | None = None
    """Bytes on the benchmarker's wire in both directions for each request, framing included."""

    def __post_init__(self) -> None:
        if self.validity not in VALIDITIES:
            raise ValueError(f"'validity' is {self.validity!r}, not one of {', '.join(VALIDITIES)}")
        if self.result is None and self.validity != "failed":
            raise ValueError(f"'result' is missing in a run whose validity is {self.validity!r}")
        if self.ceiling is not None and self.ceiling not in CEILINGS:
            raise ValueError(f"'ceiling' is {self.ceiling!r}, not one of {', '.join(CEILINGS)}")

    def to_json(self) -> dict[str, object]:
        """Give the sample as a JSON object; `from_json` gives it back."""
        result = None if self.result is None else self.result.to_json()
        fields = {**vars(self), "point": dict(self.point), "result": result}
        return {**fields, "findings": [finding.to_json() for finding in self.findings]}

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> Sample:
        """Read what `to_json` gave, now or before there was evidence.

        Raises ValueError that names the field that is missing or odd.
        """
        result = json_fields.optional_mapping(fields, "result")
        with_evidence = "findings" in fields
        return cls(
            point=json_fields.axes(fields, "point"),
            provisioning=json_fields.count(fields, "provisioning"),
            run=json_fields.count(fields, "run"),
            validity=json_fields.text(fields, "validity"),
            reason=json_fields.optional_text(fields, "reason"),
            started=json_fields.text(fields, "started"),
            wall_s=json_fields.number(fields, "wall_s"),
            command=json_fields.text(fields, "command"),
            result=None if result is None else WrkResult.from_json(result),
            wrk_cpu_s=json_fields.optional_number(fields, "wrk_cpu_s") if with_evidence else None,
            ceiling=json_fields.optional_text(fields, "ceiling") if with_evidence else None,
            findings=tuple(map(Finding.from_json, json_fields.objects(fields, "findings")))
            if with_evidence
            else (),
            wire_bytes_per_request=json_fields.optional_number(fields, "wire_bytes_per_request")
            if with_evidence
            else None,
        )


@dataclass(frozen=True)
class Series:
    """The runs of one point, in the order in which they ran."""

    point: Mapping[str, str | int]
    """The point's axes by name."""
    samples: tuple[Sample, ...]
    """All runs under one provisioning, whatever their validity."""
    tolerance: float
    """Largest CV at which the point counts as repeatable: 0.05 is 5 %."""
    measured_anew: tuple[tuple[Sample, ...], ...] = ()
    """The runs of further provisionings, made because the first looked slower than the baseline."""

    @property
    def failed(self) -> tuple[Sample, ...]:
        """The runs, warm-up runs included, that gave no result."""
        return tuple(sample for sample in self.samples if sample.validity == "failed")

    @property
    def valid_rps(self) -> tuple[float, ...]:
        """Requests per second of the valid runs."""
        return valid_rps(self.samples)

    @property
    def provisionings(self) -> tuple[tuple[float, ...], ...]:
        """Requests per second of the valid runs of each provisioning that has one, the first first."""
        groups = (valid_rps(samples) for samples in (self.samples, *self.measured_anew))
        return tuple(group for group in groups if group)

    def unspoken(self, point_id: str) -> str | None:
        """Give why the valid runs do not speak for the others, as a sentence; None when they do."""
        runs = [sample for sample in self.samples if sample.validity != "warmup"]
        reasons = [sample.reason for sample in runs if sample.reason]
        return validity.unspoken(
            point_id,
            runs=len(runs),
            valid=len(self.valid_rps),
            failed=len(self.failed),
            last_reason=reasons[-1] if reasons else None,
        )


def valid_rps(samples: Iterable[Sample]) -> tuple[float, ...]:
    """Give the requests per second of the runs that count."""
    return tuple(
        sample.result.rps for sample in samples if sample.validity == "valid" and sample.result is not None
    )
