"""Check the testbed at the beginning of a session, over the connections that it has. Touches it, reading.

The session holds the lock already, so that what is found is not what another session is just putting away.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.preflight.check import Check
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.hosts import Hosts

log = logging.getLogger(__name__)


def require_ready(
    hosts: Hosts,
    api: Api,
    wanted: Wanted,
    on_event: Callable[[str, Mapping[str, object]], None],
    off: str = "--kubelb-preflight=off",
) -> None:
    """Make every check of the hosts in use and of the cluster, and tell `on_event` of `preflight` what is not ok.

    `off` is how to go on without.
    Raises TestbedError when a check fails: the first one, what to do about it, and how many more there are.
    """
    began = time.monotonic()
    checks = run.check_opened(hosts, api, wanted)
    failures = [check for check in checks if check.verdict == "fail"]
    warnings = [check for check in checks if check.verdict == "warning"]
    told = {
        "checks": len(checks),
        "failures": [vars(check) for check in failures],
        "warnings": [vars(check) for check in warnings],
        "seconds": round(time.monotonic() - began, 3),
    }
    on_event("preflight", told)
    for check in warnings:
        log.warning("preflight: %s", sentence(check))
    if failures:
        raise TestbedError(refusal(failures, str(wanted.inventory.file), off))


def refusal(failures: Sequence[Check], inventory: str, off: str) -> str:
    """Give the one sentence that ends a session whose testbed is not ready; `off` is how to go on all the same."""
    more = len(failures) - 1
    others = f"{more} more check{'s fail' if more > 1 else ' fails'}: " if more else ""
    return (
        f"the testbed is not ready: {sentence(failures[0])}; {others}see `kubelb doctor --inventory {inventory}`,"
        f" or go on all the same with {off}"
    )


def sentence(check: Check) -> str:
    """Give a check that is not ok as a part of a sentence, with what to do about it."""
    return f"{check.check} of {check.where}: {check.found}; {check.remedy}"
