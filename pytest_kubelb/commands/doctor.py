"""`kubelb doctor`: is the testbed ready for a session. Touches every host and the cluster, reading."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.settings import Given

OVERVIEW: Final = """\
Check every host and the cluster, in parallel and without changing anything, for what a session with this inventory and
these settings (KUBELB_PODS and the others) needs. Exit code: 0 ready, 1 a check failed, 4 a mistake in what was
given."""
_BENCHES: Final = "benches"


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb doctor`."""
    parser = groups.add_parser(
        "doctor", help="check that the testbed is ready for a session", description=OVERVIEW
    )
    parser.add_argument(
        "--inventory",
        metavar="FILE",
        help="The testbed. Default: KUBELB_INVENTORY, or kubelb.toml here or in benches, or the lab that is up.",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="Of what is printed.")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.preflight import run, table
    from pytest_kubelb.preflight.check import worst

    began = time.monotonic()
    wanted = _wanted(arguments.inventory)
    checks = run.check(wanted)
    seconds = time.monotonic() - began
    name, file = wanted.inventory.testbed.name, str(wanted.inventory.file)
    as_json = arguments.format == "json"
    if as_json:
        print(table.as_json(checks, name, file, seconds), end="")
    else:
        say(*table.text(checks, name, seconds).splitlines())
    return 1 if worst(checks) == "fail" else 0


def _wanted(given: str | None) -> Wanted:
    """Give the testbed, and what a session there would need. Raises ConfigError."""
    from pytest_kubelb import settings
    from pytest_kubelb.preflight.wanted import Wanted

    here = Path.cwd()
    layers = [_environment(here)]
    if given is not None:
        layers.insert(0, {"inventory": settings.Given(given, "--inventory", here)})
    search = (here, here / _BENCHES)
    known = _known_backends(layers, search)
    resolved = settings.resolve(layers, search=search, known_backends=known, new_seed=0)
    if resolved.embedded_lab:
        layers.insert(0, {"inventory": settings.Given(str(_standing_lab()), "the lab that is up", here)})
        resolved = settings.resolve(layers, search=search, known_backends=known, new_seed=0)
    return Wanted.from_settings(resolved, resolved.inventory)


def _environment(here: Path) -> Mapping[str, Given]:
    """Give what the environment says of a session, whose inventory and size count here too."""
    from pytest_kubelb.options import OPTIONS
    from pytest_kubelb.settings import Given

    keys = ("inventory", "backend", "pods", "overlay", "tuning", "connections", "threads")
    return {
        option.key: Given(os.environ[option.env], option.env, here)
        for option in OPTIONS
        if option.key in keys and os.environ.get(option.env)
    }


def _known_backends(layers: list[Mapping[str, Given]], search: tuple[Path, ...]) -> tuple[str, ...]:
    """Give the built-in backends and those that the inventory has: another plugin's are nothing to check here."""
    import tomllib

    from pytest_kubelb import bounded
    from pytest_kubelb.backends import BUILT_IN
    from pytest_kubelb.settings import INVENTORY_NAME
    from pytest_kubelb.testbed.inventory import LARGEST

    named = [layer["inventory"] for layer in layers if "inventory" in layer]
    files = [named[0].folder / named[0].text] if named else [folder / INVENTORY_NAME for folder in search]
    for file in files:
        try:
            table = tomllib.loads(bounded.read_bytes(file, LARGEST).decode("utf-8")).get("backends")
        except (OSError, ValueError, RecursionError):  # said by who reads it next
            continue
        return tuple(dict.fromkeys((*BUILT_IN, *(table if isinstance(table, dict) else ()))))
    return tuple(BUILT_IN)


def _standing_lab() -> Path:
    from pytest_kubelb.lab import launch

    lab = launch.find()
    if lab is None:
        raise ConfigError(
            "kubelb doctor needs a testbed: name it with --inventory FILE or in KUBELB_INVENTORY, or write one with "
            "`kubelb init FILE`; no lab is up either."
        )
    return lab.inventory
