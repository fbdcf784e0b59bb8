"""What the evidence around a run says about it: one signal of one host. Values only; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load import json_fields

KINDS: Final = ("validity", "path", "fairness", "ceiling")
EFFECTS: Final = ("none", "contaminated", "stalled", "failed")
"""What a finding makes of a valid run; `none` is only told. Later ones outweigh earlier ones."""
CEILINGS: Final = ("link", "lb_cpu", "client_cpu", "worker_cpu", "none", "unknown")
"""What limited a run."""

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Finding:
    """One signal that is beyond its limit, or worth telling. Raises ValueError for words it does not know."""

    kind: str
    """One of `KINDS`."""
    signal: str
    """Its name, lower case with underscores: `conntrack_drops`, `steal`, `route_changed`."""
    host: str
    """Where it was seen; empty for what concerns no single host."""
    value: float
    limit: float | None
    """None where the signal has no limit."""
    unit: str
    """Of value and limit: `%`, `packets`, `s`; empty for a ratio or a count."""
    effect: str
    """One of `EFFECTS`."""
    sentence: str
    """What was seen, in one sentence without a full stop, with number, limit, host and remedy."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"'kind' is {self.kind!r}, not one of {', '.join(KINDS)}")
        if self.effect not in EFFECTS:
            raise ValueError(f"'effect' is {self.effect!r}, not one of {', '.join(EFFECTS)}")

    def to_json(self) -> dict[str, object]:
        """Give the finding as a JSON object; `from_json` gives it back."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> Finding:
        """Read what `to_json` gave. Raises ValueError that names the field that is missing or odd."""
        return cls(
            kind=json_fields.text(fields, "kind"),
            signal=json_fields.text(fields, "signal"),
            host=json_fields.text(fields, "host"),
            value=json_fields.number(fields, "value"),
            limit=json_fields.optional_number(fields, "limit"),
            unit=json_fields.text(fields, "unit"),
            effect=json_fields.text(fields, "effect"),
            sentence=json_fields.text(fields, "sentence"),
        )
