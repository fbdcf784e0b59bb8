"""How a verdict fails an item: kinds of pytest's own failure, so that reports, -x and xfail know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

__all__ = ["BROKEN", "Failed", "InconclusiveError", "RegressionError", "RepeatabilityError"]

BROKEN: Final = "the testbed is broken"
"""How the reason of a point begins that is skipped because an earlier one failed for good."""

if TYPE_CHECKING:
    # pytest documents this class as pytest.fail.Exception only, which a type checker does not take as a base.
    from _pytest.outcomes import Failed
else:
    Failed = pytest.fail.Exception


class RepeatabilityError(Failed):
    """The runs of a point spread more than the tolerance allows, or none of them is valid."""

    # As pytest does for its own: reports then say RepeatabilityError, without the module's path before it.
    __module__ = "builtins"


class RegressionError(Failed):
    """A point, or a backend's whole sweep, is slower than its baseline, measured again and still so."""

    __module__ = "builtins"


class InconclusiveError(Failed):
    """There is no verdict, and the settings say that this fails: --kubelb-on-inconclusive, -on-missing-baseline."""

    __module__ = "builtins"
