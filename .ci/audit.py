#!/usr/bin/env python3
"""Fail when an installed package has a known vulnerability that is not waived here with a reason.

Runs pip-audit, which asks an advisory service; one that cannot be reached is said, and is no failure: a build must not
hang on it. Further words go to pip-audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

WAIVED: dict[str, str] = {}
"""Id of an advisory -> why it does not concern this project, and until when it is waived."""
TIME_OUT_S = 600


def judged(report: dict[str, Any], waived: dict[str, str]) -> tuple[list[str], list[str], int]:
    """Give what fails, what is to be said, and how many packages were looked up, out of pip-audit's JSON."""
    failing: list[str] = []
    said: list[str] = []
    looked_up = 0
    met: set[str] = set()
    for package in report["dependencies"]:
        if "skip_reason" in package:
            continue
        looked_up += 1
        for found in package["vulns"]:
            names = {found["id"], *found.get("aliases", ())}
            what = f"{package['name']} {package['version']}: {found['id']}"
            fixed = f", fixed in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else ""
            reasons = [waived[name] for name in names if name in waived]
            met |= names & waived.keys()
            if reasons:
                said.append(f"waived: {what}{fixed}: {reasons[0]}")
            else:
                failing.append(f"{what}{fixed}: update it, or waive it in .ci/audit.py with a reason")
    said += [f"no package has {name} any more: delete its waiver" for name in sorted(waived.keys() - met)]
    skipped = len(report["dependencies"]) - looked_up
    said.append(f"{looked_up} packages looked up, {skipped} not known to the advisory service")
    return failing, said, looked_up


def main(words: list[str]) -> int:
    """Give the exit code: 1 for a vulnerability."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"not audited: the advisory service had not answered after {TIME_OUT_S} s")
        return 0
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        # pip-audit ends with 1 for a vulnerability, of which it then tells, and for anything that went wrong.
        print(f"not audited: pip-audit ended with exit code {done.returncode}: {last}")
        return 0 if _is_of_the_network(done.stderr) else 2
    failing, said, looked_up = judged(report, WAIVED)
    print(*said, *failing, sep="\n")
    if not looked_up:
        print(
            "not audited: the advisory service knows none of the packages, so it is not the one it is taken for"
        )
    return 1 if failing else 0


def _is_of_the_network(said: str) -> bool:
    return any(
        word in said for word in ("ServiceError", "ConnectionError", "timed out", "Max retries", "connect")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
