"""The tidy frame, one row per run, as CSV and as Parquet. Touches the records, for reading, and the file asked for.

pandas, and pyarrow, which only Parquet needs, are imported by the calls.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.report.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pandas import DataFrame

_WITHOUT_PYARROW: Final = (
    "Parquet needs pyarrow, which is not installed: pip install 'pytest-kubelb[parquet]', or write CSV."
)


def write_csv(records: Sequence[Path], destination: Path) -> None:
    """Write the columns of `record.load` under one line of their names: UTF-8, times in ISO 8601, empty where unknown.

    Raises KubelbError for a damaged record and for a file that cannot be written.
    """
    runs = _loaded(records)
    runs["started"] = runs["started"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z"
    with whole(destination, "The CSV table") as file:
        runs.to_csv(file, index=False, lineterminator="\n", encoding="utf-8")


def write_parquet(records: Sequence[Path], destination: Path) -> None:
    """Write the columns of `record.load` with their types, compressed by zstd.

    Raises ConfigError when pyarrow is not installed, KubelbError as `write_csv` does.
    """
    require_pyarrow()
    runs = _loaded(records)
    with whole(destination, "The Parquet table") as file:
        runs.to_parquet(file, engine="pyarrow", index=False, compression="zstd")


def require_pyarrow() -> None:
    """Raise ConfigError, with what to install, when pyarrow is not there; does not import it."""
    if find_spec("pyarrow") is None:
        raise ConfigError(_WITHOUT_PYARROW)


def _loaded(records: Sequence[Path]) -> DataFrame:
    """Give the frame with the categories as text: those of an axis may be of mixed types."""
    import pandas as pd

    from pytest_kubelb.record import frame

    runs = frame.load(*records)
    for name in runs.columns:
        column = runs[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            texts = column.astype("object").map(str, na_action="ignore")
            runs[name] = texts.astype("string").astype("category")
    return runs
