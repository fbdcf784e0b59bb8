"""Read Kubernetes quantities: `10m`, `16Mi`, `1e3`. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

# Two digits of an exponent are more than the 2^63 that a quantity may reach.
_FORM: Final = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII
)
_POWERS: Final = {"n": -3, "u": -2, "m": -1, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_LARGEST: Final = 2**63 - 1


def parse(text: object) -> Fraction:
    """Give a quantity in base units, capped at 2^63 - 1 as Kubernetes does. Raises ValueError for what is none."""
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no Kubernetes quantity")
    number, exponent, suffix = match.groups()
    value = Fraction(number)
    if exponent:
        value *= Fraction(10) ** int(exponent[1:])
    elif suffix:
        value *= Fraction(1024 if suffix.endswith("i") else 1000) ** _POWERS[suffix[0]]
    return max(Fraction(-_LARGEST), min(value, Fraction(_LARGEST)))
