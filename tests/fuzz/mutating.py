"""Make wrong inputs out of right ones. Pure: bytes and a source of chance in, bytes out.

Bytes are cut, repeated, swapped and spiced with what is special somewhere. Lines of JSON are taken apart half of the
time, so that what is wrong lies behind the decoder: another type, another size, a field that is gone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

LARGEST: Final = 1 << 16
"""Bytes of an input; sizes beyond have tests of their own."""

SPICES: Final = (
    b"\x00", b"\n", b"\r", b"\r\n", b"\x1b[2J\x1b]0;owned\x07", b"\x1e", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae",
    b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f\xa6\x80", b"\xd9\xa1", b"\xc2\xb2", b"-1", b"0", b"1e999", b"-nan",
    b"nan", b"inf", b"NaN", b"Infinity", b"9" * 30, b"9" * 400, b"9" * 5000, b"0x" + b"f" * 5000, b"[" * 3000,
    b'{"a":' * 3000,
    b"$(touch owned)", b"`touch owned`", b"; touch owned", b"'; touch owned; '", b'"; touch owned; "',
    b"| touch owned", b"\ntouch owned\n", b"-oProxyCommand=touch owned", b"--", b"../../../../tmp/owned",
    b"/etc/passwd", b"<script>alert(1)</script>", b'"><img src=x onerror=alert(1)>', b"%%", b"@@", b"%s%n", b"{}",
    b"null", b"true", b'""', b",", b":", b"=", b" ", b"\t", b"=cmd|' /C calc'!A0",
)  # fmt: skip
"""What is special to a shell, a terminal, a page, a number, a path or one of our own formats."""

_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, 1e-320, "", "0", "x" * 3000,
    "\x1b[2J", "\x00", "\ud800", "\u202e", "\u0661", "../..", "$(touch owned)", "<b>", [], [[]], {}, {"": {}}, [None],
    ["a", 1], {"a": [1, {"b": None}]}, "2026-11-23T07:22:13Z", "9999-99-99T99:99:99Z", "0001-01-01T00:00:00+23:59",
)  # fmt: skip
_NUMBER: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
_NUMBERS: Final = (
    b"0",
    b"-1",
    b"0.0000001",
    b"9" * 20,
    b"9" * 400,
    b"9" * 5000,
    b"f" * 5000,
    b"1e400",
    b"nan",
)
_MOST_STEPS: Final = 4


def mutated(seeds: Sequence[bytes], chance: Random) -> bytes:
    """Give an input: a seed after one to four changes."""
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, _MOST_STEPS)):
        data = step(data, seeds, chance)
    return data[:LARGEST]


def step(data: bytes, seeds: Sequence[bytes], chance: Random) -> bytes:
    """Give the input after one change."""
    if chance.random() < 0.6 and (changed := _of_json(data, chance)) is not None:
        return changed
    start, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    match chance.randrange(9):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:start] + chance.choice(SPICES) + data[start:]
        case 2:
            return data[:start] + chance.choice(SPICES) + data[end:]
        case 3:
            return data[:end] + data[start:end] * chance.randint(1, 4) + data[end:]
        case 4:
            return data[:start]
        case 5:
            return data[:start] + chance.randbytes(chance.randint(1, 8)) + data[start:]
        case 6:
            return _lines(data, chance)
        case 7:
            return _number(data, chance)
        case _:
            other = chance.choice(seeds)
            return data[:start] + other[chance.randint(0, len(other)) :]


def _lines(data: bytes, chance: Random) -> bytes:
    """Change one word of one line, or the order of the lines."""
    lines = data.split(b"\n")
    number = chance.randrange(len(lines))
    if chance.random() < 0.3:
        chance.shuffle(lines)
        return b"\n".join(lines)
    words = lines[number].split(b" ")
    words[chance.randrange(len(words))] = chance.choice(SPICES)
    lines[number] = b" ".join(words)
    return b"\n".join(lines)


def _number(data: bytes, chance: Random) -> bytes:
    """Exchange one number, whatever stands around it."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(_NUMBERS) + data[one.end() :]


def _of_json(data: bytes, chance: Random) -> bytes | None:
    """Change one value of one line of JSON; None where there is none."""
    whole = data.lstrip().startswith((b"{", b"[")) and b"\n" not in data.strip()
    lines = [data] if whole else data.split(b"\n")
    candidates = [index for index, line in enumerate(lines) if line.startswith((b"{", b"["))]
    if not candidates:
        return None
    number = chance.choice(candidates)
    try:
        value = json.loads(lines[number])
    except (ValueError, RecursionError):
        return None
    lines[number] = json.dumps(_changed(value, chance)).encode()
    return b"\n".join(lines)


def _changed(value: Any, chance: Random) -> Any:
    """Change something below `value`, or the value itself: the deeper, the likelier."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        match chance.randrange(12):
            case 0:
                return {each: inner for each, inner in value.items() if each != name}
            case 1:
                return {**value, str(chance.choice(_ODD)): chance.choice(_ODD)}
            case 2:
                return {
                    str(chance.choice(_ODD)) if each == name else each: inner for each, inner in value.items()
                }
            case _:
                return {**value, name: _changed(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        number = chance.randrange(len(value))
        match chance.randrange(8):
            case 0:
                return value[:number] + value[number + 1 :]
            case 1:
                return [*value, value[number]]
            case _:
                return [*value[:number], _changed(value[number], chance), *value[number + 1 :]]
    if isinstance(value, str) and chance.random() < 0.5:
        place = chance.randint(0, len(value))
        return value[:place] + chance.choice(SPICES).decode(errors="replace") + value[place:]
    return chance.choice(_ODD)
