"""What a session is going to measure, as its record tells it before the first run. Values only; touches nothing.

The events `planned` list every item; `begun` says which of them the following runs belong to, and `item_failed` why
one failed that was not failed by its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLANNED: Final = "planned"
BEGUN: Final = "begun"
ITEM_FAILED: Final = "item_failed"
MOST_IN_A_LINE: Final = 1000
"""Items in one event: a line of the record has at most 1 MiB."""


@dataclass(frozen=True)
class Planned:
    """One item of the plan."""

    item: str
    """The bench's node id, and its other parameters if it has any: the same however many points are selected."""
    id: str
    """As in the item's brackets."""
    point: Mapping[str, str | int]
    """The point's axes by name."""
    provisioning: int
    """Pass of the sweep."""
    runs: int
    warmup: int
    duration_s: int

    @property
    def load(self) -> tuple[int, int, int]:
        """Runs, warm-up runs, seconds."""
        return self.runs, self.warmup, self.duration_s

    def to_json(self) -> dict[str, object]:
        """Give it as it stands in the event."""
        return {**vars(self), "point": dict(self.point)}

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> Planned:
        """Read what `to_json` gave. Raises ValueError."""
        return cls(
            item=json_fields.text(fields, "item"),
            id=json_fields.text(fields, "id"),
            point=json_fields.axes(fields, "point"),
            provisioning=json_fields.count(fields, "provisioning"),
            runs=json_fields.count(fields, "runs"),
            warmup=json_fields.count(fields, "warmup"),
            duration_s=json_fields.count(fields, "duration_s"),
        )


def details(items: Sequence[Planned]) -> Iterator[dict[str, object]]:
    """Give the details of the events that list all items."""
    for first in range(0, len(items), MOST_IN_A_LINE):
        yield {"items": [item.to_json() for item in items[first : first + MOST_IN_A_LINE]]}
