"""The published JSON Schema (2020-12) of the reports, a file for each version. Touches the files beside this module.

A file of a version that was released is not changed any more; what is added is optional, or makes a new version.
"""

from __future__ import annotations

from importlib.resources import files

from pytest_kubelb.record.exported import SCHEMA_VERSION


def text(version: int = SCHEMA_VERSION) -> str:
    """Give the schema of a version of the report as JSON text, with the `$id` `urn:pytest-kubelb:schema:report:1`.

    Raises ValueError for a version that there is not.
    """
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"there is no report of version {version}: the versions are 1 to {SCHEMA_VERSION}")
    return (files("pytest_kubelb.report") / f"kubelb-report-v{version}.schema.json").read_text(
        encoding="ascii"
    )
