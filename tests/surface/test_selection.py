"""What -k, -m and the options select, in which order, and the plan that is printed; nothing is started."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Run = Callable[..., pytest.RunResult]


def selected(result: pytest.RunResult) -> list[str]:
    assert result.ret == 0
    return re.findall(r"test_\w+\[(.*)\]", result.stdout.str())


def test_the_default_sweep_has_21_pod_counts_of_both_backends_back_to_back(run: Run) -> None:
    labels = selected(run("benches", "--collect-only", "-q"))
    assert len(labels) == 42
    assert labels[:4] == ["ipvs-pods01", "proxy-pods01", "proxy-pods02", "ipvs-pods02"]


def test_k_selects_a_backend(run: Run) -> None:
    labels = selected(run("benches", "--collect-only", "-q", "-k", "ipvs"))
    assert len(labels) == 21
    assert all(label.startswith("ipvs-") for label in labels)


def test_k_selects_a_pod_count(run: Run) -> None:
    assert selected(run("benches", "--collect-only", "-q", "-k", "pods08")) == ["ipvs-pods08", "proxy-pods08"]


def test_k_selects_an_axis_that_the_ids_do_not_show(run: Run) -> None:
    assert len(selected(run("benches", "--collect-only", "-q", "-k", "vxlan", "--kubelb-pods", "1"))) == 2
    assert run("benches", "--collect-only", "-q", "-k", "host-gw").ret == 5


def test_m_selects_one_point_exactly(run: Run) -> None:
    result = run("benches", "--collect-only", "-q", "-m", "kubelb(pods=8, backend='proxy')")
    assert selected(result) == ["proxy-pods08"]


def test_two_overlays_are_shown_in_the_ids_and_walked_there_and_back(run: Run) -> None:
    result = run("benches", "--collect-only", "-q", "--kubelb-pods=1,2", "--kubelb-overlay=vxlan,host-gw")
    assert selected(result) == [
        "ipvs-vxlan-pods01",
        "proxy-vxlan-pods01",
        "proxy-vxlan-pods02",
        "ipvs-vxlan-pods02",
        "ipvs-host-gw-pods02",
        "proxy-host-gw-pods02",
        "proxy-host-gw-pods01",
        "ipvs-host-gw-pods01",
    ]


def test_several_benches_at_one_point_follow_one_another(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(lb_point): pass\ndef test_x(): pass\ndef test_b(lb_point): pass\n")
    result = run(
        "--collect-only", "-q", "--kubelb-pods=1,2", "--kubelb-backend=ipvs", "-k", "test_a or test_b"
    )
    assert selected(result) == ["ipvs-pods01", "ipvs-pods01", "ipvs-pods02", "ipvs-pods02"]


def test_other_tests_keep_their_places(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_a(): pass\ndef test_b(lb_point): pass\ndef test_c(): pass\n")
    result = run("test_x.py", "--collect-only", "-q", "--kubelb-pods=1", "--kubelb-order=block")
    result.stdout.fnmatch_lines(
        ["*::test_a", "*::test_b?ipvs-pods01?", "*::test_b?proxy-pods01?", "*::test_c"], consecutive=True
    )


def test_a_random_order_comes_again_with_its_seed(run: Run) -> None:
    args = ("benches", "--collect-only", "-q", "--kubelb-order=random", "--kubelb-order-seed=5")
    assert selected(run(*args)) == selected(run(*args)) != selected(run(*args[:-2]))


def test_passes_repeat_the_sweep_with_a_pass_in_the_id(run: Run) -> None:
    result = run("benches", "--collect-only", "-q", "--kubelb-pods=4", "--kubelb-passes=2")
    assert selected(result) == [
        "ipvs-pods04-pass1",
        "proxy-pods04-pass1",
        "proxy-pods04-pass2",
        "ipvs-pods04-pass2",
    ]


def test_a_marker_measures_at_its_own_points(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.kubelb(pods='3-4', backend='ipvs')\ndef test_a(lb_point): pass\n"
    )
    assert selected(run("--collect-only", "-q", "-k", "test_a")) == ["ipvs-pods03", "ipvs-pods04"]


def test_collect_only_prints_the_plan_with_its_time_and_starts_nothing(
    run: Run, pytester: pytest.Pytester
) -> None:
    result = run("benches", "--collect-only", "--kubelb-pods=1,8", "--kubelb-runs=3", "--kubelb-duration=1m")
    result.stdout.fnmatch_lines(
        ["kubelb plan: 4 points, 16 runs with warm-up, about 16 min * s (16 min 0 s of it inside wrk)."]
    )
    assert not pytester.path.joinpath(".kubelb").exists()


def test_the_plan_knows_the_runs_that_a_marker_sets(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="import pytest\n@pytest.mark.kubelb(runs=2, duration='3s', pods=1, backend='ipvs')\n"
        "def test_a(lb_point): pass\n"
    )
    result = run("test_x.py", "--collect-only")
    result.stdout.fnmatch_lines(["kubelb plan: 1 point, 3 runs with warm-up, *(9 s of it inside wrk)."])


def test_settings_are_shown_once_with_their_origins(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nkubelb_runs = 2\n")
    monkeypatch.setenv("KUBELB_WARMUP", "0")
    for args in (("--kubelb-pods=4",), ("--kubelb-pods=4", "-q"), ("--kubelb-pods=4", "--no-header")):
        lines = run("benches", "--collect-only", *args).outlines
        shown = [line for line in lines if line.startswith("kubelb: ")]
        assert len(shown) == 1
        assert "pods 4 (--kubelb-pods), runs 2 (tox.ini: kubelb_runs)" in shown[0]
        assert "warmup 0 (KUBELB_WARMUP)" in shown[0]


def test_hooks_replace_points_and_order(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "from pytest_kubelb.matrix import Point\n"
        "def pytest_kubelb_points(settings):\n"
        "    return [Point('ipvs', pods, 'vxlan') for pods in (1, 2, 3)]\n"
        "def pytest_kubelb_order_points(points):\n"
        "    return points[::-1]\n"
    )
    assert selected(run("benches", "--collect-only", "-q")) == ["ipvs-pods03", "ipvs-pods02", "ipvs-pods01"]
