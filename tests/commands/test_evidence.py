"""`kubelb evidence`: the tables of one run of a recorded session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from tests.evidence.made_runs import quiet
from tests.record.sessions import axes, session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path

SESSION = session_id(1)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one session whose first run has evidence of a load balancer and a benchmarker."""
    folder = write_session(tmp_path, 1)
    line = {
        "kind": "evidence",
        "point": axes("ipvs", 4),
        "provisioning": 1,
        "run": 0,
        "warmup": False,
        "started": "2026-11-01T12:00:00Z",
        "hosts": {name: quiet().hosts[name].to_json() for name in ("k11", "k12")},
    }
    (folder / "evidence.jsonl").write_text(json.dumps(line) + "\n" + '{"kind":"evid')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("root")
def test_without_a_point_the_points_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", SESSION]) == 0
    assert capsys.readouterr().out == "ipvs-pods04\n"


@pytest.mark.usefixtures("root")
def test_the_tables_of_every_host_follow_the_run_they_are_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", SESSION, "ipvs-pods04", "--run", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ipvs-pods04, run 1: valid, 40,000 req/s")
    assert [line.split(",")[0] for line in lines if line.startswith("==")] == ["== k11", "== k12"]
    assert sum(line.split()[:2] == ["CPU", "%usr"] for line in lines) == 2
    assert any("NET_RX/s" in line for line in lines)


@pytest.mark.usefixtures("root")
def test_one_host_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", SESSION, "ipvs-pods04", "--run", "1", "--host", "k12"]) == 0
    assert "== k11" not in capsys.readouterr().out


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ipvs-pods05"], "POINT: the session has no point 'ipvs-pods05': its points are ipvs-pods04"),
        (["ipvs-pods04", "--run", "9"], "--run 9: ipvs-pods04 has runs 1 to 3: give one of them."),
        (["ipvs-pods04", "--run", "2"], "has no evidence of this run: choose another one."),
        (
            ["ipvs-pods04", "--run", "1", "--host", "k99"],
            "--host k99: read were k11, k12: choose one of them.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_4(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evidence", SESSION, *words]) == 4
    assert sentence in capsys.readouterr().err


def test_a_session_without_evidence_says_why(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".kubelb" / SESSION / "evidence.jsonl").unlink()
    assert main(["evidence", SESSION, "ipvs-pods04"]) == 1
    assert "sessions of before there was evidence, imported ones" in capsys.readouterr().err
