"""Write what a session was asked to write, from its record. Touches the files asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb import stash
from pytest_kubelb.record.acyclic import uncollected
from pytest_kubelb.record.sources import Source
from pytest_kubelb.report import formats, json_report

if TYPE_CHECKING:
    import pytest


@uncollected()
def write(config: pytest.Config) -> None:
    """Write every report of the settings, and the summary of a step on GitHub. Raises KubelbError."""
    record, wanted = config.stash[stash.RECORD], dict(config.stash[stash.SETTINGS].reports)
    json = wanted.pop("json", None)
    try:
        if json is not None:
            report = json_report.build(record)
            config.hook.pytest_kubelb_update_json(config=config, report=report)
            json_report.write(report, json)
    finally:  # one that cannot be written does not keep the others from it
        formats.write_all([Source(record, named=True)], wanted, summarize=True)
