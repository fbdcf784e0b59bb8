"""The ratio of two conditions."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_kubelb.verdict.ratio import adjacent, by_pass, judge

rates = st.floats(1, 1e6)
many_pairs = st.lists(st.tuples(rates, rates), min_size=3, max_size=20)
MIRRORED = {"a_faster": "b_faster", "b_faster": "a_faster"}


def drawn(number: int, ratio: float, cv: float = 0.01, seed: int = 1) -> list[tuple[float, float]]:
    source = random.Random(seed)  # noqa: S311 - reproducible noise, no secret
    return [
        (100 * ratio * math.exp(source.gauss(0, cv)), 100 * math.exp(source.gauss(0, cv)))
        for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(1.05, "a_faster"), (1 / 1.05, "b_faster"), (1.0, "no_difference"), (1.005, "no_difference")],
)
def test_ten_pairs_tell_five_per_cent_from_nothing(ratio: float, verdict: str) -> None:
    judged = judge(drawn(10, ratio))
    assert judged.verdict == verdict
    assert judged.low is not None
    assert judged.high is not None
    assert judged.low < ratio < judged.high
    assert judged.mde is not None
    assert judged.mde < 0.05
    assert judged.reason is None


def test_noise_that_hides_the_difference_is_inconclusive_and_says_what_could_have_been_seen() -> None:
    judged = judge(drawn(5, 1.05, cv=0.1))
    assert (judged.verdict, judged.reason) == ("inconclusive", "its interval is too wide")
    assert judged.mde is not None
    assert judged.mde > 0.1


@pytest.mark.parametrize("wild", [0.0, 0.01, 0.3, 3.0, 1e6])
@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "a_faster"), (1 / 1.05, "b_faster")])
def test_one_wild_run_in_ten_does_not_hide_a_difference(wild: float, ratio: float, verdict: str) -> None:
    pairs = drawn(10, ratio)
    assert judge([(pairs[0][0] * wild, pairs[0][1]), *pairs[1:]]).verdict == verdict


@pytest.mark.parametrize("wild", [0.0, 0.01, 0.3, 3.0, 1e6])
@pytest.mark.parametrize("seed", range(20))
def test_one_wild_run_in_ten_does_not_fake_a_difference(wild: float, seed: int) -> None:
    pairs = drawn(10, 1.0, seed=seed)
    judged = judge([(pairs[0][0] * wild, pairs[0][1]), *pairs[1:]])
    assert judged.verdict in ("no_difference", "inconclusive")


@given(many_pairs)
def test_exchanging_a_and_b_gives_the_mirrored_verdict(pairs: list[tuple[float, float]]) -> None:
    there, back = judge(pairs), judge([(b, a) for a, b in pairs])
    assert there.ratio is not None
    assert back.ratio is not None
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.p == pytest.approx(back.p, abs=1e-6)
    assume(all(abs(math.log(each.ratio or 1)) > 1e-9 for each in (there, back)))
    assert there.low is not None
    assert there.high is not None
    limit = math.log1p(there.least)
    edges = [math.log(there.low), math.log(there.ratio), math.log(there.high)]
    assume(all(abs(abs(edge) - bound) > 1e-9 for edge in edges for bound in (0, limit)))
    assert back.verdict == MIRRORED.get(there.verdict, there.verdict)


@given(many_pairs, st.integers(-20, 20), st.randoms(use_true_random=False))
def test_unit_and_order_do_not_matter(
    pairs: list[tuple[float, float]], power: int, source: random.Random
) -> None:
    scaled = [(a * 2.0**power, b * 2.0**power) for a, b in pairs]
    source.shuffle(scaled)
    there, here = judge(scaled), judge(pairs)
    assert there.ratio == pytest.approx(here.ratio, rel=1e-9)
    assert there.mde == pytest.approx(here.mde, rel=1e-6, abs=1e-9)


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    for number in (3, 5, 10, 20):
        trials = 800
        held = 0
        for seed in range(trials):
            judged = judge(drawn(number, 1.1, seed=seed))
            assert judged.low is not None
            assert judged.high is not None
            held += judged.low <= 1.1 <= judged.high
        assert 0.915 < held / trials < 0.975


@pytest.mark.parametrize("ceiling", ["link", "client_cpu", "worker_cpu", "unnamed"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_ratio_across_a_ceiling_is_not_judged(ceiling: str, side: int) -> None:
    ceilings = (ceiling, None) if side == 0 else ("lb_cpu", ceiling)
    judged = judge(drawn(10, 1.2), ceilings=ceilings)
    assert (judged.verdict, judged.ratio, judged.pairs) == ("not_judged", None, 10)
    assert judged.reason == f"{'ab'[side]} is at a ceiling that is not the load balancer ({ceiling})"


@pytest.mark.parametrize("ceiling", ["lb_cpu", "none", "unknown", None])
def test_a_ratio_at_the_load_balancers_own_limit_is_judged(ceiling: str | None) -> None:
    assert judge(drawn(10, 1.2), ceilings=(ceiling, ceiling)).verdict == "a_faster"


def test_one_and_two_pairs_have_a_ratio_and_no_verdict() -> None:
    one, two = judge([(120.0, 100.0)]), judge([(120.0, 100.0)] * 2)
    assert one.ratio == pytest.approx(1.2)
    assert (one.low, one.p, one.verdict, one.reason) == (
        None,
        None,
        "inconclusive",
        "1 of the 3 pairs that an interval takes",
    )
    assert two.verdict == "inconclusive"


def test_pairs_without_a_response_give_no_ratio() -> None:
    assert judge([]).reason == "no pair has a response"
    assert judge([(0.0, 0.0)] * 5).reason == "no pair has a response"
    assert judge([(0.0, 1.0)] * 5).reason == "runs of 0 req/s are among more than a fifth of the pairs"
    assert judge([*[(0.0, 0.0)] * 3, *drawn(10, 1.2)]).pairs == 10


def test_identical_pairs_are_no_difference() -> None:
    judged = judge([(7.0, 7.0)] * 5)
    assert (judged.ratio, judged.low, judged.high, judged.p, judged.verdict) == (
        1.0,
        1.0,
        1.0,
        1.0,
        "no_difference",
    )


def test_the_widest_ratios_stay_finite() -> None:
    judged = judge([(1e308, 1e-308), (1e-308, 1e308), (1.0, 1.0)])
    for value in (judged.ratio, judged.low, judged.high, judged.mde):
        assert value is not None
        assert math.isfinite(value)


def test_a_million_pairs_are_judged() -> None:
    assert judge([(103.0, 100.0), (104.0, 100.0)] * 500_000).verdict == "a_faster"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -1.0])
def test_what_cannot_be_a_rate_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match=f"a run of {odd} cannot be judged"):
        judge([(1.0, odd)])
    with pytest.raises(ValueError, match=f"a smallest difference of {odd} cannot be judged"):
        judge([(1.0, 1.0)], least=odd)


def test_passes_are_paired_by_their_medians() -> None:
    a = {1: [10.0, 12.0, 11.0], 2: [20.0], 3: [], 4: [1.0]}
    assert by_pass(a, {1: [5.0, 6.0], 2: [7.0], 3: [1.0]}) == [(11.0, 5.5), (20.0, 7.0)]


def test_neighbours_of_different_names_are_paired_once() -> None:
    runs = [("a", 1.0), ("b", 2.0), ("b", 3.0), ("a", 4.0), ("a", 5.0), ("a", 6.0), ("b", 7.0)]
    assert adjacent(runs) == [(1.0, 2.0), (4.0, 3.0), (6.0, 7.0)]
    with pytest.raises(ValueError, match="a run named 'c' cannot be paired"):
        adjacent([("a", 1.0), ("c", 2.0)])
