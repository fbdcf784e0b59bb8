"""The hosts that tuning is tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError

from .machine import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host made of namespaces."""
    try:
        made = Namespace()
    except (TestbedError, OSError) as error:
        pytest.skip(f"this machine makes no network namespace with veths: {error}")
    with made:
        yield made
