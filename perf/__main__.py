"""`python -m perf [FIGURE …]`: print each figure as one JSON line, with the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from perf import (
    duty_figures,
    evidence_figures,
    figures,
    gate_figures,
    gate_speed,
    repeat_figures,
    report_figures,
    rollout_figures,
    soak,
    testbed_figures,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ALL: dict[str, Callable[[], Iterable[figures.Figure | Mapping[str, object]]]] = {
    "unused": figures.unused_plugin,
    "ssh": figures.ssh_command,
    "ready": figures.lab_ready,
    "scaling": figures.scaling,
    "doctor": testbed_figures.doctor,
    "preflight": testbed_figures.preflight,
    "memory": testbed_figures.memory,
    "rollout": rollout_figures.rollout,
    "by-hand": figures.through_the_plugin_and_by_hand,
    "duty": duty_figures.duty_cycle,
    "duty-fall": duty_figures.fall,
    "evidence": evidence_figures.figures,
    "repeat": repeat_figures.figures,
    "report": report_figures.figures,
    "gate": gate_figures.figures,
    "gate-speed": gate_speed.figures,
    "soak": soak.figures,
}
LONG = ("soak",)
"""Measured only when asked for by name: half an hour, and nothing else should run meanwhile."""


def main() -> int:
    """Print the figures that were asked for, or all but the long ones; gives 4 for one that does not exist, else 0."""
    wanted = sys.argv[1:] or [name for name in ALL if name not in LONG]
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        print(f"perf: no figure {unknown[0]!r}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 4
    for name in wanted:
        for figure in ALL[name]():
            line = _line(figure) if isinstance(figure, figures.Figure) else dict(figure)
            line["machine"] = _machine()
            print(json.dumps(line), flush=True)
    return 0


def _line(figure: figures.Figure) -> dict[str, object]:
    line = asdict(figure)
    value = None if figure.value is None else round(figure.value, 4)
    return {"figure": line.pop("name"), **line, "value": value, "reached": figure.reached}


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
