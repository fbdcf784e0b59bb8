"""What `kubelb ab` was asked for: options, environment and inventory to one value. Reads the inventories.

Precedence as everywhere: command line, environment, the inventory's `[defaults]`, the option's own default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb import settings as session_settings
from pytest_kubelb.ab import side
from pytest_kubelb.backends import BUILT_IN
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.options import BY_KEY
from pytest_kubelb.settings import Given

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pytest_kubelb.ab.side import Side, Words
    from pytest_kubelb.settings import Settings

KEYS: Final = (
    "inventory", "backend", "pods", "overlay", "runs", "duration", "connections", "threads", "warmup", "max_drop",
    "preflight", "lab_kernel", "keep",
)  # fmt: skip
"""The options of the plugin that `kubelb ab` takes too."""
_MATRIX: Final = ("backend", "pods", "overlay")
LEAST_PAIRS: Final = 3
"""Fewer have no interval (verdict/ratio.py), so they would always be inconclusive."""
DEFAULT_PODS: Final = "4"


@dataclass(frozen=True)
class Request:
    """One comparison."""

    settings: Settings
    """`runs` are pairs; pods, overlay and, where it is given, backend have one value."""
    a: Words
    b: Words
    backend: str | None
    """What a side measures that does not say it."""
    root: Path
    """Where `.kubelb/` lies."""

    @property
    def pods(self) -> int:
        """The one pod count."""
        return self.settings.pods[0]

    @property
    def overlay(self) -> str:
        """The one overlay."""
        return self.settings.overlay[0]

    @property
    def tunings(self) -> tuple[str, ...]:
        """The tuning profile of each side."""
        return tuple(words.given.get("tuning", "none") for words in (self.a, self.b))

    def sides(self, common: Path) -> tuple[Side, Side]:
        """Give both sides over the common inventory. Raises ConfigError."""
        return side.resolve(self.a, self.b, common, self.backend)


def request(arguments: argparse.Namespace) -> Request:
    """Read all that was given, and check it before anything is touched. Raises ConfigError."""
    a, b = side.read("a", arguments.a), side.read("b", arguments.b)
    _check_inventories(a, b, arguments.inventory)
    root = Path(arguments.root).absolute()
    if not root.is_dir():
        raise ConfigError(
            f"--root: '{root}' is not a folder: name the one that has, or is to have, .kubelb in it."
        )
    settings = session_settings.resolve(
        (_command_line(arguments, a), _environment(), _own_defaults()),
        search=(root, root / "benches"),
        known_backends=BUILT_IN,
        new_seed=0,
    )
    for key in _MATRIX if arguments.backend else _MATRIX[1:]:
        given = getattr(settings, key)
        if len(given) != 1:
            raise ConfigError(
                f"{settings.origins[key]}: {settings.texts[key]!r} are {len(given)} values, and both sides are "
                "compared at one point: give one."
            )
    if settings.runs < LEAST_PAIRS:
        raise ConfigError(
            f"{settings.origins['runs']}: {settings.runs} {'pair' if settings.runs == 1 else 'pairs'} of runs cannot "
            f"be judged: give at least {LEAST_PAIRS}."
        )
    wanted = Request(settings, a, b, arguments.backend and settings.backend[0], root)
    wanted.sides(settings.inventory.file)
    return wanted


def _check_inventories(a: Words, b: Words, common: str | None) -> None:
    own = [words for words in (a, b) if words.inventory is not None]
    if len(own) == 1:
        raise ConfigError(
            f"--{own[0].letter} {own[0].text}: only this side has an inventory of its own: give both sides one, or "
            "one to both with --inventory."
        )
    if own and common is not None:
        raise ConfigError(
            f"--inventory: {common!r} would be used by no side, since both have their own: leave it out."
        )


def _command_line(arguments: argparse.Namespace, a: Words) -> Mapping[str, Given]:
    here = Path.cwd()
    given = {
        key: Given(getattr(arguments, key), f"--{BY_KEY[key].name}", here)
        for key in KEYS
        if getattr(arguments, key) is not None
    }
    if a.inventory is not None:  # its defaults count for both sides
        given["inventory"] = Given(a.given["inventory"], "--a inventory", here)
    return given


def _own_defaults() -> Mapping[str, Given]:
    # An inventory's limit on adaptive runs says nothing about the number of pairs.
    defaults = {"pods": DEFAULT_PODS, "max_runs": "1000"}
    return {key: Given(text, "default of kubelb ab", Path()) for key, text in defaults.items()}


def _environment() -> Mapping[str, Given]:
    # What selects a matrix for the plugin does not choose the one point that is compared.
    here = Path.cwd()
    return {
        key: Given(os.environ[BY_KEY[key].env], BY_KEY[key].env, here)
        for key in KEYS
        if key not in _MATRIX and os.environ.get(BY_KEY[key].env)
    }
