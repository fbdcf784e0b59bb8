"""From the values of a report to its HTML: the sections in their order, one template. Reads the package's files."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_kubelb import __version__
from pytest_kubelb.report.html import (
    cv_chart,
    fairness_chart,
    headline,
    latency_chart,
    order_chart,
    payload,
    ratio_chart,
    reproduce,
    rps_chart,
    sessions_chart,
    svg,
    tables,
    words,
)
from pytest_kubelb.report.html.picture import Styles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kubelb.report.html.model import Panel, Sheet
    from pytest_kubelb.report.html.picture import Figure

OPEN_PANELS: Final = 3
"""Panels of a section that are shown at once; further ones are folded."""


@dataclass(frozen=True)
class Drawn:
    """The pictures of one panel in one section."""

    title: str
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Section:
    """One kind of picture, for every panel."""

    anchor: str
    title: str
    panels: Sequence[Drawn]
    missing: str
    """Said instead of the pictures when there are none."""


def render(sheet: Sheet, title: str | None = None) -> str:
    """Give the whole page."""
    environment = Environment(
        loader=PackageLoader("pytest_kubelb.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["swatch"] = svg.swatch
    style, script = _packaged("report.css"), _packaged("report.js")
    given = headline.answers(sheet)
    sections = _sections(sheet)
    tuning, specs, findings = tables.tuning(sheet), tables.specs(sheet), tables.findings(sheet)
    has_evidence = any(session.evidence for session in sheet.sessions)
    missing = [section.missing for section in sections if not section.panels]
    if not has_evidence:
        missing.append("No evidence was recorded: CPU time, softirqs, interrupts and findings are not known.")
    elif not findings:
        missing.append("The evidence has no finding.")
    missing += [] if tuning else ["The settings of the hosts were not recorded."]
    missing += [] if specs else ["The hosts were not recorded."]
    return environment.get_template("report.html").render(
        title=title or _title(sheet),
        line=headline.line(sheet, given),
        answers=given,
        about=_about(sheet),
        sections=sections,
        missing=missing,
        points=tables.points(sheet),
        findings=findings,
        tuning=tuning,
        specs=specs,
        precisions=sessions_chart.precisions(sheet),
        has_evidence=has_evidence,
        recipes=[reproduce.of(session) for session in sheet.sessions],
        open_panels=OPEN_PANELS,
        share=words.share,
        version=__version__,
        # Files of this package, which the policy below allows by their hashes.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=payload.text(payload.of(sheet)),
    )


def _sections(sheet: Sheet) -> list[Section]:
    styles = Styles(sheet.backends)

    def drawn(figures: Callable[[Panel], Sequence[Figure]]) -> list[Drawn]:
        found = [Drawn(panel.title, figures(panel)) for panel in sheet.panels]
        return [each for each in found if each.figures]

    def one(figure: Callable[[Panel, Styles], Figure | None]) -> list[Drawn]:
        return drawn(lambda panel: [each for each in [figure(panel, styles)] if each is not None])

    between = sessions_chart.figure(sheet, styles)
    return [
        Section("rps", "Requests per second", one(rps_chart.figure), "No run was recorded."),
        Section(
            "ratio",
            "Ratio between backends",
            drawn(lambda panel: ratio_chart.figures(panel, styles)),
            "No two backends were measured at the same pod count, so there is no ratio.",
        ),
        Section("cv", "Repeatability", one(cv_chart.figure), "No run was recorded."),
        Section(
            "order",
            "Run order and time",
            drawn(lambda panel: order_chart.figures(panel, styles)),
            "No run was recorded.",
        ),
        Section(
            "sessions",
            "Between sessions",
            [Drawn("", [between])] if between else [],
            "One session with one provisioning of each point: how far the level moves between them is not known.",
        ),
        Section("latency", "Latency", one(latency_chart.figure), "No run tells its latency."),
        Section(
            "fairness",
            "Fairness between pods",
            one(fairness_chart.figure),
            "No evidence of requests or connections per pod was recorded: the shares of the pods are not known.",
        ),
    ]


def _title(sheet: Sheet) -> str:
    named = dict.fromkeys(str(session.facts.get("testbed", "")) for session in sheet.sessions)
    testbeds = [name for name in named if name]
    if sheet.sessions and all("imported" in session.facts for session in sheet.sessions):
        return "Load balancers, imported runs"
    return f"Load balancers on {', '.join(testbeds)}" if testbeds else "Load balancers"


def _about(sheet: Sheet) -> list[str]:
    """Give what was measured, in short phrases."""
    runs = sum(len(point.runs) for point in sheet.points)
    said = [words.counted(len(sheet.sessions), "session")] if len(sheet.sessions) > 1 else []
    said += [
        f"session {session.id or 'without an id'}"
        for session in sheet.sessions[:1]
        if len(sheet.sessions) == 1
    ]
    said += [words.day_and_time(session.start.started) for session in sheet.sessions[:1]]
    said += [words.counted(len(sheet.points), "point"), words.counted(runs, "run")]
    return said


def _packaged(name: str) -> str:
    return resources.files("pytest_kubelb.report.html").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    """Give a source expression of a content security policy."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
