"""Settings that are no longer as tuning left them, and who may have changed them. Pure: touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.record.finding import Finding
from pytest_kubelb.tuning import cpuset, places
from pytest_kubelb.tuning.irqbalance import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN: Final = 3
_SETS: Final = ("irq", "rps_cpus", "xps_cpus")


def drift(
    host: str, expected: Mapping[str, str], settings: Mapping[str, str], others: Sequence[str] = ()
) -> Finding | None:
    """Give the finding about settings that differ from what is expected; None where none does.

    Settings that were not read are not judged. `others` are the sessions whose journals the host has beside ours.
    """
    found = _by_action(settings)
    drifted = {
        name: (value, found[_key(name)])
        for name, value in expected.items()
        if _key(name) in found and found[_key(name)] != value
    }
    if not drifted:
        return None
    told = [
        f"{name} is {_shown(name, now)} and was set to {_shown(name, was)}"
        for name, (was, now) in drifted.items()
    ]
    more = f", and {len(told) - _SHOWN} more settings differ" if len(told) > _SHOWN else ""
    return Finding(
        kind="validity",
        signal="tuning_drift",
        host=host,
        value=float(len(drifted)),
        limit=0.0,
        unit="",
        effect="contaminated",
        sentence=f"host {host}: {', '.join(told[:_SHOWN])}{more}: {_who(drifted, settings, others)}",
    )


def _who(drifted: Mapping[str, tuple[str, str]], settings: Mapping[str, str], others: Sequence[str]) -> str:
    if others:
        return f"session {', '.join(others)} is tuning this host as well; let one of the two end"
    running = settings.get(places.IRQBALANCE) == RUNNING
    if running and places.IRQBALANCE in drifted:
        return "irqbalance is running again; find out who starts it there, and mask its service meanwhile"
    if running and any(name.startswith("irq ") for name in drifted):
        return "irqbalance is running and moves interrupts; set irqbalance = false in the tuning profile"
    return (
        "somebody else changed it during the session; see who is logged in there, and which services tune it"
    )


def _key(name: str) -> str:
    """Name an interrupt by what it is for: its number changes when a driver makes its queues anew."""
    words = name.split(" ", 2)
    return f"irq {words[2]}" if words[0] == "irq" and len(words) == 3 else name


def _by_action(settings: Mapping[str, str]) -> dict[str, str]:
    return {_key(name): value for name, value in settings.items()}


def _shown(name: str, value: str) -> str:
    if name.partition(" ")[0] not in _SETS or value == "none":
        return value
    try:
        return cpuset.shown(cpuset.from_list(value))
    except ValueError:  # in another reader's spelling
        return value
