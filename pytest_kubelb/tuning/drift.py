"""Settings that are no longer as tuning left them, and who may have changed them. Pure: touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.record.finding import Finding
from pytest_kubelb.tuning import cpuset, places
from pytest_kubelb.tuning.irqbalance import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGNAL: Final = "tuning_drift"
GONE: Final = "gone"
"""The value of a setting that the host has no longer."""
DAEMONS: Final = {
    "tuned": "tuned",
    "power-profiles-": "power-profiles-daemon",
    "thermald": "thermald",
    "auto-cpufreq": "auto-cpufreq",
}
"""Programs that set a host's knobs: name of the process, which the kernel cuts after 15 letters -> name for people."""

_SHOWN: Final = 3
_SETS: Final = ("irq", "rps_cpus", "xps_cpus")


@dataclass(frozen=True)
class Suspects:
    """Who may have changed a host's settings, as far as the host shows."""

    sessions: Sequence[str] = ()
    """Those whose journals the host has beside ours."""
    restored: bool = False
    """Our own journal is gone: `kubelb restore` was run."""
    daemons: Sequence[str] = ()
    """Processes of `DAEMONS` that run there."""


NOBODY: Final = Suspects()


def differing(
    expected: Mapping[str, str], settings: Mapping[str, str], *, complete: bool = False
) -> dict[str, tuple[str, str]]:
    """Give the settings that are not as expected: name -> (expected, found).

    Settings that were not read are not judged; with `complete` everything was read, and what is not there is `GONE`.
    """
    found = {_key(name): value for name, value in settings.items()}
    differ = {}
    for name, was in expected.items():
        now = found.get(_key(name), GONE if complete else was)
        if now != was:
            differ[name] = (was, now)
    return differ


def drift(
    host: str,
    expected: Mapping[str, str],
    settings: Mapping[str, str],
    suspects: Suspects = NOBODY,
    *,
    complete: bool = False,
) -> Finding | None:
    """Give the finding about settings that differ from what is expected; None where none does.

    `complete` as in `differing`.
    """
    drifted = differing(expected, settings, complete=complete)
    if not drifted:
        return None
    told = [
        f"{name} is {_shown(name, now)} and was set to {_shown(name, was)}"
        for name, (was, now) in drifted.items()
    ]
    more = f", and {len(told) - _SHOWN} more settings differ" if len(told) > _SHOWN else ""
    return Finding(
        kind="validity",
        signal=SIGNAL,
        host=host,
        value=float(len(drifted)),
        limit=0.0,
        unit="settings",
        effect="contaminated",
        sentence=f"host {host}: {', '.join(told[:_SHOWN])}{more}: {_who(drifted, settings, suspects)}",
    )


def _who(drifted: Mapping[str, tuple[str, str]], settings: Mapping[str, str], suspects: Suspects) -> str:
    if suspects.sessions:
        return f"session {', '.join(suspects.sessions)} is tuning this host as well; let one of the two end"
    if suspects.restored:
        return (
            "this session's undo journal is gone too: `kubelb restore` was run, or the host was started again"
        )
    running = settings.get(places.IRQBALANCE) == RUNNING
    if running and places.IRQBALANCE in drifted:
        return "irqbalance is running again; find out who starts it there, and mask its service meanwhile"
    if running and any(name.startswith("irq ") for name in drifted):
        return "irqbalance is running and moves interrupts; set irqbalance = false in the tuning profile"
    if suspects.daemons:
        names = " and ".join(DAEMONS[each] for each in suspects.daemons)
        return f"{names} runs there and sets such knobs; stop it for the measurement"
    return (
        "somebody else changed it during the session; see who is logged in there, and which services tune it"
    )


def _key(name: str) -> str:
    """Name an interrupt by what it is for: its number changes when a driver makes its queues anew."""
    words = name.split(" ", 2)
    return f"irq {words[2]}" if words[0] == "irq" and len(words) == 3 else name


def _shown(name: str, value: str) -> str:
    if name.partition(" ")[0] not in _SETS or value == "none":
        return value
    try:
        return cpuset.shown(cpuset.from_list(value))
    except ValueError:  # in another reader's spelling
        return value
