"""Which imported runs may be judged."""

from __future__ import annotations

import pytest

from pytest_kubelb.load.result import SocketErrors
from pytest_kubelb.record.imports.validity import judge_run

from .synthetic import EPOCH_S, block, parsed


def validity(text: str) -> tuple[str, str]:
    (run,) = parsed(text)[0]
    word, reason = judge_run(run)
    return word, reason or ""


def test_a_whole_run_is_valid_without_a_reason() -> None:
    assert validity(block(4, 1000.0)) == ("valid", "")


@pytest.mark.parametrize(
    ("errors", "word"), [(3000, "valid"), (3001, "contaminated"), (28_000_000, "contaminated")]
)
def test_errors_above_five_percent_of_the_requests_contaminate(errors: int, word: str) -> None:
    found, reason = validity(block(4, 1000.0, errors=SocketErrors(0, 0, errors, 0, 0)))
    assert found == word
    assert word == "valid" or reason.startswith(f"{errors} socket errors came with 60000 requests")


def test_a_storm_of_error_statuses_contaminates() -> None:
    found, reason = validity(block(4, 1000.0, errors=SocketErrors(0, 0, 0, 30_000, 0)))
    assert found == "contaminated"
    assert "50% of them" in reason


def test_an_interrupted_run_is_contaminated_though_its_rate_is_there() -> None:
    found, reason = validity(block(4, 1000.0, wall_s=4, duration_s=4.4))
    assert found == "contaminated"
    assert "4.40 s of the 60 s" in reason


@pytest.mark.parametrize(
    ("wall_s", "word"), [(61, "valid"), (75, "valid"), (76, "stalled"), (2248, "stalled")]
)
def test_a_wall_time_far_above_the_duration_is_a_stall(wall_s: int, word: str) -> None:
    assert validity(block(4, 1000.0, wall_s=wall_s))[0] == word


def test_a_run_without_a_single_answer_failed() -> None:
    text = block(4, 0.0, errors=SocketErrors(800, 0, 0, 0, 0))
    assert validity(text) == ("failed", "wrk got no answer at all.")


def test_a_block_without_a_result_failed_with_what_wrk_said() -> None:
    text = f"podnum=4\nStart time: {EPOCH_S}\nunable to connect to 10.254.0.10:80\nEnd time: {EPOCH_S}\n"
    assert validity(text) == ("failed", "wrk says 'unable to connect to 10.254.0.10:80'.")
