"""Begin and end the record of a pytest session. Touches `.kubelb/` under the rootdir."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import __version__
from pytest_kubelb.record import planned, resumption
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart
from pytest_kubelb.record.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_kubelb.evidence.limits import Limits
    from pytest_kubelb.record.planned import Planned
    from pytest_kubelb.record.resumable import Resumable
    from pytest_kubelb.record.session import Session
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.inventory import Inventory


def begin(
    session: Session, settings: Settings, facts: Mapping[str, object], items: Iterable[Planned] = ()
) -> RecordWriter:
    """Open the record with what is known of the testbed, the machine and the versions, and the plan.

    Raises KubelbError.
    """
    known = {**facts_of(settings), **facts}
    writer = RecordWriter(session.record, SessionStart(session.id, _now(), known, settings.facts()))
    try:
        for details in planned.details(list(items)):
            note(writer, planned.PLANNED, details)
    except BaseException:
        writer.close()
        raise
    return writer


def go_on(session: Session, settings: Settings, known: Callable[[], Resumable]) -> RecordWriter:
    """Open the record of a session that had stopped, and note what it gives up and how it goes on.

    `known` reads the record again, now that nobody else can write to it. Raises KubelbError.
    """

    def resumed(cut_bytes: int) -> Event:
        abandoned = known().abandoned
        facts = facts_of(settings)
        settings_now = {key: given for key, given in settings.facts().items() if key != "resume"}
        details = {
            "abandoned": [each.to_json() for each in abandoned],
            "cut_bytes": cut_bytes,
            "settings": settings_now,
            **{name: facts[name] for name in ("process", "controller", "versions")},
        }
        return Event(_now(), resumption.RESUMED, details)

    return RecordWriter(session.record, resumed)


def facts_of(settings: Settings) -> dict[str, object]:
    """Give what is known before a testbed is opened: the inventory's part, this process, this machine, the versions."""
    inventory = settings.inventory
    return {
        "testbed": inventory.testbed.name,
        "workload": inventory.workload.facts(),
        "backends": {name: _backend(inventory, name) for name in settings.backend},
        "tuning": {
            name: {host: knobs.to_json() for host, knobs in inventory.tunings[name].by_host.items()}
            for name in settings.tuning
            if name != "none"
        },
        "evidence": {"roles": list(inventory.evidence)},
        "limits": _limits(inventory.limits),
        "process": {"pid": os.getpid(), "host": platform.node()},
        "controller": platform.platform(),
        "versions": {
            "pytest_kubelb": __version__,
            "pytest": pytest.__version__,
            "python": platform.python_version(),
        },
    }


def _backend(inventory: Inventory, name: str) -> dict[str, object]:
    """Give a backend's section of the inventory as it was understood."""
    own = {"ipvs": inventory.ipvs, "proxy": inventory.proxy}.get(name)
    return asdict(own) if own is not None else dict(inventory.other_backends.get(name, {}))


def _limits(limits: Limits) -> dict[str, object]:
    """Give the limits that are not the defaults, as an inventory has them."""
    found: dict[str, object] = {}
    for known in fields(limits):
        value = getattr(limits, known.name)
        if value != known.default:
            unit = "%" if known.metadata["unit"] == "%" else ""
            found[known.name] = "off" if value is None else f"{value:.12g}{unit}"
    return found


def note(writer: RecordWriter, name: str, details: Mapping[str, object]) -> None:
    """Append something that happened. Raises KubelbError."""
    writer.append(Event(_now(), name, details))


def end(writer: RecordWriter, exit_code: int) -> None:
    """Append the end of the session and close the record. Raises KubelbError."""
    with writer:
        writer.append(SessionEnd(_now(), exit_code))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
