"""The reader of logs: each kind of dirt that the published logs have, in synthetic form."""

from __future__ import annotations

import pytest

from pytest_kubelb.load.result import SocketErrors

from .synthetic import COMMAND, EPOCH_S, block, parsed, report, sweep


def test_a_clean_log_gives_its_runs_without_a_warning() -> None:
    runs, dirt = parsed(sweep([1000.0, 2000.0, 3000.0]))
    assert dirt == {}
    assert [run.pods for run in runs] == [1, 2, 3]
    assert [run.result.rps for run in runs if run.result] == pytest.approx([1000, 2000, 3000], abs=0.01)
    assert [(run.line, run.started_s, run.wall_s, run.asked_s) for run in runs] == [
        (1 + 13 * index, EPOCH_S + 100 * (index + 1), 60, 60) for index in range(3)
    ]
    assert {run.command for run in runs} == {COMMAND}


def test_socket_errors_are_kept_and_said_once_per_file() -> None:
    text = "".join(block(pods, 1000.0, errors=SocketErrors(1, 2, 3, 0, 4)) for pods in (1, 2))
    runs, dirt = parsed(text)
    assert runs[1].result is not None
    assert runs[1].result.errors == SocketErrors(1, 2, 3, 0, 4)
    assert dirt["socket errors"].startswith("a.log:1: ")
    assert "also line 15" in dirt["socket errors"]


def test_responses_that_are_not_2xx_or_3xx_are_counted_and_said() -> None:
    runs, dirt = parsed(block(1, 1000.0, errors=SocketErrors(0, 0, 0, 17, 0)))
    assert runs[0].result is not None
    assert runs[0].result.errors.status == 17
    assert dirt["error statuses"].startswith("a.log:1: 17 responses")


def test_a_block_without_a_result_is_a_failed_run() -> None:
    text = (
        f"podnum=1\nStart time: {EPOCH_S}\n{COMMAND}\n"
        f"unable to connect to 10.254.0.10:80 Connection refused\nEnd time: {EPOCH_S}\n"
    ) + block(2, 1000.0, EPOCH_S + 10)
    runs, _ = parsed(text)
    assert [(run.pods, run.result is None, run.wall_s) for run in runs] == [(1, True, 0), (2, False, 60)]
    assert runs[0].problem is not None
    assert "Connection refused" in runs[0].problem


def test_a_block_that_says_nothing_between_start_and_end_is_a_failed_run() -> None:
    runs, _ = parsed(f"podnum=1\nStart time: {EPOCH_S}\nEnd time: {EPOCH_S}\n")
    assert [run.problem for run in runs] == ["wrk did not start, or could not connect"]


def test_a_header_with_nothing_after_it_is_no_run() -> None:
    runs, dirt = parsed(f"podnum=1\n\n{block(2, 1000.0)}podnum=3\n")
    assert [run.pods for run in runs] == [2]
    assert dirt["empty header"] == "a.log:1: a pod count with nothing after it (also line 16)."


def test_a_pod_count_that_is_empty_leaves_the_runs_below_without_one() -> None:
    runs, dirt = parsed(block(4, 1000.0) + block("", 1000.0, EPOCH_S + 100))
    assert [run.pods for run in runs] == [4, None]
    assert dirt["no pod count"].startswith("a.log:14: ''")


@pytest.mark.parametrize(
    "text",
    [
        f"podnum=1\nStart time:\n{COMMAND}\n{EPOCH_S}\n{report(1000.0)}End time: {EPOCH_S + 60}\n",
        f"podnum=1\nStart time:\n{COMMAND} {EPOCH_S}\n{report(1000.0)}End time: {EPOCH_S + 60}\n",
        f"podnum=1\nStart time: {COMMAND}\n{EPOCH_S}\n{report(1000.0)}End time:\n{EPOCH_S + 60}\n",
    ],
)
def test_an_epoch_that_stands_after_the_command_is_found(text: str) -> None:
    runs, dirt = parsed(text)
    assert [(run.pods, run.started_s, run.wall_s, run.command) for run in runs] == [(1, EPOCH_S, 60, COMMAND)]
    assert "late epoch" in dirt


def test_a_bare_integer_line_is_the_pod_count() -> None:
    runs, dirt = parsed(block(4, 1000.0).replace("podnum=4", "4"))
    assert [run.pods for run in runs] == [4]
    assert dirt["bare pod count"].startswith("a.log:1: ")


def test_a_log_without_a_pod_count_gives_runs_without_pods() -> None:
    runs, _ = parsed(block(1, 1000.0).partition("\n")[2])
    assert [(run.pods, run.started_s) for run in runs] == [(None, EPOCH_S)]


def test_a_label_line_becomes_an_axis_of_the_runs_below_it() -> None:
    body = block(1, 1000.0).partition("\n")[2]
    runs, dirt = parsed(f"size=100\n{body}size=1000\n{body}")
    assert [run.labels for run in runs] == [(("size", "100"),), (("size", "1000"),)]
    assert dirt["label"].startswith("a.log:1: the label 'size=100' becomes the axis 'size'")


@pytest.mark.parametrize("label", ["backend=other", "pods-per-host", "30s", "k12.example.org"])
def test_a_label_line_that_is_no_axis_is_passed_over(label: str) -> None:
    runs, dirt = parsed(f"{label}\n{block(1, 1000.0)}")
    assert [(run.pods, run.labels) for run in runs] == [(1, ())]
    assert dirt["a line that is no part of a log"].startswith("a.log:1: ")


def test_several_blocks_under_one_header_are_a_run_each() -> None:
    text = (
        f"podnum=4\nStart time: {EPOCH_S}\n"
        + f"{COMMAND}\n{report(1000.0)}" * 3
        + f"End time: {EPOCH_S + 200}\n"
    )
    runs, dirt = parsed(text)
    assert [(run.pods, run.started_s, run.wall_s) for run in runs] == [
        (4, EPOCH_S, None),
        (4, EPOCH_S + 60, None),
        (4, EPOCH_S + 120, None),
    ]
    assert "several blocks" in dirt


def test_blocks_that_follow_each_other_without_commands_are_a_run_each() -> None:
    runs, _ = parsed("podnum=4\n" + report(1000.0) * 2)
    assert [(run.pods, run.started_s, run.result is not None) for run in runs] == [(4, None, True)] * 2


def test_missing_start_and_end_times_are_said() -> None:
    text = f"podnum=4\n{COMMAND}\n{report(1000.0)}"
    runs, dirt = parsed(text)
    assert [(run.started_s, run.ended_s) for run in runs] == [(None, None)]
    assert dirt["no start time"].startswith("a.log:1: ")
    assert dirt["no end time"].startswith("a.log:1: ")


def test_time_that_runs_backwards_is_said_and_its_wall_time_is_not_used() -> None:
    runs, dirt = parsed(block(1, 1000.0, EPOCH_S) + block(2, 1000.0, EPOCH_S - 500, wall_s=-5))
    assert [run.wall_s for run in runs] == [60, None]
    assert dirt["time backwards"].startswith("a.log:14: ")
    assert dirt["end before start"].startswith("a.log:14: ")


def test_dates_in_words_are_read() -> None:
    text = block(1, 1000.0).replace(str(EPOCH_S + 60), "Fri Jul 14 11:41:00 JST 2017")
    text = text.replace(str(EPOCH_S), "Fri Jul 14 02:40:00 UTC 2017")
    runs, dirt = parsed(text)
    assert [(run.started_s, run.wall_s) for run in runs] == [(EPOCH_S, 60)]
    assert dirt["date in words"].startswith("a.log:2: ")


def test_what_others_print_between_the_blocks_is_passed_over() -> None:
    noise = (
        "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
        "100    12  100    12    0     0   2048      0 --:--:-- --:--:-- --:--:--  2400\n"
        "Error from server (NotFound): deployments.extensions not found\n"
        "Retrying ....\n"
        "12345\n"
        "99% of nothing\n"
    )
    runs, dirt = parsed(noise + block(1, 1000.0) + noise + block(2, 1000.0, EPOCH_S + 100))
    assert [(run.pods, run.problem) for run in runs] == [(1, None), (2, None)]
    assert {kind: text.split(":")[1] for kind, text in dirt.items()} == {
        "curl's progress meter": "1",
        "an error of kubectl": "3",
        "retry": "4",
        "a line that is no part of a log": "5",
    }


def test_a_command_that_is_tried_again_is_one_run() -> None:
    again = f"unable to connect to 10.254.0.10:80 Connection timed out\nRetrying ....\n{COMMAND}\n"
    text = block(4, 1000.0, wall_s=360).replace(f"{COMMAND}\n", f"{COMMAND}\n{again}{again}")
    runs, dirt = parsed(text)
    assert [(run.pods, run.problem, run.wall_s) for run in runs] == [(4, None, 360)]
    assert "retry" in dirt


def test_wrk2_is_read_with_its_calibration_and_its_tables_passed_over() -> None:
    rows = "".join(
        f"{index / 100:12.3f}{index / 3000:15.6f}{index:11d}{1.5:15.2f}\n" for index in range(3000)
    )
    text = block(4, 1000.0).replace("wrk -c", "wrk2 -R2000 -c")
    text = text.replace(
        "  Thread Stats",
        "  Thread calibration: mean lat.: 1.2ms, rate sampling interval: 10ms\n" * 40 + "  Thread Stats",
    )
    spectrum = (
        "  Latency Distribution (HdrHistogram - Recorded Latency)\n"
        " 50.000%    1.21ms\n 99.990%   12.40ms\n100.000%   13.10ms\n\n"
        "  Detailed Percentile spectrum:\n       Value   Percentile   TotalCount 1/(1-Percentile)\n\n"
        f"{rows}      13.103     1.000000       3000          inf\n"
        "#[Mean    =        1.229, StdDeviation   =        0.662]\n"
        "----------------------------------------------------------\n"
    )
    text = text.replace("  60000 requests in", f"{spectrum}  60000 requests in")
    runs, dirt = parsed(text)
    assert [run.problem for run in runs] == [None]
    assert runs[0].result is not None
    assert runs[0].result.latency.percentiles_us == pytest.approx({"50": 1210, "99.99": 12400, "100": 13100})
    assert list(dirt) == ["wrk2"]


def test_the_same_pods_with_another_unit_of_time_and_size_are_read() -> None:
    text = block(1, 1000.0).replace("60000 requests in 1.00m", "60000 requests in 60.00s")
    text = text.replace("96.68ms", "811.00us").replace("22.97k", "354.84")
    runs, _ = parsed(text)
    assert runs[0].result is not None
    assert (runs[0].result.duration_s, runs[0].result.latency.mean_us) == (60.0, 811.0)


def test_a_log_that_ends_within_a_run_gives_the_run_as_failed() -> None:
    text = block(1, 1000.0) + block(2, 1000.0, EPOCH_S + 100)
    runs, dirt = parsed(text[: text.rindex("Requests/sec")])
    assert [(run.pods, run.result is None) for run in runs] == [(1, False), (2, True)]
    assert dirt["torn"].startswith("a.log:14: ")


def test_figures_that_contradict_each_other_are_a_failed_run_with_the_reason() -> None:
    runs, _ = parsed(block(1, 1000.0).replace("Requests/sec:   1000.00", "Requests/sec:   2000.00"))
    assert runs[0].problem is not None
    assert "contradicts" in runs[0].problem


def test_without_a_command_the_announced_duration_counts_as_wrk_rounds_it() -> None:
    text = block(1, 1000.0, duration_s=80.0).replace(f"{COMMAND}\n", "")
    runs, _ = parsed(text)
    assert runs[0].asked_s == pytest.approx(80, rel=0.01)
    interrupted = block(1, 1000.0, duration_s=4.4).replace(f"{COMMAND}\n", "")
    assert parsed(interrupted)[0][0].asked_s == 60
