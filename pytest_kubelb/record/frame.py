"""Records as a pandas frame, one row per run. Touches the records and reports it is given, for reading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from pytest_kubelb.load.result import PERCENTILES
from pytest_kubelb.record import history, sources
from pytest_kubelb.record.acyclic import uncollected
from pytest_kubelb.record.lines import Event, SessionStart, Verdict
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.resumption import Abandoned
from pytest_kubelb.record.sample import VALIDITIES, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_kubelb.load.result import WrkResult

ABANDONED: Final = "abandoned"
"""Validity in the frame of runs of a point that was interrupted, and measured anew when the session was resumed."""
_AXES: Final = ("backend", "pods", "overlay", "tuning")
_WORDS: Final = ("backend", "overlay", "tuning")
_TIME: Final = "datetime64[ms, UTC]"
_ERRORS: Final = ("connect", "read", "write", "status", "timeout")
_PERCENTILE_COLUMNS: Final = {name: f"latency_p{name.replace('.', '_')}_us" for name in PERCENTILES}
_HEAD: Final = {"session": "category", "provisioning": "int64"}
_RUN: Final = {
    "run": "int64",
    "started": _TIME,
    "validity": "category",
    "reason": "string",
    "rps": "float64",
    "requests": "Int64",
    "bytes": "Int64",
    "duration_s": "float64",
    "wall_s": "float64",
    "latency_mean_us": "float64",
    "latency_stdev_us": "float64",
    "latency_max_us": "float64",
    **dict.fromkeys(_PERCENTILE_COLUMNS.values(), "float64"),
    **{f"errors_{kind}": "Int64" for kind in _ERRORS},
    "tolerance": "float64",
    "ceiling": "category",
    "findings": "string",
    "wire_bytes_per_request": "float64",
}


@uncollected()
def load(*paths: str | Path) -> pd.DataFrame:
    """Give every run of the sessions at `paths` as one row; without a path, of the nearest `.kubelb` at or above here.

    A path is a rootdir, a session's folder, a record.jsonl, a JSON report, or a folder of those; a session that is met
    twice is read once. Rows keep the order of the sessions and, within one, of its runs. Runs of every validity are
    in: judge with `frame[frame.validity == "valid"]`.

    ====================================  ===================  ========================================================
    column                                dtype                what
    ====================================  ===================  ========================================================
    session                               category             id of the session
    provisioning                          int64                pass of the sweep, from 1
    backend, overlay, tuning              category             axes of the point; NA where a session does not tell
    pods                                  Int64                axis of the point
    other axes, by name                   Int64 or category    Int64 when all of an axis's values are whole numbers
    run                                   int64                from 0 in its provisioning; warm-up runs counted apart
    started                               datetime64[ms, UTC]  NaT when it is no ISO 8601
    validity                              category             valid, warmup, stalled, contaminated, failed, abandoned
    reason                                string               why the run is not valid, NA for a valid one
    rps                                   float64              requests/s; it and what follows is NA for a failed run
    requests, bytes                       Int64                responses, and the bytes of them with their headers
    duration_s, wall_s                    float64              wrk's own time, and that of its process (never NA)
    latency_mean_us, _stdev_us, _max_us   float64              microseconds
    latency_p50_us … latency_p99_99_us    float64              percentiles 50, 75, 90, 95, 99, 99.9, 99.99; microseconds
    errors_connect … errors_timeout       Int64                socket errors: connect, read, write, status, timeout
    tolerance                             float64              CV that was allowed, NA when it was not judged
    ceiling                               category             what limited the run, NA where no evidence was read
    findings                              string               signals the evidence found, as `conntrack_drops@k11`
    wire_bytes_per_request                float64              on the benchmarker's wire, both directions, with framing
    ====================================  ===================  ========================================================

    A half of a character (a lone surrogate, which JSON can spell) is given as its escape.
    Raises ConfigError for a path without records, KubelbError for a damaged one.
    """
    rows = _Rows()
    found = [
        source
        for path in (paths or (history.nearest_root(Path.cwd()),))
        for source in sources.find(sources.path_of(str(path)))
    ]
    for source in found:
        rows.read(source.lines())
    return rows.frame()


class _Rows:
    """Columns that grow run by run."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()
        self._columns: dict[str, list[object]] = {name: [] for name in (*_HEAD, *_RUN)}
        self._points: list[dict[str, str | int]] = []

    def read(self, lines: Iterable[object]) -> None:
        session, first = "", len(self._points)
        judged: dict[PointKey, Verdict] = {}
        abandoned = Abandoned()
        for line in lines:
            match line:
                case Sample():
                    self._add(session, line)
                case SessionStart():
                    if line.session in self._sessions:
                        return
                    session = line.session
                    self._sessions.add(session)
                case Verdict():
                    judged[point_key(line.point)] = line
                case Event():
                    abandoned.hear(line)
        if abandoned.each:
            self._mark(abandoned, first)
        for point in self._points[first:]:
            verdict = judged.get(point_key(point))
            self._columns["tolerance"].append(_figure(verdict, "tolerance", float, int))

    def _mark(self, abandoned: Abandoned, first: int) -> None:
        """Tell from the others, in the rows from `first` on, the runs that count for no verdict."""
        groups: dict[tuple[PointKey, int], list[int]] = {}
        for row in range(first, len(self._points)):
            place = point_key(self._points[row]), int(str(self._columns["provisioning"][row]))
            groups.setdefault(place, []).append(row)
        for (key, number), rows in groups.items():
            for row in rows[len(abandoned.counting(key, number, rows)) :]:
                self._columns["validity"][row] = ABANDONED
                self._columns["reason"][row] = "the session was interrupted before the point was finished"

    def _add(self, session: str, sample: Sample) -> None:
        columns = self._columns
        self._points.append(dict(sample.point))
        columns["session"].append(session)
        for name in ("provisioning", "run", "started", "validity", "reason", "wall_s"):
            columns[name].append(getattr(sample, name))
        columns["ceiling"].append(sample.ceiling)
        signals = [
            f"{finding.signal}@{finding.host}" if finding.host else finding.signal
            for finding in sample.findings
        ]
        columns["findings"].append(" ".join(signals) or None)
        columns["wire_bytes_per_request"].append(sample.wire_bytes_per_request)
        for name, value in zip(_RESULT_COLUMNS, _result(sample.result), strict=True):
            columns[name].append(value)

    def frame(self) -> pd.DataFrame:
        axes = list(dict.fromkeys([*_AXES, *sorted({name for point in self._points for name in point})]))
        kinds = {name: _axis_kind(self._points, name) for name in axes}
        values = {name: [point.get(name) for point in self._points] for name in axes}
        columns = {}
        for name, kind in {**_HEAD, **kinds, **_RUN}.items():
            columns[utf8(name)] = _column(values.get(name) or self._columns.get(name, []), kind, name)
        return pd.DataFrame(columns)


_RESULT_COLUMNS: Final = (
    *("rps", "requests", "bytes", "duration_s", "latency_mean_us", "latency_stdev_us", "latency_max_us"),
    *_PERCENTILE_COLUMNS.values(),
    *(f"errors_{kind}" for kind in _ERRORS),
)
_LARGEST: Final = 2**63 - 1  # of pandas' whole numbers; an axis may have any
_NOTHING: Final = (None,) * len(_RESULT_COLUMNS)


def _result(result: WrkResult | None) -> tuple[float | int | None, ...]:
    """Give the values of `_RESULT_COLUMNS`."""
    if result is None:
        return _NOTHING
    latency, errors = result.latency, result.errors
    return (
        *(result.rps, result.requests, result.bytes, result.duration_s),
        *(latency.mean_us, latency.stdev_us, latency.max_us),
        *(latency.percentiles_us.get(name) for name in PERCENTILES),
        *(errors.connect, errors.read, errors.write, errors.status, errors.timeout),
    )


def _column(values: list[Any], kind: str, name: str) -> pd.Series[Any]:
    if kind == _TIME:
        times = pd.Series(values, dtype="object")
        return pd.to_datetime(times, format="ISO8601", utc=True, errors="coerce").astype(_TIME)
    if name == "validity":
        return pd.Series(pd.Categorical(values, categories=(*VALIDITIES, ABANDONED)))
    try:
        return pd.Series(values, dtype=kind)
    except UnicodeEncodeError:  # JSON knows halves of characters, and pandas' strings are UTF-8
        return pd.Series([utf8(value) if isinstance(value, str) else value for value in values], dtype=kind)


def utf8(text: str) -> str:
    r"""Give a text that UTF-8 can hold: the half of a character as its escape, such as `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _axis_kind(points: Iterable[dict[str, str | int]], name: str) -> str:
    whole = name not in _WORDS and all(
        isinstance(value := point.get(name, 0), int) and abs(value) <= _LARGEST for point in points
    )
    return "Int64" if whole else "category"


def _figure(verdict: Verdict | None, name: str, *kinds: type) -> object:
    value = None if verdict is None else verdict.figures.get(name)
    return value if isinstance(value, kinds) else None
