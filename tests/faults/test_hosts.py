"""The matrix, hosts: each fault is provoked while a session measures, and everything is as before in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.checking import check
from tests.faults.conftest import ROUNDS
from tests.faults.on_hosts import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bed import Bed
    from tests.faults.conftest import Row
    from tests.faults.fault import Fault


@pytest.mark.parametrize("turn", ROUNDS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_and_leaves_nothing(
    fault: Fault, turn: int, bed: Bed, table: dict[str, Row], tmp_path: Path
) -> None:
    del turn
    check(fault, bed, table, tmp_path)
