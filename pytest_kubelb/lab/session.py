"""A lab for one test session: the one that is up by hand when it is free, else one of its own.

Touches what `launch` touches.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pytest_kubelb.lab import launch, state
from pytest_kubelb.lab.launch import Lab


@contextmanager
def lab(kernel: str, *, keep: bool) -> Iterator[Lab]:
    """Give a lab that nobody else uses; one that was started for it ends with it, unless `keep`.

    Raises TestbedError when this machine cannot run one.
    """
    standing = launch.find()
    if standing is None and keep:
        standing = launch.start(launch.BY_HAND, kernel, tied=False)
    # One that was just started to be kept is claimed as well, or the next session would take it meanwhile.
    claim = state.claim(standing.folder) if standing and kernel in ("auto", standing.facts.kernel) else None
    if standing is not None and claim is not None:
        try:
            yield standing
        finally:
            os.close(claim)
        return
    # The lab boots for seconds; what drives it is imported meanwhile.
    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(__import__, "pytest_kubelb.holding")
        started = launch.start(None, kernel, tied=True)
    try:
        imported.result()
        yield started
    finally:
        launch.stop(started)
