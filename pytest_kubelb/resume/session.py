"""Go on with a session that had stopped: which one, what of it is kept, and its record. Touches `.kubelb/`.

The rules for those who use it: docs/howto/resume.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pytest_kubelb import recording, stash
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import history, resumable
from pytest_kubelb.record.points import point_key
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.session import Session
from pytest_kubelb.resume import sameness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from pytest_kubelb.matrix import Point
    from pytest_kubelb.record.history import Found
    from pytest_kubelb.record.planned import Planned
    from pytest_kubelb.record.resumable import Finished, Resumable
    from pytest_kubelb.settings import Settings

LATEST: Final = "latest"
"""The word for the newest session that has something left."""


@dataclass(frozen=True)
class Resuming:
    """The session that is gone on with."""

    found: Found
    known: Resumable
    """As it was when this process began."""
    kept: dict[str, Finished] = field(default_factory=dict)
    """Node id -> what was measured; of the selected items those that are finished."""

    @property
    def session(self) -> Session:
        """Its id and its folder."""
        return Session(self.found.id, self.found.folder)

    @property
    def holder(self) -> str:
        """What the testbed calls us: what the process before left there is not ours, and is found as a leftover."""
        return f"{self.found.id}-{self.known.resumed + 2}"

    def provisioned(self, point: Point, passes: int) -> Point:
        """Give the point under a number of which the record has no run: a new provisioning is a new group."""
        number = self.known.provisioning(point_key(point.axes()), point.provisioning, passes)
        return replace(point, provisioning=number)

    def require_same_testbed(self, facts: Mapping[str, object]) -> None:
        """Raise ConfigError when what was found of the testbed differs from what the record tells of it."""
        _refuse(self.found, sameness.of_facts(self.known, facts))


def choose(config: pytest.Config) -> None:
    """Find the session that the settings name, and take over the seed of its order. Raises ConfigError."""
    settings = config.stash[stash.SETTINGS]
    origin, word = settings.origins["resume"], settings.resume or LATEST
    try:
        found, known = _latest(config.rootpath) if word == LATEST else _named(config.rootpath, word)
    except KubelbError as error:
        raise ConfigError(f"{origin}: {error}") from error
    own_seed = settings.origins["order_seed"] not in ("default", "drawn for this session")
    seed = None if own_seed else sameness.seed(known.start.settings)
    if seed is not None:
        settings = replace(
            settings,
            order_seed=seed,
            origins=MappingProxyType({**settings.origins, "order_seed": f"session {found.id}"}),
            texts=MappingProxyType({**settings.texts, "order_seed": str(seed)}),
        )
    _refuse(found, sameness.of_settings(known.start.settings, settings))
    _refuse(found, sameness.of_facts(known, recording.facts_of(settings)))
    config.stash[stash.SETTINGS] = settings
    config.stash[stash.RESUMING] = Resuming(found, known)


def keep(config: pytest.Config, planned: Mapping[str, Planned]) -> None:
    """Take from the record what is finished of the selected items. Raises ConfigError for one it had not planned."""
    resuming = config.stash[stash.RESUMING]
    _refuse(resuming.found, sameness.of_items(resuming.known, planned.values()))
    for nodeid, item in planned.items():
        if item.item in resuming.known.finished:
            resuming.kept[nodeid] = resuming.known.finished[item.item]


def open_record(config: pytest.Config) -> None:
    """Open the record to go on with it, and the baseline if there is one. Raises KubelbError."""
    resuming, settings = config.stash[stash.RESUMING], config.stash[stash.SETTINGS]

    def again() -> Resumable:
        known = _read(resuming.found)
        if known.finished.keys() != resuming.known.finished.keys() or known.resumed != resuming.known.resumed:
            raise KubelbError(
                f"The record of session {resuming.found.id} has grown since this process read it: another one has gone "
                "on with it, so start again."
            )
        return known

    config.stash[stash.WRITER] = recording.go_on(resuming.session, settings, again)
    config.stash[stash.RECORD] = resuming.session.record
    if settings.baseline is not None and resuming.kept:
        compare(config, settings, resuming.session.record)


def compare(config: pytest.Config, settings: Settings, record: Path) -> None:
    """Read the baseline for every selected point, unless it was read already. Raises KubelbError."""
    if stash.COMPARISON in config.stash:
        return
    from pytest_kubelb import comparing

    points = {point_key(each.point): each.point for each in config.stash[stash.PLANNED].values()}
    config.stash[stash.COMPARISON] = comparing.compare(settings, config.rootpath, record, points.values())


def _named(root: Path, word: str) -> tuple[Found, Resumable]:
    sessions = history.resolve(root, word)
    if len(sessions) != 1:
        raise ConfigError(
            f"{word!r} means {len(sessions)} sessions, and one can be gone on with: give its id."
        )
    (found,) = sessions
    if not found.has_record:
        raise ConfigError(f"Session {found.id} died before its first line: start a new one.")
    known = _read(found)
    if not known.planned:
        raise ConfigError(
            f"Session {found.id} does not say what it was going to measure, as imported ones, those of kubelb ab and "
            "those of earlier versions: start a new one."
        )
    return found, known


def _latest(root: Path) -> tuple[Found, Resumable]:
    for found in reversed(history.sessions(root)):
        if found.started and found.has_record and not history.is_locked(found):
            try:
                known = _read(found)
            except KubelbError:
                continue
            if known.left:
                return found, known
    raise ConfigError(
        f"No session of {root} that has ended has a point left to measure: start a new one, or name one by its id."
    )


def _read(found: Found) -> Resumable:
    try:
        return resumable.read(read_record(found.record))
    except ValueError as error:
        raise KubelbError(f"{found.record} cannot be gone on with: {error}; start a new session.") from error


def _refuse(found: Found, why: str | None) -> None:
    if why is not None:
        raise ConfigError(
            f"Session {found.id} cannot be gone on with: {why}; do as then, or start a new session."
        )
