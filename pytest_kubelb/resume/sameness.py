"""Whether a session may go on with the record of another process: what has to be the same, and what is not. Pure.

What a run is has to be the same: how wrk loads a point, how often, in which order, and on what; and which runs are
valid, since that was settled as each was made. How the valid ones are judged may change, and so may what is written
and where. Of the matrix a part may be selected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.options import BY_KEY
from pytest_kubelb.record import fingerprint
from pytest_kubelb.record.lines import SessionStart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_kubelb.record.planned import Planned
    from pytest_kubelb.record.resumable import Resumable
    from pytest_kubelb.settings import Settings

SAME: Final = (
    *("duration", "connections", "threads"),
    *("runs", "max_runs", "precision", "warmup", "passes"),
    *("order", "order_seed"),
    *("tolerance", "baseline"),
)
"""Keys of the settings that must not differ, those of `_decides` only where it says so."""


def of_settings(recorded: Mapping[str, object], settings: Settings) -> str | None:
    """Give the first setting that differs from the recorded ones, as half a sentence; None when none does."""
    for key in SAME:
        if not _decides(key, settings):
            continue
        before, now = _recorded(recorded, key), settings.texts.get(key)
        if _parsed(key, before) != _parsed(key, now):
            return (
                f"it was measured with {BY_KEY[key].flag} {before or 'not given'}, and now it is "
                f"{now or 'not given'} ({settings.origins[key]})"
            )
    return None


def of_facts(known: Resumable, facts: Mapping[str, object]) -> str | None:
    """Give the first thing in which the testbed differs from the recorded one, as half a sentence; None for the same.

    `facts` are as a session has them in its first line or its event `testbed`; what one of the two does not tell is
    taken as equal.
    """
    before = fingerprint.of(known.start, known.testbed)
    now = fingerprint.of(SessionStart("", "", facts, {}))
    for each in fingerprint.compare(before, now):
        if each.matters and each.path != ("hosts",):
            return f"{each.field} was {_shown(each.baseline)}, and now it is {_shown(each.current)}"
    hosts, before_hosts = (set(_mapping(part.get("hosts"))) for part in (now, before))
    if before_hosts and (added := sorted(hosts - before_hosts)):
        return f"the host {added[0]} had no part in it"
    return _of_validity(known.start.facts, facts)


def _of_validity(before: Mapping[str, object], now: Mapping[str, object]) -> str | None:
    """Give the first key of `[evidence]` and `[limits]` that differs; None too where one of the two does not tell.

    A baseline may have other ones: each session's runs were told apart by its own. Those of one session are not.
    """
    if "evidence" in before and "evidence" in now:
        roles, own = (_roles(facts["evidence"]) for facts in (before, now))
        if roles != own:
            return f"evidence.roles was {_shown(roles) or 'none'}, and now it is {_shown(own) or 'none'}"
    if "limits" in before and "limits" in now:
        limits, own_limits = (_mapping(facts["limits"]) for facts in (before, now))
        for name in sorted(limits.keys() | own_limits.keys()):
            was, value = (each.get(name, "the default") for each in (limits, own_limits))
            if was != value:
                return f"limits.{name} was {_shown(was)}, and now it is {_shown(value)}"
    return None


def _roles(evidence: object) -> list[str]:
    roles = _mapping(evidence).get("roles")
    return sorted(map(str, roles)) if isinstance(roles, list) else []


def of_items(known: Resumable, items: Iterable[Planned]) -> str | None:
    """Give the first item that the session had not planned so, as half a sentence; None when it had all of them."""
    for item in items:
        before = known.planned.get(item.item)
        if before is None or (before.point, before.provisioning) != (item.point, item.provisioning):
            return f"{item.id} is none of the points that it was going to measure"
        if before.load != item.load:
            named = zip(("runs", "warm-up runs", "seconds a run"), before.load, item.load, strict=True)
            name, was, now = next(each for each in named if each[1] != each[2])
            return f"{item.id} was measured with {was} {name}, and now a marker asks for {now}"
    return None


def seed(recorded: Mapping[str, object]) -> int | None:
    """Give the seed of the recorded order; None where there is none."""
    text = _recorded(recorded, "order_seed")
    value = _parsed("order_seed", text)
    return value if isinstance(value, int) else None


def _decides(key: str, settings: Settings) -> bool:
    """Tell whether a setting has a say in what runs there are."""
    match key:
        case "order_seed":
            return settings.order == "random"
        case "tolerance":  # runs are made until the spread can be judged by it
            return settings.max_runs is not None or settings.precision is not None
        case "baseline":  # what it knows of a point's spread tells how well its mean is known
            return settings.precision is not None
    return True


def _recorded(recorded: Mapping[str, object], key: str) -> str | None:
    given = recorded.get(key)
    text = given.get("value") if isinstance(given, dict) else None
    return text if isinstance(text, str) else None


def _parsed(key: str, text: str | None) -> object:
    """Give the value of a text, so that 60s and 1m are the same; the text where it is none of ours."""
    if text is None:
        # An option of a later version that the record cannot know is as good as its default.
        text = BY_KEY[key].default
    if text is None:
        return None
    try:
        return BY_KEY[key].parse(text)
    except ValueError:
        return text


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
