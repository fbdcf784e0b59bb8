"""`python -m tests.fuzz`: fuzz every target with coverage, and print a table. Needs atheris (`tox -e fuzz`).

Touches a folder for what was found (`.fuzz` unless told otherwise), in which every finding is a file to be fed again.
"""

from __future__ import annotations

import argparse
import re
import secrets
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.target import check
from tests.fuzz.targets import TARGETS

_DONE: Final = re.compile(rb"stat::number_of_executed_units: +([0-9]+)")
_COVERED: Final = re.compile(rb" cov: ([0-9]+) ")


@dataclass(frozen=True)
class Fuzzed:
    """What became of one target."""

    name: str
    inputs: int
    seconds: float
    covered: int
    """Edges of our code, as libFuzzer counts them."""
    finding: Path | None
    """The folder, where there is one."""


def fuzzed(name: str, folder: Path, runs: int, seed: int) -> Fuzzed:
    """Fuzz one target in a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    began = time.monotonic()
    with log.open("wb") as file:
        words = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.fuzz.running",
            name,
            str(folder),
            str(runs),
            str(seed),
        ]
        done = subprocess.run(words, stdout=file, stderr=file, check=False)
    said = log.read_bytes()
    inputs, covered = _DONE.findall(said), _COVERED.findall(said)
    spent_s = time.monotonic() - began
    if not done.returncode:
        shutil.rmtree(folder)
    return Fuzzed(
        name,
        int(inputs[-1]) if inputs else 0,
        spent_s,
        int(covered[-1]) if covered else 0,
        folder if done.returncode else None,
    )


def main() -> int:
    """Fuzz; gives 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"Default: all. {', '.join(TARGETS)}")
    parser.add_argument(
        "--runs", type=int, default=100_000, help="Inputs for each target. Default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31) + 1, help="To have a run again.")
    parser.add_argument("--jobs", type=int, default=1, help="Targets at once. Default: %(default)s")
    parser.add_argument(
        "--folder", type=Path, default=Path(".fuzz"), help="For findings. Default: %(default)s"
    )
    parser.add_argument(
        "--again", type=Path, metavar="FILE", help="Feed this finding to the target, with its traceback."
    )
    given = parser.parse_args()
    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target is called {unknown[0]!r}: choose from {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    if given.again is not None:
        print("accepted" if check(TARGETS[names[0]], given.again.read_bytes()) else "refused in a sentence")
        return 0
    print(f"seed {given.seed}\n{'target':28}{'inputs':>10}{'seconds':>9}{'edges':>7}  finding")
    with ThreadPoolExecutor(given.jobs) as pool:
        waiting = [
            pool.submit(fuzzed, name, given.folder / re.sub(r"\W+", "-", name), given.runs, given.seed)
            for name in names
        ]
        found = []
        for each in waiting:
            one = each.result()
            found.append(one)
            print(
                f"{one.name:28}{one.inputs:>10}{one.seconds:>9.1f}{one.covered:>7}  {one.finding or 'none'}",
                flush=True,
            )
    print(f"{'all':28}{sum(each.inputs for each in found):>10}{sum(each.seconds for each in found):>9.1f}")
    return 1 if any(each.finding for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
