"""Which lab a session gets: the one that is up and free, one to be kept, or one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.lab import launch, session, state
from pytest_kubelb.lab.launch import Lab

if TYPE_CHECKING:
    from pathlib import Path


class _Launched:
    """Stands in for `launch`: a real lab called "default" could be the developer's own, and takes seconds to boot."""

    BY_HAND = launch.BY_HAND

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stopped: list[str] = []

    def find(self) -> Lab | None:
        folder = self.root / self.BY_HAND
        return self._lab(folder) if folder.is_dir() else None

    def start(self, name: str | None, kernel: str, *, tied: bool) -> Lab:
        assert tied == (name is None)
        folder = self.root / (name or f"session-{kernel}")
        folder.mkdir()
        return self._lab(folder)

    def stop(self, lab: Lab) -> None:
        self.stopped.append(lab.folder.name)

    @staticmethod
    def _lab(folder: Path) -> Lab:
        return Lab(folder, state.Facts(pid=1, init_pid=2, kernel="uml", boot_s=3.0))


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Launched:
    """What `session` takes for `launch`."""
    fake = _Launched(tmp_path)
    monkeypatch.setattr(session, "launch", fake)
    return fake


def test_a_lab_to_be_kept_is_nobody_elses_during_the_session_and_stays_after_it(launched: _Launched) -> None:
    with session.lab("auto", keep=True) as kept, session.lab("auto", keep=False) as other:
        assert kept.folder.name == "default"
        assert other.folder.name == "session-auto"
    assert launched.stopped == ["session-auto"]


def test_the_lab_that_is_up_serves_the_next_session_when_it_is_free(launched: _Launched) -> None:
    launched.start(launch.BY_HAND, "uml", tied=False)
    for _ in range(2):
        with session.lab("uml", keep=False) as lab:
            assert lab.folder.name == "default"
    assert launched.stopped == []


def test_a_lab_on_another_kernel_than_asked_for_is_left_alone(launched: _Launched) -> None:
    launched.start(launch.BY_HAND, "uml", tied=False)
    with session.lab("host", keep=False) as lab:
        assert lab.folder.name == "session-host"
    assert launched.stopped == ["session-host"]
