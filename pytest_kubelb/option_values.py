"""What may be written for an option, and the parsers that read it: text in, value out. Touches nothing.

Every parser raises ValueError with the rule in its message; the caller adds where the text came from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kubelb.load.command import Connections

OVERLAYS = ("vxlan", "host-gw")
ORDERS = ("paired", "block", "random")
LAB_KERNELS = ("auto", "host", "uml", "qemu")
PASS_OR_FAIL = ("pass", "fail")
ON_OR_OFF = ("on", "off")
FAIL_OR_WAIT = ("fail", "wait")
AUTO = "auto"

# Far above any testbed; keeps a typed zero too many from expanding to millions of points.
MOST_PODS = 9999
# Texts, compiled when first used: every pytest run imports this module, few read an option.
_PODS = r"(?P<first>[0-9]{1,6})(?:-(?P<last>[0-9]{1,6})(?:/(?P<step>[0-9]{1,6}))?)?"
_DURATION = r"([0-9]{1,6})([smh])"
_TOLERANCE = r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?(%?)"
_WHOLE = r"[0-9]{1,10}"
_NAME = r"[a-z][a-z0-9-]*"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_pods(text: str) -> tuple[int, ...]:
    """Read pod counts: `4`, `1,2,8`, `4-40/2` (from-to/step). Gives them ascending.

    Raises ValueError with the rule in its message.
    """
    counts: list[int] = []
    for piece in (piece.strip() for piece in text.split(",")):
        match = re.fullmatch(_PODS, piece)
        if match is None:
            raise ValueError(f"{piece!r} is not a pod count: write 4, 1,2,8 or 4-40/2 (from-to/step)")
        first, step = int(match["first"]), int(match["step"] or 1)
        last = int(match["last"] or first)
        if first < 1 or step < 1 or last > MOST_PODS:
            raise ValueError(f"{piece!r} is out of range: pods and steps are 1 to {MOST_PODS}")
        if last < first:
            raise ValueError(f"{piece!r} runs backwards: write the smaller number first")
        new = range(first, last + 1, step)
        _refuse_repeats([*counts, *new], text)
        counts.extend(new)
    return tuple(sorted(counts))


def parse_backends(text: str) -> tuple[str, ...]:
    """Read backend names: `ipvs,proxy`. Which exist is checked later. Raises ValueError with the rule."""
    return _names(text, "a backend name: lower-case letters, digits and dashes, separated by commas")


def parse_overlays(text: str) -> tuple[str, ...]:
    """Read overlays: `vxlan,host-gw`. Raises ValueError with the rule in its message."""
    names = _names(text, f"an overlay: {' or '.join(OVERLAYS)}, separated by commas")
    for name in names:
        one_of(*OVERLAYS)(name)
    return names


def parse_tunings(text: str) -> tuple[str, ...]:
    """Read names of tuning profiles: `none,rps`. Which exist is checked later. Raises ValueError with the rule."""
    return _names(
        text, "the name of a tuning profile: lower-case letters, digits and dashes, separated by commas"
    )


def parse_duration(text: str) -> int:
    """Read `10s`, `1m`, `1h` as seconds, as wrk does. Raises ValueError with the rule in its message."""
    match = re.fullmatch(_DURATION, text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration: wrk takes whole s, m or h with the unit: 10s, 1m")
    return int(match[1]) * _SECONDS[match[2]]


def parse_tolerance(text: str) -> float:
    """Read `5%` or `0.05` as a fraction. Raises ValueError with the rule in its message."""
    match = re.fullmatch(_TOLERANCE, text)
    # A bare 5 would mean 500 %, and a bare 1 is as likely to mean 1 %: both have to say which.
    if match is None or (not match[2] and float(match[1]) >= 1):
        raise ValueError(f"{text!r} is not a tolerance: write a percentage (5%) or a fraction (0.05)")
    fraction = float(match[1]) / 100 if match[2] else float(match[1])
    if not 0 < fraction <= 1:
        raise ValueError(f"{text!r} is out of range: a tolerance is above 0% and at most 100%")
    return fraction


def parse_warmup(text: str) -> int | Literal["auto"]:
    """Read `2`, or `auto`, as which "auto" is given. Raises ValueError with the rule in its message."""
    if text == AUTO:
        return "auto"
    try:
        return whole(0, 100)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {AUTO}") from error


def parse_drop(text: str) -> float:
    """Read a drop as `parse_tolerance` does; one of 100 % is none that could be judged. Raises ValueError."""
    drop = parse_tolerance(text)
    if drop >= 1:
        raise ValueError(f"{text!r} is out of range: a drop is above 0% and below 100%")
    return drop


def parse_flag(text: str) -> bool:
    """Read true/false, yes/no, on/off, 1/0. Raises ValueError with the rule in its message."""
    if text.lower() not in _YES + _NO:
        raise ValueError(f"{text!r} is neither yes nor no: write true or false")
    return text.lower() in _YES


def parse_connections(text: str) -> Connections:
    """Read `800` or `auto:80`; the rule is wrk's and lives in `pytest_kubelb.load.command`."""
    from pytest_kubelb.load.command import parse_connections as parse

    return parse(text)


def plain_words(text: str) -> str:
    """Read what is understood later. Raises ValueError when it is empty."""
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is empty: say which sessions, such as last:5")
    return text.strip()


def parse_path(text: str) -> Path:
    """Read a path, its `~` expanded. Raises ValueError when it is empty or the home folder is unknown."""
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is not a path: name a file")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text!r} is in the home folder of nobody known: name another path") from error


def whole(least: int, most: int) -> Callable[[str], int]:
    """Give a parser of whole numbers from `least` to `most`; it raises ValueError with that rule."""

    def parse(text: str) -> int:
        if not re.fullmatch(_WHOLE, text) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not allowed: write a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Give a parser that takes one of `words`; it raises ValueError with the list of them."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is unknown: choose from {', '.join(words)}")
        return text

    return parse


def plain_text(value: object) -> str:
    """Give a TOML or marker value as the text that a parser here reads: `[1, 2]` becomes `1,2`."""
    if isinstance(value, list | tuple):
        return ",".join(plain_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(text: str, rule: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"{name!r} is not {rule}")
    _refuse_repeats(names, text)
    return tuple(names)


def _refuse_repeats(values: Sequence[object], text: str) -> None:
    if len(values) != len(set(values)):
        twice = next(value for index, value in enumerate(values) if value in values[:index])
        raise ValueError(f"{text!r} names {twice} more than once: name each once")
