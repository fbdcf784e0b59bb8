"""Begin and end the record of a pytest session. Touches `.kubelb/` under the rootdir."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import __version__
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart
from pytest_kubelb.record.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.record.session import Session
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.inventory import Inventory


def begin(session: Session, settings: Settings, facts: Mapping[str, object]) -> RecordWriter:
    """Open the record with what is known of the testbed, the machine and the versions. Raises KubelbError."""
    inventory = settings.inventory
    known = {
        "testbed": inventory.testbed.name,
        "workload": asdict(inventory.workload),
        "backends": {name: _backend(inventory, name) for name in settings.backend},
        "tuning": {
            name: {host: knobs.to_json() for host, knobs in inventory.tunings[name].by_host.items()}
            for name in settings.tuning
            if name != "none"
        },
        "controller": platform.platform(),
        "versions": {
            "pytest_kubelb": __version__,
            "pytest": pytest.__version__,
            "python": platform.python_version(),
        },
        **facts,
    }
    return RecordWriter(session.record, SessionStart(session.id, _now(), known, settings.facts()))


def _backend(inventory: Inventory, name: str) -> dict[str, object]:
    """Give a backend's section of the inventory as it was understood."""
    own = {"ipvs": inventory.ipvs, "proxy": inventory.proxy}.get(name)
    return asdict(own) if own is not None else dict(inventory.other_backends.get(name, {}))


def note(writer: RecordWriter, name: str, details: Mapping[str, object]) -> None:
    """Append something that happened. Raises KubelbError."""
    writer.append(Event(_now(), name, details))


def end(writer: RecordWriter, exit_code: int) -> None:
    """Append the end of the session and close the record. Raises KubelbError."""
    with writer:
        writer.append(SessionEnd(_now(), exit_code))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
