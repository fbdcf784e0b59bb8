"""What a host answered: reach it, ask it once, take its answer apart. Touches the host, reading."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.testbed.hosts import Host

ASK_TIMEOUT_S = 15.0
_CLOCK = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?")


@dataclass(frozen=True)
class HostAnswer:
    """One host's answer, or why there is none."""

    host: str
    problem: str = ""
    """The sentence of the error; empty when the host answered."""
    user: str = ""
    skew_s: float = 0.0
    """How far its clock is before (+) or behind (-) ours at least, in seconds: what the way took is in its favour."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The lines of each part of the answer."""

    def lines(self, part: str) -> tuple[str, ...]:
        """Give the lines of a part, none where it was not asked or nothing came."""
        return self.parts.get(part, ())

    @property
    def needs_sudo(self) -> bool:
        """Whether commands that need root go through sudo there."""
        return self.lines("root") != ("root",)


def ask(host: Host, script: str) -> HostAnswer:
    """Log in, put the question, and compare the clocks. An error is in the answer, and never raised."""
    try:
        user = str(host.link().connection.user)
        before = time.time()
        printed = host.run(["sh", "-c", script], timeout_s=ASK_TIMEOUT_S).stdout
        parts = sections(printed)
        skew_s = skew(parts, before, time.time())
    except TestbedError as error:
        return HostAnswer(host.name, problem=str(error))
    return HostAnswer(host.name, user=user, skew_s=skew_s, parts=parts)


def skew(parts: Mapping[str, tuple[str, ...]], before: float, after: float) -> float:
    """Give the least seconds by which a host's clock can be before (+) or behind (-) ours; 0 when it may be right.

    `before` and `after` are our clock around the question. The host read its clock when it began (`date +%s.%N`, whole
    seconds where it knows no nanoseconds) and how long it took after that (/proc/uptime). Raises TestbedError when it
    did not say so.
    """
    begun, ended = parts.get("", ()), parts.get("end", ())
    match = _CLOCK.match(begun[0]) if len(begun) == 2 else None
    uptimes = [_CLOCK.match(each) for each in (*begun[1:], *ended[:1])]
    if match is None or not ended or None in uptimes:
        said = " ".join([*begun, *ended])[:80]
        raise TestbedError(
            f"its clock cannot be read ({said!r}); see that `date` and /proc/uptime work there"
        )
    earliest = float(match[0])
    latest = earliest + (0.0 if match[2] else 1.0)
    before_s, after_s = (float(each[0]) for each in uptimes if each)
    took_s = after_s - before_s
    most, least = latest - before, earliest + took_s - after
    return least if least > 0 else min(0.0, most)


def sections(printed: str) -> dict[str, tuple[str, ...]]:
    """Take an answer apart: name of the part -> its lines that are not blank; what is before the first has no name."""
    pieces = ["", *re.split(r"^%% (.+)$", printed, flags=re.MULTILINE)]
    return {
        name.strip(): tuple(line for line in text.splitlines() if line.strip())
        for name, text in zip(pieces[::2], pieces[1::2], strict=True)
    }
