"""What `kubelb ab` accepts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.ab.request import request
from pytest_kubelb.commands import ab
from pytest_kubelb.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.ab.request import Request


def asked(root: Path, *options: str) -> Request:
    parser = argparse.ArgumentParser()
    ab.add(parser.add_subparsers())
    return request(
        parser.parse_args(
            ["ab", "--a", "backend=ipvs", "--b", "backend=proxy", "--root", str(root), *options]
        )
    )


@pytest.mark.parametrize(("runs", "told"), [("1", "1 pair"), ("2", "2 pairs")])
def test_fewer_pairs_than_can_be_judged_are_refused(tmp_path: Path, runs: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(tmp_path, "--runs", runs)
    assert str(caught.value) == f"--runs: {told} of runs cannot be judged: give at least 3."
    assert list(tmp_path.iterdir()) == []


def test_so_are_they_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELB_RUNS", "2")
    with pytest.raises(ConfigError, match="KUBELB_RUNS: 2 pairs of runs cannot be judged"):
        asked(tmp_path)
    assert asked(tmp_path, "--runs", "3").settings.runs == 3
