"""`kubelb ab` from the command line: what it refuses, and one whole comparison in a lab of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from tests.lab.conftest import lab_kernel
from tests.lab.traces import MARK, left_by, machine

if TYPE_CHECKING:
    from pytest_kubelb.lab.requirements import Kernel

__all__ = ["lab_kernel"]

COMMAND = [sys.executable, "-c", "import sys; from pytest_kubelb.cli import main; sys.exit(main())", "ab"]
BOTH = ["--a", "backend=ipvs", "--b", "backend=proxy"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--a", "x", "--b", "backend=ipvs"], "kubelb: --a: 'x' is not KEY=VALUE: write backend=ipvs, "),
        (
            [*BOTH, "--pods=1,2"],
            "kubelb: --pods: '1,2' are 2 values, and both sides are compared at one point",
        ),
        ([*BOTH, "--overlay=vxlan,host-gw"], "kubelb: --overlay: 'vxlan,host-gw' are 2 values"),
        ([*BOTH, "--backend=ipvs,proxy"], "kubelb: --backend: 'ipvs,proxy' are 2 values"),
        ([*BOTH, "--duration=10"], "kubelb: --duration: '10' is not a duration"),
        ([*BOTH, "--runs=0"], "kubelb: --runs: '0' is not allowed: write a whole number from 1 to 1000"),
        ([*BOTH, "--max-drop=5"], "kubelb: --max-drop: '5' is not a tolerance"),
        ([*BOTH, "--root=nowhere"], "is not a folder: name the one that has, or is to have, .kubelb in it"),
        ([*BOTH, "--inventory=nowhere.toml"], "kubelb: --inventory: "),
        (["--a", "inventory=x", "--b", "backend=ipvs"], "only this side has an inventory of its own"),
        (["--a", "inventory=x", "--b", "inventory=y", "--inventory=z"], "would be used by no side"),
        (
            ["--a", "tuning=fast", "--b", "tuning=none", "--backend=ipvs"],
            "tuning 'fast' is not in the inventory",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_4_and_nothing_is_started(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ab", *words]) == 4
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_both_sides_have_to_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ab", "--a", "backend=ipvs"])
    assert ended.value.code == 4
    assert "the following arguments are required: --b" in capsys.readouterr().err


def test_what_selects_a_matrix_in_the_environment_does_not_matter_and_the_rest_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBELB_PODS", "1,2,4")
    monkeypatch.setenv("KUBELB_DURATION", "10")
    monkeypatch.chdir(tmp_path)
    assert main(["ab", *BOTH]) == 4
    assert "KUBELB_DURATION: '10' is not a duration" in capsys.readouterr().err


def test_two_backends_are_compared_in_a_lab_that_leaves_nothing(lab_kernel: Kernel, tmp_path: Path) -> None:
    before = machine()
    options = ["--runs=3", "--warmup=0", "--max-drop=60%", "--format=json", f"--lab-kernel={lab_kernel}"]
    with subprocess.Popen(
        [*COMMAND, *BOTH, *options, "--root", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: str(tmp_path)},
    ) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 2), output + errors
    said = json.loads(output)
    assert said["exit_code"] == process.returncode
    assert {side: said["sides"][side]["backend"] for side in "ab"} == {"a": "ipvs", "b": "proxy"}
    assert all(pair[side]["rps"] > 100 for pair in said["pairs"] for side in "ab")
    assert Path(said["record"]).parent.parent == tmp_path / ".kubelb"
    assert left_by(process.pid, str(tmp_path)) == []
    assert machine() == before
