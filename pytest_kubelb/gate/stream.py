"""Questions in, answers out: one JSON object on each line, in the same order. Touches the two streams it is given.

A question has `baseline` and `candidate`, or `cells` of those; the answers are those of `verdict/protocol.py`. A line
is answered before the next is read, so that a program may hold a conversation, and memory does not grow with their
number.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_QUESTION: Final = 64 * 2**20
"""Bytes of a line: a suite of 2,000 cells with 100 baseline sessions of ten runs is 40 MB."""
_LONGEST_REASON: Final = 300


def answer_all(questions: BinaryIO, answers: TextIO, name: str) -> None:
    """Answer every line; blank ones are passed over.

    Raises ConfigError that names the line, counted from 1, of the first that is no question; those before it have
    been answered.
    """
    from pytest_kubelb.verdict import protocol

    for number, text in _lines(questions, name):
        try:
            answer = protocol.answer(json_fields.decode_object(text))
        except (ValueError, OverflowError) as error:
            raise _bad(name, number, str(error)) from error
        answers.write(json.dumps(finite(answer), allow_nan=False, separators=(",", ":")) + "\n")
        answers.flush()


def finite(value: object) -> object:
    """Give a JSON value with null in the place of every number that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): finite(item) for name, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def _lines(questions: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    while text := questions.readline(LONGEST_QUESTION + 1):
        number += 1
        if len(text) > LONGEST_QUESTION:
            raise _bad(name, number, f"it is longer than {LONGEST_QUESTION} bytes")
        if text.strip():
            yield number, text


def _bad(name: str, number: int, what: str) -> ConfigError:
    return ConfigError(
        f"{name}:{number}: this is no question: {plain(what, _LONGEST_REASON)}; "
        'write {"baseline": [[…], …], "candidate": […]} or {"cells": {name: that, …}}, one on each line.'
    )
