"""One lab for the tests of this folder that need a testbed."""

from __future__ import annotations

from tests.lab.conftest import lab, lab_kernel

__all__ = ["lab", "lab_kernel"]
