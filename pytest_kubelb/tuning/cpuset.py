"""Sets of CPUs as people and the kernel write them: lists (`1-7`) and masks (`fe`). Pure: touches nothing.

What matches the list grammar (decimal numbers without leading zeros) is a list; a mask that would look like one
needs 0x. The kernel's formats are those of Documentation/core-api/kernel-api ("bitmap_parselist", "bitmap_parse"):
a mask is hexadecimal, in comma groups of 32 bits, the highest first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

ALLOWED: Final = "a list of CPUs (1-7 or 0,2-4 or 1- for all from 1), a mask (fe or 0xfe), all or none"
LAST: Final = 8191
"""The highest CPU number that a Linux kernel can be built for (CONFIG_NR_CPUS)."""

_NUMBER = "(?:0|[1-9][0-9]{0,4})"
_LIST = re.compile(rf"{_NUMBER}(?:-(?:{_NUMBER})?)?(?:,{_NUMBER}(?:-(?:{_NUMBER})?)?)*", re.ASCII)
_MASK = re.compile(r"(?:0x)?[0-9a-fA-F]{1,8}(?:,[0-9a-fA-F]{1,8})*|0x[0-9a-fA-F]+", re.ASCII)


@dataclass(frozen=True)
class CpuSet:
    """CPUs as they were asked for, before it is known which ones a host has."""

    text: str
    """As it was written."""
    cpus: frozenset[int]
    """The CPUs that are named."""
    onwards: int | None = None
    """All CPUs of the host from this one on as well; None where the text names an end."""

    def __str__(self) -> str:
        """Give it as a list, the same for a list and a mask of the same CPUs: `1-7`, `1-`, `none`."""
        named = listed(self.cpus) if self.cpus or self.onwards is None else ""
        return ",".join(filter(None, (named, "" if self.onwards is None else f"{self.onwards}-")))

    def on(self, online: Collection[int]) -> frozenset[int]:
        """Give the CPUs that are meant on a host with these online. Raises ValueError for others, or none at all.

        The kernel refuses, or leaves out without a word, CPUs that are not online.
        """
        strange = self.cpus - set(online)
        if strange:
            raise ValueError(
                f"CPUs {listed(strange)} of {self.text!r} are not online; the host has {listed(online)}"
            )
        tail = frozenset(cpu for cpu in online if self.onwards is not None and cpu >= self.onwards)
        if self.onwards is not None and not tail:
            raise ValueError(
                f"{self.text!r} begins at CPU {self.onwards}, and the host has only {listed(online)}"
            )
        return self.cpus | tail


def parse(text: str) -> CpuSet:
    """Read a list, a mask, `all` or `none`. Raises ValueError with the rule."""
    written = text.strip()
    if written == "all":
        return CpuSet(written, frozenset(), 0)
    if written == "none":
        return CpuSet(written, frozenset())
    if _LIST.fullmatch(written):
        return _parse_list(written)
    try:
        return CpuSet(written, from_mask(written))
    except ValueError:
        raise ValueError(f"{text!r} is no set of CPUs: write {ALLOWED}") from None


def _parse_list(text: str) -> CpuSet:
    cpus: set[int] = set()
    onwards: int | None = None
    for part in text.split(","):
        low, dash, high = part.partition("-")
        if dash and not high:
            onwards = int(low) if onwards is None else min(onwards, int(low))
            continue
        first, last = int(low), int(high or low)
        if first > last:
            raise ValueError(f"{part!r} in {text!r} runs backwards: write the lower CPU first")
        if last > LAST:
            raise ValueError(f"CPU {last} in {text!r} is beyond {LAST}, the last that Linux can have")
        cpus.update(range(first, last + 1))
    return CpuSet(text, frozenset(cpus), onwards)


def from_mask(text: str) -> frozenset[int]:
    """Read a hexadecimal mask with or without comma groups, as in `rps_cpus`. Raises ValueError."""
    if not _MASK.fullmatch(text):
        raise ValueError(
            f"{text!r} is no mask of CPUs: write hexadecimal digits, in groups of 8 between commas"
        )
    first, *rest = text.removeprefix("0x").split(",")
    bits = int(first, 16)
    for group in rest:
        bits = bits << 32 | int(group, 16)
    if bits.bit_length() > LAST + 1:
        raise ValueError(f"{text!r} names CPUs beyond {LAST}, the last that Linux can have")
    return frozenset(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)


def from_list(text: str) -> frozenset[int]:
    """Read a list as the kernel prints it, in `smp_affinity_list` or `online`; empty text is no CPU."""
    written = text.strip()
    if not written:
        return frozenset()
    found = _parse_list(written) if _LIST.fullmatch(written) else None
    if found is None or found.onwards is not None:
        raise ValueError(f"{text!r} is no list of CPUs, such as 0,2-4")
    return found.cpus


def listed(cpus: Collection[int]) -> str:
    """Give the list form: `0,2-4`; `none` where there is none."""
    parts: list[str] = []
    ordered = sorted(set(cpus))
    start = 0
    for index, cpu in enumerate(ordered):
        if index + 1 == len(ordered) or ordered[index + 1] != cpu + 1:
            first = ordered[start]
            parts.append(str(cpu) if first == cpu else f"{first}-{cpu}")
            start = index + 1
    return ",".join(parts) or "none"


def mask(cpus: Collection[int]) -> str:
    """Give the mask as the kernel takes it: `fe`, in comma groups of 32 bits from CPU 32 on."""
    bits = sum(1 << cpu for cpu in set(cpus))
    groups = [f"{bits & 0xFFFFFFFF:08x}"]
    while bits := bits >> 32:
        groups.append(f"{bits & 0xFFFFFFFF:08x}")
    groups[-1] = groups[-1].lstrip("0") or "0"
    return ",".join(reversed(groups))


def shown(cpus: Collection[int]) -> str:
    """Give both forms, for people: `1-7 (mask fe)`."""
    return f"{listed(cpus)} (mask {mask(cpus)})"
