"""What the tests of the documentation share: where the pages are, a user's environment, and one lab."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import launch, requirements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def lab_kernel() -> requirements.Kernel:
    """The kernel for a lab's load balancer; skips where this machine cannot run a lab."""
    try:
        kernel = requirements.choose_kernel("auto")
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


def inventory_of(lab: Lab) -> str:
    """Give the lab's inventory with full paths, as the page on backends says, to be laid anywhere."""
    text = lab.inventory.read_text()
    for name in ("ssh_config", "kubeconfig"):
        text = text.replace(f'{name} = "{name}"', f'{name} = "{lab.folder / name}"')
    return text


def environment(**added: str) -> dict[str, str]:
    """Give an environment as a user's: without what this test session or its tox put there."""
    ours = ("KUBELB_", "PYTEST_", "TOX_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "GITHUB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    folders = [str(Path(sys.executable).parent), str(Path(sys.base_prefix) / "bin"), kept["PATH"]]
    return {**kept, "PATH": os.pathsep.join(folders), **added}
