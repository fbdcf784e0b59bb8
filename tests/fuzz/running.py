"""Fuzz one target with coverage, in a process of its own: libFuzzer, as atheris brings it, ends its process.

Touches a folder for the corpus, and the limits of this process.
"""

from __future__ import annotations

import random
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import atheris

with atheris.instrument_imports(include=["pytest_kubelb"]):
    from tests.fuzz.mutating import LARGEST, SPICES, mutated, step
    from tests.fuzz.target import check
    from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from tests.fuzz.target import Target

MEMORY_MIB: Final = 2048
"""Address space of the process: what needs more for an input of 64 KiB has no bound."""
TIME_OUT_S: Final = 20
"""Of one input."""
_LONGEST_SPICE: Final = 60  # libFuzzer takes words of at most 64 bytes


def main(name: str, folder: Path, runs: int, seed: int) -> None:
    """Feed `runs` inputs to a target; ends the process, with 0 when there was no finding."""
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, right in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(right)
    spices = folder / "spices"
    spices.write_text("".join(f'"{_escaped(each)}"\n' for each in SPICES if len(each) < _LONGEST_SPICE))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    arguments = [
        sys.argv[0],
        f"-runs={runs}",
        f"-seed={seed}",
        f"-max_len={LARGEST}",
        f"-timeout={TIME_OUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={folder}/",
        f"-dict={spices}",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(arguments, lambda data: feed(target, data), custom_mutator=_mutator(target))
    atheris.Fuzz()


def _escaped(spice: bytes) -> str:
    """Give it as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in spice)


def feed(target: Target, data: bytes) -> None:
    """Feed one input; libFuzzer takes whatever is raised for a finding."""
    check(target, data)


def _mutator(target: Target):  # type: ignore[no-untyped-def]  # atheris takes any callable of these four
    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 - to be had again by its seed
        match chance.randrange(4):
            case 0:
                return bytes(atheris.Mutate(data, most_bytes))
            case 1:
                return mutated(target.seeds, chance)[:most_bytes]
            case _:
                return step(data, target.seeds, chance)[:most_bytes]

    return lambda data, most_bytes, seed: mutate(bytes(data), most_bytes, seed)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
