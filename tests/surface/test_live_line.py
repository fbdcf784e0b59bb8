"""The live line on a real terminal: what can be read while points are measured, and what stays."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.report import screen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PODS = "--kubelb-pods=1,2"
LAST = "run 3/5"
"""Shown for the last run of every point."""


class OnScreen(Protocol):
    def __call__(
        self, *args: str, columns: int = 80, rows: int = 40, env: Mapping[str, str] | None = None
    ) -> screen.Session:
        """Run pytest with `args` on a terminal of that size."""


@pytest.fixture
def on_screen(run_faked: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> OnScreen:
    """Give a function that runs the faked benches on a terminal."""
    del run_faked  # it has made the project and the environment

    def start(
        *args: str, columns: int = 80, rows: int = 40, env: Mapping[str, str] | None = None
    ) -> screen.Session:
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-Werror",
            "-p",
            "pytest_kubelb.plugin",
            "-p",
            "no:cacheprovider",
        ]
        answers = {"(Pdb) ": "continue\n"}
        inherited = {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}
        return screen.run(
            [*argv, "benches", PODS, *args],
            pytester.path,
            {**inherited, "TERM": "xterm-256color", **(env or {})},
            columns=columns,
            rows=rows,
            answers=answers,
        )

    return start


_OF_TERMINALS = ("COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI", "BUILD_NUMBER")


def point_lines(session: screen.Session) -> list[str]:
    return [line.split()[0] for line in session.lines if " 3/3 runs valid " in line]


VISITED = ["ipvs-pods01", "proxy-pods01", "proxy-pods02", "ipvs-pods02"]


@pytest.mark.parametrize(
    ("args", "env"),
    [
        ((), {}),
        (("-v",), {}),
        (("-q",), {}),
        (("--no-header",), {}),
        (("--color=no",), {}),
        (("--color=yes",), {}),
        (("--capture=sys",), {}),
        (("-p", "no:logging"), {}),
        (("-v",), {"NO_COLOR": "1"}),
    ],
)
def test_the_line_tells_every_run_and_leaves_nothing_behind(
    on_screen: OnScreen, args: tuple[str, ...], env: dict[str, str]
) -> None:
    session = on_screen("--kubelb-tolerance=60%", *args, env=env)
    assert session.exit_code == 0
    runs = [text for text in session.live if "req/s" in text]
    assert len(runs) == 4 * 3
    assert re.fullmatch(
        r"ipvs-pods01  run 2/5  1,010 req/s  valid  CV 0.70%  0/4 points done  \d+s left", runs[1]
    )
    assert point_lines(session) == VISITED
    left = "\n".join(session.lines)
    for word in ("run 1/5", LAST, "being provisioned", "measuring", "points done"):
        assert word not in left


def test_the_line_has_the_row_below_what_pytest_has_begun(on_screen: OnScreen) -> None:
    session = on_screen("-v", "--kubelb-tolerance=60%", rows=12)
    during = session.before(LAST)
    assert during[-2].startswith("benches/test_rps.py::test_rps[ipvs-pods01]")
    assert during[-1].startswith("ipvs-pods01  run 3/5")
    finished = [" ".join(line.split()) for line in session.lines if "::test_rps[" in line]
    assert finished == [
        f"benches/test_rps.py::test_rps[{visited}] PASSED [{done}%]"
        for visited, done in zip(VISITED, (" 25", " 50", " 75", "100"), strict=True)
    ]


@pytest.mark.parametrize("columns", [40, 50, 60])
def test_a_narrow_terminal_shows_one_row_of_it_and_keeps_pytests_lines_whole(
    on_screen: OnScreen, columns: int
) -> None:
    session = on_screen("-v", "--kubelb-tolerance=60%", columns=columns)
    assert len([text for text in session.live if "/5" in text]) == 12
    assert max(map(len, session.live)) < columns
    whole = "".join(line.ljust(columns) for line in session.lines)
    for visited in VISITED:
        assert re.search(rf"benches/test_rps.py::test_rps\[{visited}\] PASSED", whole)
    assert "points done" not in whole


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (("-s",), {}),
        (("-qq",), {}),
        (("--capture=tee-sys",), {}),
        (("-p", "no:terminal"), {}),
        (("-o", "log_cli=true"), {}),
        (("--log-cli-level=INFO",), {}),
        (("--setup-show",), {}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_where_others_write_or_nothing_can_be_rewritten_there_is_no_live_line(
    on_screen: OnScreen, args: tuple[str, ...], env: dict[str, str]
) -> None:
    session = on_screen("--kubelb-tolerance=60%", *args, env=env)
    assert session.exit_code == 0
    assert session.live == []
    assert "\x1b[2K" not in session.written
    assert "being provisioned" not in session.written


def test_live_logs_have_a_record_for_every_run(on_screen: OnScreen) -> None:
    session = on_screen("-k", "ipvs and pods01", "--log-cli-level=INFO", columns=200)
    logged = [line for line in session.lines if line.startswith("INFO")]
    assert [line[line.index("ipvs") :] for line in logged] == [
        "ipvs-pods01 run 1/5: 1,000 req/s, valid",
        "ipvs-pods01 run 2/5: 1,010 req/s, valid",
        "ipvs-pods01 run 3/5: 990 req/s, valid",
    ]


@pytest.mark.parametrize("args", [("--pdb",), ("--pdb", "-v")])
def test_the_debugger_has_the_terminal_to_itself(on_screen: OnScreen, args: tuple[str, ...]) -> None:
    session = on_screen("-k", "proxy and pods01", *args)
    prompted = session.before("(Pdb) ")
    assert prompted[-1] == "(Pdb)"
    assert not any("run 3/5" in line for line in prompted)
    assert session.exit_code == pytest.ExitCode.TESTS_FAILED


def test_a_breakpoint_in_a_bench_finds_the_line_gone_and_the_rest_goes_on(
    on_screen: OnScreen, pytester: pytest.Pytester
) -> None:
    bench = pytester.path / "benches" / "test_rps.py"
    bench.write_text("def test_rps(wrk):\n    wrk()\n    breakpoint()\n")
    session = on_screen("--kubelb-tolerance=60%", "-k", "ipvs and pods01")
    assert not any("run 3/5" in line for line in session.before("(Pdb) "))
    assert session.exit_code == 0


def test_what_a_bench_prints_is_captured_as_ever(on_screen: OnScreen, pytester: pytest.Pytester) -> None:
    bench = pytester.path / "benches" / "test_rps.py"
    bench.write_text("def test_rps(wrk, capfd):\n    print('before')\n    wrk()\n    print('after')\n"
                     "    assert capfd.readouterr().out == 'before\\nafter\\n'\n")  # fmt: skip
    session = on_screen("--kubelb-tolerance=60%", "-k", "pods01")
    assert session.exit_code == 0
    assert len([text for text in session.live if "req/s" in text]) == 6


def test_x_stops_with_what_was_not_reached(on_screen: OnScreen) -> None:
    session = on_screen("-x")
    assert point_lines(session) == VISITED[:2]
    assert "not measured, the session ended before: proxy-pods02, ipvs-pods02" in session.lines
    assert not any("points done" in line for line in session.lines)


def test_without_a_terminal_there_is_a_line_for_each_point_and_no_escape(
    run_faked: Callable[..., pytest.RunResult],
) -> None:
    text = run_faked("benches", PODS, "--kubelb-tolerance=60%").stdout.str()
    assert len(re.findall(r"^(?:ipvs|proxy)-pods0\d  3/3 runs valid", text, re.MULTILINE)) == 4
    assert "\x1b" not in text
    assert "\r" not in text
    assert "points done" not in text
