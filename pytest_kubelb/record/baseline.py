"""Choose earlier sessions to compare with, and give their levels point by point.

Touches the records and reports it is pointed at, for reading, one at a time.

What is taken:
- Sessions that were named (a tag, an id, `pinned`, a session's folder, a record, a report) are taken as they are, with
  a note when they were killed or interrupted.
- Sessions that were found (`last:N`, a folder of many) have to have ended by themselves, and of them the points that
  were judged slower than their own baseline are left out, or a regression would become the measure of the next one.
  `last:N` also leaves out imported sessions.
- The current session is never taken, and no session twice.
- Only valid runs count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import fingerprint, history, levels, sources
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.points import point_key, point_text

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.record.fingerprint import Fingerprint
    from pytest_kubelb.record.levels import SessionLevels
    from pytest_kubelb.record.points import PointKey

    _Choice: TypeAlias = tuple[Iterator[sources.Source], int | None]  # where to look, and how many are wanted


@dataclass(frozen=True)
class PointBaseline:
    """What the baseline knows of one point."""

    sessions: tuple[str, ...]
    """Ids of the sessions that have it, oldest first."""
    rps: tuple[array[float], ...]
    """Requests/s of the valid runs of each of these sessions."""


@dataclass(frozen=True)
class Baseline:
    """Earlier sessions to compare with; maybe none."""

    text: str
    """As it was asked for."""
    sessions: tuple[SessionLevels, ...]
    """Oldest first, by the time they started."""
    points: Mapping[PointKey, PointBaseline]
    """Every point that one of the sessions has."""
    refused: tuple[str, ...]
    """Why sessions, or points of them, must not be compared with this one: a sentence each, the field in it."""
    notes: tuple[str, ...]
    """What else a reader should know: a sentence each."""

    @property
    def title(self) -> str:
        """The baseline in words: `last:5, 5 sessions (20261120T… to 20261123T…)`."""
        ids = [each.session for each in self.sessions]
        if not ids:
            return f"{self.text}, no sessions"
        return (
            f"{self.text}, {ids[0]}"
            if len(ids) == 1
            else f"{self.text}, {len(ids)} sessions ({ids[0]} to {ids[-1]})"
        )

    @property
    def refusal(self) -> str | None:
        """Why nothing can be judged, as half a sentence; None when there is a session to compare with."""
        if self.sessions:
            return None
        return (self.refused or self.notes or (f"{self.text} has no session to compare with",))[
            0
        ].removesuffix(".")

    def rps(self, axes: Mapping[str, str | int]) -> tuple[array[float], ...]:
        """Give the valid runs of one point, a sequence for each session that has it, oldest first; maybe none."""
        found = self.points.get(point_key(axes))
        return () if found is None else found.rps


def select(
    text: str,
    root: Path,
    current: str | None = None,
    *,
    against: Fingerprint | None = None,
    points: Collection[PointKey] | None = None,
) -> Baseline:
    """Give the sessions that `text` means, and the runs of each point in them.

    `text` is words with commas between them, each a tag, `pinned`, `last:N`, a session's id or the start of one under
    `root`, or a path to a folder, a record or a JSON report.

    `current` is the id of the session that is being judged. With its fingerprint, `against`, what may not be compared
    is left out and said, and `last:N` looks for N sessions that may. With `points`, those that are judged, it looks for
    N that have at least one of them, and says nothing of the others: jobs of one root that measure different points in
    turn would else never find each other. The result may be empty: `pinned` and `last:N` with none to find, or all left
    out. Raises ConfigError for what does not exist or is no record or report, KubelbError for one that is damaged.
    """
    chosen = _Chosen(text, current, against, points)
    for word in (word.strip() for word in text.split(",")):
        chosen.take(word, *_look(word, root))
    return chosen.baseline()


def check(text: str, root: Path) -> None:
    """Raise the ConfigError that `select` would raise for a word; of files that were named, only their head is read."""
    for word in text.split(","):
        _look(word.strip(), root)


def _look(word: str, root: Path) -> _Choice:
    """Give where the sessions of one word are, newest first for `last:N`, and the N."""
    if not word:
        raise ConfigError(
            "The baseline has an empty name between two commas: write last:5, or a tag, or a file."
        )
    if (count := history.last(word)) is not None:
        return (sources.Source(each.record, named=False) for each in history.recent(root)), count
    known = history.lookup(root, word)
    if known is not None:
        return (sources.Source(each.record, named=True) for each in known if each.has_record), None
    path = sources.path_of(word)
    if sources.exists(path):
        found = sources.find(path)
        for source in found:
            if source.named:
                sources.check(source)
        return iter(found), None
    raise ConfigError(
        f"No tag, session or file is called {word!r}{history.hint(root, word)}; "
        "a baseline is a tag, a session's id, pinned, last:5, or a path to a folder, a record or a JSON report."
    )


class _Chosen:
    """The sessions so far, and what was said of the others."""

    def __init__(
        self,
        text: str,
        current: str | None,
        against: Fingerprint | None,
        judged: Collection[PointKey] | None,
    ) -> None:
        self._text = text
        self._current = current
        self._against = against
        self._judged = None if judged is None else frozenset(judged)
        self._sessions: dict[str, SessionLevels] = {}
        self._refused: list[str] = []
        self._notes: list[str] = []

    def take(self, word: str, found: Iterator[sources.Source], wanted: int | None) -> None:
        """Take the sessions that may be compared, up to `wanted` of them."""
        taken = 0
        for source in found:
            if wanted is not None and taken == wanted:
                break
            session = self._read(source, self._judged if wanted is not None else None)
            if session is not None and session.session not in self._sessions:
                self._sessions[session.session] = session
                taken += 1
        if wanted is not None and taken < wanted:
            having = "" if self._judged is None else " that have a point of this one"
            self._notes.append(f"{word} found {taken} of {wanted} sessions{having}.")
        elif wanted is None and taken == 0 and word == "pinned":
            self._notes.append("No session is pinned: pin one with `kubelb history pin`.")

    def baseline(self) -> Baseline:
        """Put the points of all sessions together."""
        sessions = tuple(sorted(self._sessions.values(), key=lambda each: (each.started, each.session)))
        keys = dict.fromkeys(key for each in sessions for key in each.points)
        points: dict[PointKey, PointBaseline] = {}
        for key in keys:
            having = [each for each in sessions if key in each.points]
            points[key] = PointBaseline(
                tuple(each.session for each in having), tuple(each.points[key].rps for each in having)
            )
        return Baseline(self._text, sessions, points, tuple(self._refused), tuple(self._notes))

    def _read(self, source: sources.Source, having: frozenset[PointKey] | None) -> SessionLevels | None:
        """Give what may be compared of a session; None when that is nothing, or none of the points in `having`."""
        try:
            lines = source.lines()
            first = next(lines, None)
            if isinstance(first, SessionStart) and first.session == self._current:
                return None
            session = levels.read(chain([] if first is None else [first], lines))
        except KubelbError as error:
            if source.named:
                raise
            self._notes.append(f"Left out of the baseline: {error}")
            return None
        if having is not None and having.isdisjoint(session.points):
            return None
        self._notes.extend(session.notes)
        if not source.named and not session.complete:
            self._notes.append(f"Session {session.session} is left out of the baseline: it {session.ending}.")
            return None
        if not session.points:
            self._notes.append(f"Session {session.session or source.path} is left out: it has no valid run.")
            return None
        if not session.complete:
            self._notes.append(f"Session {session.session} is in the baseline although it {session.ending}.")
        kept = self._comparable(session if source.named else self._without_regressions(session))
        return None if kept is None or (having is not None and having.isdisjoint(kept.points)) else kept

    def _without_regressions(self, session: SessionLevels) -> SessionLevels:
        slower = [key for key, level in session.points.items() if level.regressed]
        if slower:
            self._notes.append(
                f"Session {session.session} found {len(slower)} of its points slower than its own baseline: they are "
                "left out; name the session, or pin it, if that is the new level."
            )
        return _only(session, [key for key in session.points if key not in slower])

    def _comparable(self, session: SessionLevels) -> SessionLevels | None:
        """Give the session without the points that may not be compared; None when nothing of it may."""
        if self._against is None:
            return session if session.points else None
        differences = fingerprint.compare(session.fingerprint, self._against)
        reason = fingerprint.refusal(differences)
        if reason is not None:
            self._refused.append(f"Session {session.session} is not compared: {reason}.")
            return None
        noted = fingerprint.noted(differences)
        if noted:
            self._notes.append(f"Session {session.session}: {noted}.")
        wrong = {each.point: each for each in differences if each.matters}
        if wrong:
            first = next(iter(wrong.values()))
            more = f" (and {len(wrong) - 1} more points)" if len(wrong) > 1 else ""
            self._refused.append(f"Session {session.session} is not compared: {first.sentence}{more}.")
        kept = _only(session, [key for key in session.points if point_text(key) not in wrong])
        return kept if kept.points else None


def _only(session: SessionLevels, keys: Sequence[PointKey]) -> SessionLevels:
    return replace(session, points={key: session.points[key] for key in keys})
