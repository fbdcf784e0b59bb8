"""The sections at the end of the session: every point, the backends, the baseline. Touches the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_kubelb import stash
from pytest_kubelb.failures import BROKEN
from pytest_kubelb.outcomes import Outcomes
from pytest_kubelb.report import between, comparison, terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest


def show(
    reporter: pytest.TerminalReporter, config: pytest.Config, unmeasured: Sequence[tuple[str, str]] = ()
) -> None:
    """Print the sections that have something to say; `unmeasured` are the points without a run, and why: (id, reason).

    Failed points are red where there are colours; the word for it stands in the row.
    """
    judged, width = config.stash.get(stash.OUTCOMES, Outcomes()), config.get_terminal_writer().fullwidth
    outcomes = judged.each
    failed = sum(terminal.overall_word(outcome) in terminal.FAILURES for outcome in outcomes)
    points = terminal.table(outcomes, width) if outcomes else []
    elsewhere = None if config.get_verbosity() > 0 else "-v says why"
    sections = {
        "load balancers": [*points, *_wrapped(_reasons(unmeasured), width)],
        "what the evidence says": _wrapped(judged.told.sentences(elsewhere), width),
    }
    unsupported = config.stash.get(stash.UNSUPPORTED, {})
    sections["tuning"] = _wrapped(_unsupported(unsupported), width)
    sections["preflight"] = _wrapped(_preflight(config), width)
    if outcomes:
        sections["between backends"] = between.lines(outcomes, config.stash[stash.SETTINGS].order, width)
    if stash.COMPARISON in config.stash:
        compared = comparison.lines(outcomes, config.stash[stash.COMPARISON], width)
        sweeps: list[str] = config.stash.get(stash.SWEEPS, [])
        sections["against the baseline"] = [*compared, *_wrapped(sweeps, width)]
    reporter.ensure_newline()
    for title, lines in sections.items():
        if lines:
            reporter.section(title)
        for number, line in enumerate(lines):
            reporter.write_line(line, red=title == "load balancers" and 0 < number <= failed)


def _reasons(unmeasured: Sequence[tuple[str, str]]) -> list[str]:
    found: dict[str, list[str]] = {}
    for point_id, reason in unmeasured:
        # The point that broke it tells the whole cause, among the failures.
        found.setdefault(BROKEN if reason.startswith(BROKEN) else reason, []).append(point_id)
    return [f"not measured, {reason.rstrip('.')}: {', '.join(ids)}" for reason, ids in found.items()]


def _preflight(config: pytest.Config) -> list[str]:
    """Give what the preflight warned of: each with -v, else how much."""
    found = config.stash.get(stash.PREFLIGHT, {}).get("warnings")
    if not isinstance(found, list) or not found:
        return []
    if config.get_verbosity() > 0:
        return [f"{each['check']} of {each['where']}: {each['found']}; {each['remedy']}." for each in found]
    return [f"{len(found)} warning{'' if len(found) == 1 else 's'} (-v says which)."]


def _unsupported(found: Mapping[tuple[str, str], Mapping[str, str]]) -> list[str]:
    """Give what hosts could not do of a tuning profile that does not require it."""
    return [
        f"{host} cannot do {knob} of the profile {profile}, and was measured without: {reason}."
        for (profile, host), reasons in found.items()
        for knob, reason in reasons.items()
    ]


def _wrapped(texts: Sequence[str], width: int) -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(text, max(width, 20), subsequent_indent="  ", break_on_hyphens=False)
    ]
