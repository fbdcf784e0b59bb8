"""From options, environment, ini and inventory to one frozen Settings. Reads the inventory, nothing else.

Precedence: command line, environment, ini, the inventory's `[defaults]`, the option's own default. Every
value keeps its origin, and every error is a ConfigError that names it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.option_values import plain_text
from pytest_kubelb.options import BY_KEY, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_kubelb.load.command import Connections
    from pytest_kubelb.testbed.inventory import Inventory

    Marker = tuple[Sequence[object], Mapping[str, object]]  # what a mark was called with: (args, kwargs)

MARKER_KEYS = ("backend", "pods", "overlay", "tuning", "runs", "duration", "tolerance", "max_drop")
MARKER_SIGNATURE = f"kubelb(*, {', '.join(MARKER_KEYS)})"
REPORTS = ("json", "markdown", "html", "csv", "parquet", "openmetrics")
"""The options that name a file to be written at the end."""
INVENTORY_NAME = "kubelb.toml"
_DEFAULT = "default"


@dataclass(frozen=True)
class Given:
    """One option as somebody wrote it."""

    text: str
    origin: str
    """As shown to the user: `--kubelb-pods`, `KUBELB_PODS`, `pytest.ini: kubelb_pods`."""
    folder: Path
    """What a relative path in it is relative to."""


@dataclass(frozen=True)
class Settings:
    """What a session measures and how. One field for each option, named as its key."""

    inventory: Inventory
    embedded_lab: bool
    """True when no inventory was named or found: the embedded lab has to be started for it."""
    backend: tuple[str, ...]
    pods: tuple[int, ...]
    overlay: tuple[str, ...]
    tuning: tuple[str, ...]
    runs: int
    duration: int
    """Seconds of one run."""
    connections: Connections
    threads: int
    max_runs: int | None
    """None is as many as `runs`."""
    precision: float | None
    """Half the width of the 95 % interval of the mean at which a point needs no further run, as a fraction."""
    warmup: int | Literal["auto"]
    passes: int
    tolerance: float
    """The largest CV that still repeats, as a fraction."""
    on_inconclusive: str
    baseline: str | None
    max_drop: float
    """The drop against the baseline that must not pass, as a fraction."""
    on_missing_baseline: str
    order: str
    order_seed: int
    on_locked: str
    preflight: str
    """`on` or `off`."""
    resume: str | None
    """The session to go on with, as it was asked for; None is a new one."""
    json: Path | None
    markdown: Path | None
    html: Path | None
    csv: Path | None
    parquet: Path | None
    openmetrics: Path | None
    artifacts: str
    plan: bool
    """Only tell what would be measured."""
    keep: bool
    lab_kernel: str
    origins: Mapping[str, str]
    """Option key -> where its value comes from."""
    texts: Mapping[str, str]
    """Option key -> its value as text, in the form in which it can be given again."""

    @property
    def reports(self) -> dict[str, Path]:
        """The files to be written at the end: name of the format -> file."""
        return {name: file for name in REPORTS if (file := getattr(self, name)) is not None}

    @property
    def most_runs(self) -> int:
        """Runs of a point that are not exceeded."""
        return self.runs if self.max_runs is None else self.max_runs

    @property
    def fewest_warmups(self) -> int:
        """Warm-up runs that every point has."""
        return 2 if self.warmup == "auto" else self.warmup

    def effective(self) -> tuple[tuple[str, str, str], ...]:
        """Give (option, value, origin) of every value that is not the built-in default."""
        return tuple(
            (option.name, self.texts[option.key], self.origins[option.key])
            for option in OPTIONS
            if self.origins[option.key] != _DEFAULT and option.key in self.texts
        )

    def facts(self) -> dict[str, dict[str, str]]:
        """Give every setting for the record: option key -> `{"value": ..., "origin": ...}`."""
        return {key: {"value": text, "origin": self.origins[key]} for key, text in sorted(self.texts.items())}


def resolve(
    layers: Sequence[Mapping[str, Given]],
    *,
    search: Iterable[Path],
    known_backends: Collection[str],
    new_seed: int,
) -> Settings:
    """Give the settings out of `layers`: option key -> what was written, the strongest layer first.

    `search` are the folders in which an inventory is looked for when none is named; `known_backends` are all
    that can be measured; `new_seed` is the order's seed when none is given. Raises ConfigError.
    """
    from pytest_kubelb.testbed import inventory as inventory_file

    file, inventory_origin = _inventory_file(layers, search)
    inventory = inventory_file.load(file or packaged_inventory(), plugged_in=known_backends)
    if file is not None:
        inventory.require_files()
    name = "embedded lab" if file is None else file.name
    defaults = {
        key: Given(text, f"{name}: defaults.{key}", inventory.file.parent)
        for key, text in inventory.defaults.items()
    }
    values: dict[str, Any] = {}
    origins, texts = {"inventory": inventory_origin}, {"inventory": str(file or name)}
    for option in OPTIONS:
        if option.key == "inventory":
            continue
        given = next((layer[option.key] for layer in (*layers, defaults) if option.key in layer), None)
        if given is None and option.default is not None:
            given = Given(option.default, _DEFAULT, Path())
        origins[option.key] = given.origin if given else _DEFAULT
        values[option.key] = _parse(option.key, given) if given else None
        if given:
            texts[option.key] = given.text
    if values["backend"] is None:
        values["backend"], texts["backend"] = inventory.backends, ",".join(inventory.backends)
    if values["order_seed"] is None:
        values["order_seed"], texts["order_seed"] = new_seed, str(new_seed)
        if values["order"] == "random":
            origins["order_seed"] = "drawn for this session"
    settings = Settings(
        inventory=inventory,
        embedded_lab=file is None,
        origins=MappingProxyType(origins),
        texts=MappingProxyType(texts),
        **values,
    )
    _check(settings)
    return settings


def override(
    settings: Settings, markers: Iterable[tuple[Sequence[object], Mapping[str, object]]]
) -> Settings:
    """Give `settings` as the markers of one test change them: (args, kwargs), the closest marker first.

    Raises ConfigError for a positional argument, an unknown keyword or a bad value.
    """
    values: dict[str, Any] = {}
    origins, texts = dict(settings.origins), dict(settings.texts)
    for args, kwargs in markers:
        if args:
            raise ConfigError(
                f"@pytest.mark.kubelb takes no positional argument but got {args[0]!r}: "
                f"its signature is {MARKER_SIGNATURE}."
            )
        for key, value in kwargs.items():
            if key not in MARKER_KEYS:
                raise ConfigError(
                    f"@pytest.mark.kubelb has no keyword {key!r}{_hint(key, MARKER_KEYS)}: "
                    f"its signature is {MARKER_SIGNATURE}."
                )
            if key not in values:
                origins[key], texts[key] = f"marker kubelb({key}=)", plain_text(value)
                values[key] = _parse(key, Given(texts[key], origins[key], Path()))
    if not values:
        return settings
    changed = replace(settings, **values, origins=MappingProxyType(origins), texts=MappingProxyType(texts))
    _check(changed)
    return changed


def packaged_inventory() -> Path:
    """Give the inventory of the embedded lab as it is packaged: the hosts it names do not exist yet."""
    from importlib.resources import files

    return Path(str(files("pytest_kubelb") / "lab" / "inventory.toml"))


def _inventory_file(layers: Sequence[Mapping[str, Given]], search: Iterable[Path]) -> tuple[Path | None, str]:
    """Give the inventory that was named or found, and its origin; None is the embedded lab."""
    for layer in layers:
        if "inventory" in layer:
            given = layer["inventory"]
            file = given.folder / _parse("inventory", given)
            if not os.access(file, os.R_OK) or not file.is_file():
                raise ConfigError(
                    f"{given.origin}: '{file}' is not a file that can be read: name an inventory in TOML, "
                    "or leave it out to measure in the embedded lab."
                )
            return file, given.origin
    for folder in dict.fromkeys(search):
        if os.access(folder / INVENTORY_NAME, os.F_OK):
            return folder / INVENTORY_NAME, f"found in {folder.name or folder}"
    return None, _DEFAULT


def _parse(key: str, given: Given) -> Any:
    try:
        value = BY_KEY[key].parse(given.text)
    except ValueError as error:
        raise ConfigError(f"{given.origin}: {error}.") from error
    if key in REPORTS:
        return _report_file(given.folder / value, given.origin)
    return value


def _report_file(file: Path, origin: str) -> Path:
    # A sweep takes hours: that its result cannot be written has to be said before it. Folders are made then.
    # os.access, because Path.exists() raises where a folder may not be searched.
    there = next(folder for folder in file.absolute().parents if os.access(folder, os.F_OK))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{origin}: '{file}' lies in '{there}', which is no folder that can be written to.")
    if file.is_dir():
        raise ConfigError(f"{origin}: '{file}' is a folder: name a file.")
    return file


def _check(settings: Settings) -> None:
    """Refuse values that are each well-formed but do not fit the inventory or one another."""
    if settings.reports:
        from pytest_kubelb.report import formats

        formats.check(settings.reports)
    for name in settings.backend:
        if name not in settings.inventory.backends:
            raise ConfigError(
                f"{settings.origins['backend']}: backend {name!r} is not in the inventory "
                f"{settings.texts['inventory']}{_hint(name, settings.inventory.backends)}: "
                f"choose from {', '.join(settings.inventory.backends)}, or add [backends.{name}] to it."
            )
    profiles = settings.inventory.tunings
    for name in settings.tuning:
        if name not in profiles:
            raise ConfigError(
                f"{settings.origins['tuning']}: tuning {name!r} is not in the inventory "
                f"{settings.texts['inventory']}{_hint(name, profiles)}: "
                f"choose from {', '.join(profiles)}, or add [tuning.{name}.load_balancer] to it."
            )
    if settings.most_runs < settings.runs:
        raise ConfigError(
            f"{settings.origins['max_runs']}: at most {settings.max_runs} runs, and --kubelb-runs asks for "
            f"{settings.runs} ({settings.origins['runs']}): raise the one or lower the other."
        )
    for pods in settings.pods:
        if settings.connections.at(pods) < settings.threads:
            raise ConfigError(
                f"{settings.origins['threads']}: {settings.threads} threads for "
                f"{settings.connections.at(pods)} connections at {pods} pods "
                f"(connections: {settings.connections}, {settings.origins['connections']}): wrk needs at "
                "least one connection per thread, so lower the threads or raise the connections."
            )


def _hint(word: str, words: Collection[str]) -> str:
    near = get_close_matches(word, words, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
