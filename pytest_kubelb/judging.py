"""From the runs of a point to its verdict, and to an item that fails by it. Touches pytest and the record.

The runs are in the record by then. Of what the item was given of them nothing stays with the session but `Outcomes`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import pytest

from pytest_kubelb import recording, stash
from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.failures import InconclusiveError, RegressionError, RepeatabilityError
from pytest_kubelb.outcomes import Outcome, Outcomes
from pytest_kubelb.record.lines import Verdict
from pytest_kubelb.record.planned import ITEM_FAILED
from pytest_kubelb.report import benchmark_bridge, digest, junit, terminal
from pytest_kubelb.verdict import regression, repeatability
from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.failures import Failed
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.settings import Settings


_LONGEST_CAUSE: Final = 500


def judge(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Judge the runs that `item` left, tell every report, and fail `call` when they do not pass.

    A call that has failed already keeps its own failure.
    """
    series = item.stash[stash.SERIES]
    settings = item.stash.get(stash.OWN_SETTINGS, item.config.stash[stash.SETTINGS])
    _forget_runs(item)
    verdict = item.config.hook.pytest_kubelb_judge(config=item.config, series=series)
    judged = _against_baseline(item.config, series, settings)
    figures = digest.of(series)
    outcome = Outcome(id_of(item), figures, verdict, judged, kept=item.stash.get(stash.KEPT, False))
    failure = _failure(outcome, series, settings)
    item.config.stash.setdefault(stash.OUTCOMES, Outcomes()).add(outcome, series)
    item.stash[stash.LINE] = terminal.point_line(outcome.id, figures, verdict) + _compared(
        judged, anew=len(series.measured_anew)
    )
    if outcome.kept:
        item.stash[stash.LINE] += "  kept from the record"
        item.user_properties.append(("kubelb_kept_from_record", "true"))
    item.user_properties.extend(junit.properties(series, verdict))
    item.user_properties.extend(junit.comparison_properties(outcome.judgement))
    # `wrk` asks for pytest-benchmark's fixture; a bench of another make may do without it.
    if benchmark := getattr(item, "funcargs", {}).get("benchmark"):
        failed = failure is not None or call.excinfo is not None
        benchmark_bridge.export(benchmark, series, failed=failed)
    line = _verdict(outcome, series, failure)
    try:
        broken = _is_broken(item)
        if not outcome.kept:
            _record_failure(item, call, broken=broken)
            _record(item.config, line)
        elif _judges_otherwise(item, line):
            _record(item.config, line)
        item.stash[stash.FINISHED] = not broken
        if failure and call.excinfo is None:
            raise failure
    except (pytest.fail.Exception, KubelbError):
        call.excinfo = pytest.ExceptionInfo.from_current()


def keep(config: pytest.Config, call: pytest.CallInfo[None]) -> None:
    """End the artifacts of the point that was measured, if one was; what could not be kept fails its item."""
    try:
        config.stash[stash.KEEPING].end(failed=call.excinfo is not None)
    except KubelbError:
        call.excinfo = call.excinfo or pytest.ExceptionInfo.from_current()


def _forget_runs(item: pytest.Item) -> None:
    """Let go of what the fixture left: pytest keeps every item, and all that hangs on it, to the end of the session."""
    del item.stash[stash.SERIES]
    if stash.OWN_SETTINGS in item.stash:
        del item.stash[stash.OWN_SETTINGS]


def _against_baseline(config: pytest.Config, series: Series, settings: Settings) -> Judgement | None:
    if stash.COMPARISON not in config.stash:
        return None
    own = series.provisionings
    earlier = config.stash.get(stash.OUTCOMES, Outcomes()).provisionings(series.point)
    groups = [*earlier, *own] if own else []
    return config.stash[stash.COMPARISON].judge(series.point, groups, settings.max_drop)


def id_of(item: pytest.Item) -> str:
    """Give the id of an item's point, as in its brackets: `ipvs-pods04`."""
    callspec = getattr(item, "callspec", None)
    return callspec.id if callspec else item.name


def _failure(outcome: Outcome, series: Series, settings: Settings) -> Failed | None:
    """Give why the point fails; None when it does not."""
    judged = outcome.judgement
    if sentence := series.unspoken(outcome.id):
        return RepeatabilityError(sentence, pytrace=False)
    slower = isinstance(judged, regression.Regression) and judged.verdict == "regression"
    spread = repeatability.sentence(outcome.id, series.valid_rps, outcome.repeatability)
    if outcome.repeatability.verdict == "unrepeatable":
        also = (
            f" {regression.sentence(outcome.id, judged)}" if slower and isinstance(judged, Regression) else ""
        )
        return RepeatabilityError(spread + also, pytrace=False)
    if isinstance(judged, Regression) and slower:
        return RegressionError(regression.sentence(outcome.id, judged), pytrace=False)
    if settings.on_inconclusive == "fail":
        if outcome.repeatability.verdict == "inconclusive":
            return InconclusiveError(spread, pytrace=False)
        if isinstance(judged, Regression) and judged.verdict != "pass":
            return InconclusiveError(regression.sentence(outcome.id, judged), pytrace=False)
    if isinstance(judged, NotJudged) and settings.on_missing_baseline == "fail":
        return InconclusiveError(
            f"{outcome.id} is not judged against the baseline: {judged.reason}; choose another --kubelb-baseline, or "
            "let it pass with --kubelb-on-missing-baseline=pass.",
            pytrace=False,
        )
    return None


def _compared(judgement: Judgement | None, *, anew: int) -> str:
    again = f", measured anew {'once' if anew == 1 else 'twice'}" if anew else ""
    match judgement:
        case Regression() as judged:
            return f"  {judged.change:+.1%} against the baseline{again}: {judged.verdict}"
        case NotJudged():
            return "  not judged against the baseline"
    return ""


def _is_broken(item: pytest.Item) -> bool:
    """Tell whether the testbed broke under an item, whose runs then are but a part."""
    return getattr(getattr(item, "funcargs", {}).get("testbed"), "broken", None) is not None


def _record_failure(item: pytest.Item, call: pytest.CallInfo[None], *, broken: bool) -> None:
    """Record that a bench failed by itself, before its verdict: who goes on with the session has to know."""
    cause = call.excinfo
    if (
        stash.WRITER in item.config.stash
        and cause is not None
        and not cause.errisinstance(pytest.skip.Exception)
    ):
        said = (str(cause.value).strip().splitlines() or [cause.typename])[0][:_LONGEST_CAUSE]
        recording.note(item.config.stash[stash.WRITER], ITEM_FAILED, {"sentence": said, "broken": broken})


def _record(config: pytest.Config, verdict: Verdict) -> None:
    if stash.WRITER in config.stash:
        config.stash[stash.WRITER].append(verdict)


def _judges_otherwise(item: pytest.Item, verdict: Verdict) -> bool:
    """Tell whether the verdict on what is kept is another than the record has: the tolerance may be another one."""
    recorded = item.config.stash[stash.RESUMING].kept[item.nodeid].verdict
    # As the record has it: a tuple is a list there.
    return json.dumps(recorded.to_json()) != json.dumps(verdict.to_json())


def _verdict(outcome: Outcome, series: Series, failure: Failed | None) -> Verdict:
    figures = asdict(outcome.repeatability)
    word = figures.pop("verdict")
    figures["provisioning"] = series.samples[-1].provisioning if series.samples else None
    if outcome.judgement is not None:
        figures["against_baseline"] = asdict(outcome.judgement)
    sentence = None if failure is None else str(failure.msg)
    return Verdict(series.point, word, figures, sentence)
