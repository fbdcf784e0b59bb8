"""The event `resumed`, with which a session goes on that had stopped: what it gave up, and the settings from then on.

Values only; touches nothing. Runs of points that were interrupted stay in the record, and no verdict counts them. The
event names them: of one provisioning of a point only the first `kept` runs count. Its number is never used again, so
the order in which runs and events are read does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_kubelb.load import json_fields
from pytest_kubelb.record.points import PointKey, point_key, point_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.record.lines import Event, SessionStart

RESUMED: Final = "resumed"
"""Name of the event with which a session goes on that had stopped."""
_Run = TypeVar("_Run")


@dataclass(frozen=True)
class AbandonedRuns:
    """What no verdict counts of one provisioning of a point."""

    point: Mapping[str, str | int]
    """The point's axes by name."""
    provisioning: int
    kept: int
    """Runs of the provisioning, the first ones, that do count: they are of another bench at this point."""
    runs: int
    """Runs that do not, warm-up runs included."""

    def to_json(self) -> dict[str, object]:
        """Give it as it stands in the event."""
        return {**vars(self), "point": dict(self.point)}

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> AbandonedRuns:
        """Read what `to_json` gave. Raises ValueError."""
        return cls(
            point=json_fields.axes(fields, "point"),
            provisioning=json_fields.count(fields, "provisioning"),
            kept=json_fields.count(fields, "kept"),
            runs=json_fields.count(fields, "runs"),
        )

    @property
    def sentence(self) -> str:
        """What a reader of a verdict should know."""
        several = f"{self.runs} runs" if self.runs != 1 else "1 run"
        return (
            f"{several} of {point_text(point_key(self.point))} (provisioning {self.provisioning}) are in the record "
            "and count for no verdict: the session was interrupted before the point was finished."
        )


class Abandoned:
    """What the `resumed` events of one session gave up."""

    def __init__(self) -> None:
        self.each: list[AbandonedRuns] = []
        """In the order of the events."""
        self._kept: dict[tuple[PointKey, int], int] = {}

    def hear(self, event: Event) -> bool:
        """Take an event; tell whether it is that of a session that goes on, whose earlier end is none then.

        What is no list of abandoned runs is passed over: the runs then count.
        """
        if event.name != RESUMED:
            return False
        try:
            found = [
                AbandonedRuns.from_json(each) for each in json_fields.objects(event.details, "abandoned")
            ]
        except ValueError:
            return True
        for each in found:
            self.each.append(each)
            place = point_key(each.point), each.provisioning
            self._kept[place] = min(each.kept, self._kept.get(place, each.kept))
        return True

    def counting(self, key: PointKey, provisioning: int, runs: Sequence[_Run]) -> Sequence[_Run]:
        """Give those of the runs of one provisioning of a point that count, in their order."""
        return runs[: self._kept.get((key, provisioning), len(runs))]

    def counts(self, key: PointKey, provisioning: int) -> bool:
        """Tell whether any run of the provisioning may count."""
        return self._kept.get((key, provisioning), 1) > 0


def settings_of_now(start: SessionStart, event: Event) -> SessionStart:
    """Give the beginning of a session with the settings it went on with: how it judges may have changed."""
    settings = event.details.get("settings")
    return replace(start, settings={**start.settings, **settings}) if isinstance(settings, dict) else start
