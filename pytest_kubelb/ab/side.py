"""What a side is: from the words behind `--a` or `--b` to an inventory and a backend. Reads the inventories.

A side is the common inventory with some of its values replaced (`backends.ipvs.scheduler=lc`,
`workload.image=nginx:1.27`), one of its backends (`backend=proxy`), one of its tuning profiles
(`tuning=rps`), or another inventory (`inventory=b.toml`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.option_values import parse_path
from pytest_kubelb.testbed import inventory as inventory_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.testbed.inventory import Inventory

EXAMPLES: Final = (
    "backend=ipvs, tuning=rps, backends.ipvs.scheduler=lc, workload.image=nginx:1.27 or inventory=FILE"
)
_REPLACEABLE: Final = ("backends.", "workload.")
_OTHER_TESTBED: Final = ("testbed.", "roles.", "cluster.")


@dataclass(frozen=True)
class Words:
    """What was written for one side, understood one word at a time."""

    letter: str
    """`a` or `b`."""
    given: Mapping[str, str]
    """Key -> value, in the order in which they were written."""

    @property
    def text(self) -> str:
        """The words as they were written."""
        return " ".join(f"{key}={value}" for key, value in self.given.items())

    @property
    def inventory(self) -> Path | None:
        """The side's own inventory."""
        return parse_path(self.given["inventory"]) if "inventory" in self.given else None

    @property
    def overrides(self) -> dict[str, object]:
        """Values to read in place of the inventory's: `backends.ipvs.port` -> 8889."""
        return {
            key: int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else value
            for key, value in self.given.items()
            if key.startswith(_REPLACEABLE)
        }

    @property
    def tuned_backends(self) -> set[str]:
        """The backends whose settings are replaced."""
        return {key.split(".")[1] for key in self.given if key.startswith("backends.")}


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    letter: str
    text: str
    backend: str
    inventory: Inventory
    tuning: str = "none"
    """Name of a profile of the inventory."""

    def facts(self) -> dict[str, object]:
        """Give for the record what the side is; JSON values."""
        inventory = self.inventory
        known = {"ipvs": inventory.ipvs, "proxy": inventory.proxy}.get(self.backend)
        return {
            "given": self.text,
            "inventory": str(inventory.file),
            "backend": self.backend,
            "backend_settings": asdict(known) if known else {},
            "workload": inventory.workload.facts(),
            "tuning": self.tuning,
        }


def read(letter: str, words: Sequence[str]) -> Words:
    """Read the words of one side. Raises ConfigError."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise ConfigError(f"--{letter}: {word!r} is not KEY=VALUE: write {EXAMPLES}.")
        if key in given:
            raise ConfigError(f"--{letter}: {key} is given twice ({given[key]}, {value}): give it once.")
        _check_key(letter, key, value)
        given[key] = value
    return Words(letter, given)


def resolve(a: Words, b: Words, common: Path, backend: str | None) -> tuple[Side, Side]:
    """Give both sides over the inventory `common`; `backend` is used where a side does not name its own.

    Raises ConfigError.
    """
    return _side(a, b, common, backend), _side(b, a, common, backend)


def _side(words: Words, other: Words, common: Path, backend: str | None) -> Side:
    try:
        inventory = inventory_file.load(words.inventory or common, overrides=words.overrides)
    except ConfigError as error:
        raise ConfigError(f"--{words.letter} {words.text}: {error}") from error
    if words.inventory is not None:
        inventory.require_files()
    chosen = _backend(words, other, inventory, backend)
    idle = sorted(words.tuned_backends - {chosen})
    if idle:
        raise ConfigError(
            f"--{words.letter} {words.text}: backends.{idle[0]} has no effect on this side, which measures {chosen}: "
            f"leave it out, or give --{words.letter} backend={idle[0]}."
        )
    return Side(words.letter, words.text, chosen, inventory, _tuning(words, inventory))


def _tuning(words: Words, inventory: Inventory) -> str:
    name = words.given.get("tuning", "none")
    if name not in inventory.tunings:
        raise ConfigError(
            f"--{words.letter} {words.text}: tuning {name!r} is not in the inventory {inventory.file}: "
            f"choose from {', '.join(inventory.tunings)}, or add [tuning.{name}.load_balancer] to it."
        )
    return name


def _backend(words: Words, other: Words, inventory: Inventory, common: str | None) -> str:
    named = words.given.get("backend", common)
    # A setting of one backend, even if only the other side has it, says which backend is meant.
    meant = {named} if named else words.tuned_backends or other.tuned_backends or set(inventory.backends)
    if len(meant) != 1:
        raise ConfigError(
            f"--{words.letter} {words.text}: it is not said which backend this side measures: add --backend, "
            f"one of {', '.join(inventory.backends)}."
        )
    (chosen,) = meant
    if chosen not in inventory.backends:
        raise ConfigError(
            f"--{words.letter} {words.text}: backend {chosen!r} is not in the inventory {inventory.file}: "
            f"choose from {', '.join(inventory.backends)}, or add [backends.{chosen}] to it."
        )
    return chosen


def _check_key(letter: str, key: str, value: str) -> None:
    if key == "inventory":
        try:
            parse_path(value)
        except ValueError as error:
            raise ConfigError(f"--{letter} inventory: {error}.") from error
    elif key.startswith(_OTHER_TESTBED):
        raise ConfigError(
            f"--{letter} {key}={value}: {key} makes it another testbed: describe that in an inventory of its own "
            "and give it as inventory=FILE."
        )
    elif key not in ("backend", "tuning") and not (key.startswith(_REPLACEABLE) and _names_a_value(key)):
        raise ConfigError(f"--{letter}: {key!r} is nothing that a side can differ in: write {EXAMPLES}.")


def _names_a_value(key: str) -> bool:
    parts = key.split(".")
    return all(parts) and len(parts) == (3 if parts[0] == "backends" else 2)
