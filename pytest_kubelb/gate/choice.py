"""Which session is judged, and against which. Touches the records that it looks at, for reading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kubelb.comparing import Comparison
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.gate.session import is_of_ab
from pytest_kubelb.record import baseline, history, sources
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.points import point_key
from pytest_kubelb.record.session import RECORD

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.gate.session import Measured
    from pytest_kubelb.record.baseline import Baseline
    from pytest_kubelb.record.levels import SessionLevels
    from pytest_kubelb.record.sources import Source


def source(word: str | None, root: Path) -> Source:
    """Give the one session that is meant. Raises ConfigError when it is none or several."""
    if word is None:
        return _newest(root)
    known = history.lookup(root, word)
    if known is None and "\0" not in word and (path := sources.path_of(word)).exists():
        if path.is_dir() and history.sessions(path) and not (path / RECORD).exists():
            return _newest(path)
        found = sources.find(path)
    elif known is None:
        raise ConfigError(
            f"No session, tag or file is called {word!r}{history.hint(root, word)}; name a session's id or folder, a "
            "record.jsonl, or a JSON report."
        )
    else:
        found = tuple(sources.Source(each.record, named=True) for each in known)
    if len(found) != 1:
        raise ConfigError(
            f"{word!r} means {len(found)} sessions, and one is judged at a time: name one of them."
        )
    return found[0]


def comparison(
    text: str, root: Path, current: SessionLevels, measured: Measured
) -> tuple[Comparison, list[str]]:
    """Read the baseline; give it, and what to say of it."""
    points = {point_key(item.series.point) for item in measured.items}
    chosen = baseline.select(text, root, current.session, against=current.fingerprint, points=points)
    if not chosen.sessions and not chosen.refused and _named(text, root) == {current.session}:
        chosen = _itself(chosen)
    # Both in UTC; to the second, since one may end with Z and the other with +00:00.
    later = [each.session for each in chosen.sessions if each.started[:19] > current.started[:19]]
    notes = (
        [f"In the baseline is what was measured later than this session: {', '.join(later)}."]
        if later
        else []
    )
    return Comparison(chosen, len(points)), notes


def _newest(root: Path) -> Source:
    started = [each for each in history.sessions(root) if each.started]
    for each in reversed(started):
        found = sources.Source(each.record, named=True)
        # One that was killed is judged as well, and one that cannot be read is an error: an older one that passed must
        # not speak for it.
        if not _is_of_ab(found):
            return found
    which = "no session but those of `kubelb ab`, which judges them itself," if started else "no session"
    raise ConfigError(
        f"There is {which} in {root}: measure one with pytest, give --root, or name a record or a report."
    )


def _is_of_ab(found: Source) -> bool:
    first = _start(found)
    return first is not None and is_of_ab(first)


def _start(found: Source) -> SessionStart | None:
    """Give the first line; None when there is none, or when it cannot be read."""
    try:
        first = next(found.lines(), None)
    except KubelbError:
        return None
    return first if isinstance(first, SessionStart) else None


def _named(text: str, root: Path) -> set[str]:
    """Give the ids of all sessions that the words of a baseline mean."""
    ids: set[str] = set()
    for word in (word.strip() for word in text.split(",")):
        known = history.lookup(root, word)
        if known is not None:
            ids.update(each.id for each in known)
        else:
            starts = map(_start, sources.find(sources.path_of(word)))
            ids.update("" if start is None else start.session for start in starts)
    return ids


def _itself(chosen: Baseline) -> Baseline:
    """Say why there is nothing to compare with, instead of that nothing is pinned, tagged or found."""
    said = f"The only session of {chosen.text} is the one that is judged."
    return replace(chosen, refused=(said,), notes=())
