"""From the runs of a point to its verdict, and to an item that fails by it. Touches pytest and the record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import stash
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.failures import RepeatabilityError
from pytest_kubelb.record.lines import Verdict
from pytest_kubelb.report import benchmark_bridge, junit, terminal
from pytest_kubelb.verdict import repeatability

if TYPE_CHECKING:
    from pytest_kubelb.record.sample import Series


@dataclass(frozen=True)
class Outcome:
    """One judged point: a row of the table."""

    id: str
    """As in the item's brackets: `ipvs-pods04`."""
    series: Series
    repeatability: repeatability.Repeatability


def judge(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Judge the runs that `item` left, tell every report, and fail `call` when they do not repeat.

    A call that has failed already keeps its own failure.
    """
    series = item.stash[stash.SERIES]
    verdict = item.config.hook.pytest_kubelb_judge(config=item.config, series=series)
    outcome = Outcome(_id(item), series, verdict)
    sentence = _sentence(outcome)
    item.config.stash.setdefault(stash.OUTCOMES, []).append(outcome)
    item.stash[stash.LINE] = terminal.point_line(outcome.id, series, verdict)
    item.user_properties.extend(junit.properties(series, verdict))
    # `wrk` asks for pytest-benchmark's fixture; a bench of another make may do without it.
    if benchmark := getattr(item, "funcargs", {}).get("benchmark"):
        failed = sentence is not None or call.excinfo is not None
        benchmark_bridge.export(benchmark, series, failed=failed)
    try:
        _record(item.config, outcome, sentence)
        if sentence and call.excinfo is None:
            raise RepeatabilityError(sentence, pytrace=False)
    except (RepeatabilityError, KubelbError):
        call.excinfo = pytest.ExceptionInfo.from_current()


def _id(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return callspec.id if callspec else item.name


def _sentence(outcome: Outcome) -> str | None:
    """Give why the point fails, in one sentence; None when it does not."""
    series = outcome.series
    if series.failed or not series.valid_rps:
        reasons = [
            sample.reason for sample in series.samples if sample.validity != "warmup" and sample.reason
        ]
        why = f" (the last reason: {reasons[-1]})" if reasons else ""
        runs = sum(sample.validity != "warmup" for sample in series.samples)
        return (
            f"{outcome.id}: {len(series.valid_rps)} of {runs} runs are valid{why}, and they do not speak for the "
            "others: look at the reasons in the record and measure the point again."
        )
    if outcome.repeatability.verdict == "unrepeatable":
        return repeatability.sentence(outcome.id, outcome.series.valid_rps, outcome.repeatability)
    return None


def _record(config: pytest.Config, outcome: Outcome, sentence: str | None) -> None:
    if stash.WRITER in config.stash:
        figures = asdict(outcome.repeatability)
        word = figures.pop("verdict")
        figures["provisioning"] = outcome.series.samples[-1].provisioning if outcome.series.samples else None
        config.stash[stash.WRITER].append(Verdict(outcome.series.point, word, figures, sentence))
