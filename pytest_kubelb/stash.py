"""What parts of one pytest session leave for each other: the keys of `config.stash` and `item.stash`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_kubelb.comparing import Comparison
    from pytest_kubelb.keeping import Keeping
    from pytest_kubelb.matrix import Plan, Point
    from pytest_kubelb.outcomes import Outcomes
    from pytest_kubelb.record.appending import JsonLines
    from pytest_kubelb.record.planned import Planned
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.record.writer import RecordWriter
    from pytest_kubelb.report.progress import Progress
    from pytest_kubelb.resume.session import Resuming
    from pytest_kubelb.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
"""config: the session's settings, once options or benches asked for them."""
BACKENDS: pytest.StashKey[Mapping[str, str]] = pytest.StashKey()
"""config: backend name -> `module:Class`, from pytest_kubelb_backends."""
POINTS: pytest.StashKey[dict[Point, None]] = pytest.StashKey()
"""config: every point that was generated, in the order of generation."""
PLAN: pytest.StashKey[Plan] = pytest.StashKey()
"""config: what the selected points will take."""
USAGE_ERROR: pytest.StashKey[str] = pytest.StashKey()
"""config: the first misuse found while tests were generated."""
RECORD: pytest.StashKey[Path] = pytest.StashKey()
"""config: the record.jsonl of this session, set by the fixture that opened it."""
WRITER: pytest.StashKey[RecordWriter] = pytest.StashKey()
"""config: the open record, set by the same fixture; verdicts are appended to it."""
EVIDENCE: pytest.StashKey[JsonLines] = pytest.StashKey()
"""config: the open file of what was read on the hosts around each run, set by the same fixture."""
PROGRESS: pytest.StashKey[Progress] = pytest.StashKey()
"""config: told of every run and point, and shows them; absent where nothing is shown."""
UNSUPPORTED: pytest.StashKey[dict[tuple[str, str], Mapping[str, str]]] = pytest.StashKey()
"""config: tuning profile and host -> its knobs that this host cannot do, name -> reason; set by the same fixture."""
PREFLIGHT: pytest.StashKey[Mapping[str, object]] = pytest.StashKey()
"""config: what the preflight found, as its event has it, set by the same fixture; absent without one."""
KEEPING: pytest.StashKey[Keeping] = pytest.StashKey()
"""config: what keeps the artifacts of points, set by the same fixture; absent when none are kept."""
OUTCOMES: pytest.StashKey[Outcomes] = pytest.StashKey()
"""config: every point that was judged so far."""
COMPARISON: pytest.StashKey[Comparison] = pytest.StashKey()
"""config: the baseline of the session, and what may be compared with it; absent without --kubelb-baseline."""
SWEEPS: pytest.StashKey[list[str]] = pytest.StashKey()
"""config: the verdict on each backend's whole sweep, as a sentence."""
PLANNED: pytest.StashKey[Mapping[str, Planned]] = pytest.StashKey()
"""config: node id -> what is measured by every selected item of ours, also those that are kept from a record."""
RESUMING: pytest.StashKey[Resuming] = pytest.StashKey()
"""config: the session that is gone on with; absent in a new one."""
SHOWN: pytest.StashKey[bool] = pytest.StashKey()
"""config: the effective settings have been printed."""
UNWRITTEN: pytest.StashKey[str] = pytest.StashKey()
"""config: why the JSON report could not be written, in one sentence."""
SERIES: pytest.StashKey[Series] = pytest.StashKey()
"""item: the runs of its point, set by the fixture `wrk`; taken away when they are judged."""
OWN_SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
"""item: the settings with its markers applied, set and taken away with its runs."""
KEPT: pytest.StashKey[bool] = pytest.StashKey()
"""item: its runs are those of the record of the session that is gone on with."""
FINISHED: pytest.StashKey[bool] = pytest.StashKey()
"""item: its verdict is in the record, and it need not be measured again."""
LINE: pytest.StashKey[str] = pytest.StashKey()
"""item: the line that is printed when its point is finished."""
