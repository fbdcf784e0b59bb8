"""`python -m perf [FIGURE …]`: print each figure as one JSON line, with the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
import sys

from perf import figures

ALL = {
    "unused": figures.unused_plugin,
    "ssh": figures.ssh_command,
    "ready": figures.lab_ready,
    "scaling": figures.scaling,
    "by-hand": figures.through_the_plugin_and_by_hand,
    "duty": figures.duty_cycle,
}


def main() -> int:
    """Print the figures that were asked for, or all; gives 4 for one that does not exist, else 0."""
    wanted = sys.argv[1:] or list(ALL)
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        print(f"perf: no figure {unknown[0]!r}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 4
    for name in wanted:
        for figure in ALL[name]():
            value = None if figure.value is None else round(figure.value, 4)
            line = {
                "figure": figure.name,
                "value": value,
                "unit": figure.unit,
                "at_least": figure.at_least,
                "at_most": figure.at_most,
                "reached": figure.reached,
                "details": figure.details,
                "machine": _machine(),
            }
            print(json.dumps(line), flush=True)
    return 0


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
