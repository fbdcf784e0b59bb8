"""One lab for the tests of this folder that need a testbed."""

from __future__ import annotations

from tests.lab.conftest import hosts, lab, lab_kernel

__all__ = ["hosts", "lab", "lab_kernel"]
