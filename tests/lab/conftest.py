"""One lab for all tests of this folder that need one: it boots in seconds, but not in none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import launch, requirements
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab


@pytest.fixture(scope="session")
def lab_kernel() -> requirements.Kernel:
    """The kernel for the load balancer: what this machine offers, or what KUBELB_LAB_KERNEL asks for."""
    try:
        kernel = requirements.choose_kernel(os.environ.get("KUBELB_LAB_KERNEL", "auto"))
        requirements.check(kernel)
    except TestbedError as error:
        pytest.skip(f"this machine cannot run a lab: {error}")
    return kernel


@pytest.fixture(scope="session")
def lab(lab_kernel: requirements.Kernel) -> Iterator[Lab]:
    """A lab that is up, and ends with the tests."""
    lab = launch.start(None, lab_kernel, tied=True)
    yield lab
    launch.stop(lab)


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> Iterator[Hosts]:
    """The lab's hosts, by the ssh_config that it wrote."""
    described = inventory.load(lab.inventory)
    with Hosts(lab.ssh_config, described.roles.hosts) as opened:
        yield opened
