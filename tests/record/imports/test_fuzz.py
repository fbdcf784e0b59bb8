"""Whatever is done to a log, importing it ends in a record that can be read, or in one sentence."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load.result import SocketErrors
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.record.imports.summary import tables
from pytest_kubelb.record.reader import read_record

from .synthetic import EPOCH_S, block, sweep

if TYPE_CHECKING:
    from pytest_kubelb.record.imports.dirt import Warned
    from pytest_kubelb.record.imports.making import Imported

LOG = (
    sweep([1000.0, 2000.0])
    + block(4, 900.0, EPOCH_S + 900, wall_s=360, errors=SocketErrors(1, 2, 3, 4, 5))
    + f"6\nStart time:\nwrk -d60s http://x/ {EPOCH_S}\nRetrying ....\nsize=100\nEnd time: {EPOCH_S}\n"
).encode()
TABLE = (
    f'"Epoch","# of pods","Payload size","Req/sec"\n{EPOCH_S},1,100,1000.5\n{EPOCH_S},2,100,-nan\n'.encode()
)

pieces = st.binary(max_size=20) | st.sampled_from(
    [
        b"\n",
        b"\r",
        b"\0",
        b"nan",
        b"-nan",
        b"inf",
        b"9" * 18,
        b"9" * 5000,
        b"podnum=",
        b"podnum=4\n",
        b"Start time: ",
        b"End time:\n",
        b"Running 1m test @ x\n",
        b"wrk -",
        b"Transfer/sec:",
        b"size=1\n",
        b'"',
        b",",
        "٣".encode(),
    ]
)
mutations = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 120), pieces), max_size=6)


def mutated(content: bytes, changes: list[tuple[float, int, bytes]], cut: float) -> bytes:
    """Replace some bytes from a place in the content, several times, then cut its end off."""
    for where, length, piece in changes:
        start = round(where * len(content))
        content = content[:start] + piece + content[start + length :]
    return content[: round(cut * len(content))]


def attempt(folder: Path) -> tuple[list[Imported], list[Warned]]:
    """Import the folder; nothing when it was refused."""
    with suppress(KubelbError):
        return import_paths([folder], {}, Choices(into=folder, pods=9))
    return [], []


@settings(max_examples=150)
@given(mutations, mutations, st.floats(0, 1) | st.just(1.0), st.booleans())
def test_a_mutated_or_truncated_file_is_imported_or_refused_and_the_record_can_be_read(
    log_changes: list[tuple[float, int, bytes]],
    table_changes: list[tuple[float, int, bytes]],
    cut: float,
    beside: bool,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lvs_0.log").write_bytes(mutated(LOG, log_changes, cut))
        (folder / "lvs_1.log").write_bytes(mutated(LOG, table_changes, 1.0))
        (folder / f"lvs_{0 if beside else 2}.csv").write_bytes(mutated(TABLE, table_changes, cut))
        sessions, warned = attempt(folder)
        for session in sessions:
            assert session.session is not None
            assert len(list(read_record(session.session.record))) > len(session.runs)
            assert tables(session.runs, session.judged)
        assert all("\n" not in str(one) and one.lines[0] >= 1 for one in warned)
