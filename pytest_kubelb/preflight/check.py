"""One line of the preflight: what was looked at, where, what was found, and what to do about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Verdict = Literal["fail", "warning", "ok"]
ORDER: Final[tuple[Verdict, ...]] = ("fail", "warning", "ok")


@dataclass(frozen=True)
class Check:
    """What became of one check."""

    check: str
    """The subject: `ssh`, `clock`, `rbac`."""
    where: str
    """A host, the cluster, or a namespace of it."""
    found: str
    verdict: Verdict
    """A `fail` keeps a session from running or its numbers from being right; a `warning` may."""
    remedy: str = ""
    """What to do; never empty unless the verdict is ok."""


def ok(check: str, where: str, found: str) -> Check:
    """Give a check that found what a session needs."""
    return Check(check, where, found, "ok")


def warning(check: str, where: str, found: str, remedy: str) -> Check:
    """Give a check that found what may do harm, or could not be made."""
    return Check(check, where, found, "warning", remedy)


def fail(check: str, where: str, found: str, remedy: str) -> Check:
    """Give a check that found what a session cannot run with."""
    return Check(check, where, found, "fail", remedy)


def worst(checks: Iterable[Check]) -> Verdict:
    """Give the worst verdict, ok where there is none."""
    return min((each.verdict for each in checks), key=ORDER.index, default="ok")


def in_order(checks: Iterable[Check]) -> list[Check]:
    """Give failures first, then warnings; the rest as they come."""
    return sorted(checks, key=lambda each: ORDER.index(each.verdict))


def split_sentence(sentence: str, host: str = "") -> tuple[str, str]:
    """Give what an error's sentence says and, after its last semicolon, what to do.

    `host` leaves out `host NAME: ` at the beginning: the table says where.
    """
    said = sentence.removeprefix(f"host {host}: ") if host else sentence
    found, semicolon, remedy = said.rpartition("; ")
    return (found, remedy) if semicolon else (said, "do what the sentence says")
