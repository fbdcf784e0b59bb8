"""How many runs a point gets, from made-up runs: which rps come when is what decides, so they have to be chosen."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb import sampling
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_kubelb.settings import Settings

POINT: dict[str, str | int] = {"backend": "ipvs", "pods": 4, "overlay": "vxlan"}


def settings(tmp_path: Path, **given: str) -> Settings:
    from pytest_kubelb.settings import Given

    layer = {key: Given(text, f"--kubelb-{key}", tmp_path) for key, text in given.items()}
    return resolve((layer,), search=(), known_backends=("ipvs", "proxy"), new_seed=1)


def made(index: int, *, warmup: bool, rps: float) -> Sample:
    latency = Latency(80.0, 5.0, 200.0, {"50": 79.0})
    result = WrkResult(rps, int(rps), int(rps) * 250, 1.0, latency, SocketErrors(0, 0, 0, 0, 0))
    validity = "warmup" if warmup else "valid"
    return Sample(POINT, 1, index, validity, None, "2026-01-01T00:00:00Z", 1.0, "wrk", result)


class Runs:
    """Gives the rps it was given, one after the other, and counts."""

    def __init__(self, warmups: Iterable[float], runs: Iterable[float]) -> None:
        self._rps = {True: iter(warmups), False: iter(runs)}

    def __call__(self, index: int, warmup: bool) -> Sample | None:
        rps = next(self._rps[warmup], None)
        return None if rps is None else made(index, warmup=warmup, rps=rps)


def counts(samples: Iterable[Sample]) -> tuple[int, int]:
    kinds = [sample.validity for sample in samples]
    return kinds.count("warmup"), kinds.count("valid")


def test_without_options_the_runs_are_as_many_as_asked_for(tmp_path: Path) -> None:
    wild = Runs(repeat(1000.0), chain.from_iterable(repeat((500.0, 1500.0))))
    assert counts(sampling.sample(wild, settings(tmp_path, runs="7", warmup="3"))) == (3, 7)


@pytest.mark.parametrize(
    ("warmups", "expected"),
    [
        ((1000.0, 1000.0, 1.0), 2),
        ((500.0, 800.0, 995.0, 1000.0, 1000.0), 4),
        ((1000.0, 900.0), 2),
        (tuple(1000.0 * 1.1**n for n in range(20)), sampling.MOST_WARMUPS),
    ],
)
def test_an_automatic_warm_up_goes_on_while_the_runs_rise(
    tmp_path: Path, warmups: tuple[float, ...], expected: int
) -> None:
    chosen = settings(tmp_path, runs="2", warmup="auto")
    assert counts(sampling.sample(Runs(warmups, repeat(1000.0)), chosen)) == (expected, 2)


def test_a_precise_mean_stops_early_and_an_uneven_one_goes_on_to_the_most_runs(tmp_path: Path) -> None:
    chosen = settings(tmp_path, runs="10", max_runs="15", precision="1%", warmup="0")
    even = Runs((), chain.from_iterable(repeat((1000.0, 1001.0))))
    uneven = Runs((), chain.from_iterable(repeat((1000.0, 1080.0))))
    assert counts(sampling.sample(even, chosen)) == (0, 3)
    assert counts(sampling.sample(uneven, chosen)) == (0, 15)


def test_an_inconclusive_spread_is_run_again_until_it_is_decided(tmp_path: Path) -> None:
    chosen = settings(tmp_path, runs="3", max_runs="20", tolerance="5%", warmup="0")
    borderline = Runs((), chain((1000.0, 1060.0, 1010.0), repeat(1025.0)))
    _, runs = counts(sampling.sample(borderline, chosen))
    assert 3 < runs < 20


def test_a_run_that_cannot_be_made_ends_the_point(tmp_path: Path) -> None:
    assert counts(sampling.sample(Runs((1000.0,), (1000.0, 1001.0)), settings(tmp_path, runs="9"))) == (1, 2)
    assert counts(sampling.sample(Runs((), (1000.0,)), settings(tmp_path, runs="9"))) == (0, 0)


def test_what_was_asked_for_is_made_whatever_the_warm_up(tmp_path: Path) -> None:
    values: dict[str, Any] = {"runs": "1", "warmup": "100"}
    assert counts(sampling.sample(Runs(repeat(1.0), repeat(1.0)), settings(tmp_path, **values))) == (100, 1)
