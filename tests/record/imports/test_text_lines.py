"""Cutting files into lines, in bounded memory."""

from __future__ import annotations

import tracemalloc
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.record.imports.dirt import Dirt
from pytest_kubelb.record.imports.text_lines import LONGEST_PIECE, numbered_lines

from .synthetic import pieces


def test_carriage_returns_cut_a_line_but_keep_its_number() -> None:
    found, dirt = pieces(BytesIO(b"a\r  0  0\r100\nb\r\nc"))
    assert [piece for piece in found if piece[1]] == [(1, "a"), (1, "  0  0"), (1, "100"), (2, "b"), (3, "c")]
    assert dirt == {}


def test_what_follows_a_long_progress_meter_is_still_read() -> None:
    meter = b"  0     0    0     0 --:--:-- --:--:--\r" * 20_000
    found, dirt = pieces(BytesIO(b"first\n" + meter + b"podnum=4\nlast\n"))
    assert (2, "podnum=4") in found
    assert found[-1] == (3, "last")
    assert dirt == {}


def test_a_huge_line_is_cut_and_named_and_costs_no_memory() -> None:
    class Endless(BytesIO):
        """64 MiB of one line, which exist nowhere."""

        left = 1024

        def readline(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return b"x" * (size or 0) if self.left >= 0 else super().readline(size)

    dirt = Dirt("a.log")
    tracemalloc.start()
    found = list(numbered_lines(Endless(b"\nlast\n"), dirt))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(number, len(text)) for number, text in found] == [(1, LONGEST_PIECE), (2, 4)]
    assert str(dirt.warned()[0]).startswith("a.log:1: the line is longer than")
    assert peak < 4 * 2**20


def test_nul_bytes_and_odd_encodings_are_survived() -> None:
    found, dirt = pieces(BytesIO("podnum=4\n".encode("utf-16-le") + b"\xff\xfe\n"))
    assert found[0] == (1, "podnum=4")
    assert dirt["NUL bytes"].startswith("a.log:1: ")


@given(st.binary(max_size=400))
def test_lines_are_numbered_as_an_editor_does(content: bytes) -> None:
    found, _ = pieces(BytesIO(content))
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers)
    assert max(numbers, default=0) <= content.count(b"\n") + 1
