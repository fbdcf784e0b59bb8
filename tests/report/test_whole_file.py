"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.report.whole_file import whole


def test_a_link_keeps_pointing_to_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for text in (b"old", b"new"):
        with whole(tmp_path / "link", "It") as file:
            file.write(text)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole(pipe, "It") as file:
        file.write(b"told")
    assert os.read(reader, 9) == b"told"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_device_that_takes_nothing_is_named_and_stays() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("there is no /dev/full here")
    said = "It /dev/full cannot be written: No space left on device"
    with pytest.raises(KubelbError, match=said), whole(full, "It") as file:
        file.write(b"x")
    assert full.is_char_device()
