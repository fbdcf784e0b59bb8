"""Collect what pytest knows of the settings: command line, environment, ini, plugged-in backends.

Reads pytest's configuration and the environment; the inventory is read by settings.py.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb import settings
from pytest_kubelb.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest


def resolve(config: pytest.Config, known_backends: Mapping[str, str]) -> settings.Settings:
    """Give the settings of a session. Raises ConfigError naming the origin of what is wrong."""
    return settings.resolve(
        (_command_line(config), _environment(config), _ini(config)),
        search=_folders(config),
        known_backends=known_backends,
        new_seed=secrets.randbelow(2**32),
    )


def backends(config: pytest.Config) -> dict[str, str]:
    """Give backend name -> `module:Class` from every plugin; another plugin's beats a built-in one."""
    found: dict[str, str] = {}
    for added in reversed(config.hook.pytest_kubelb_backends(config=config)):
        found.update(added)
    return found


def _command_line(config: pytest.Config) -> dict[str, settings.Given]:
    folder = config.invocation_params.dir
    return {
        option.key: settings.Given(config.getoption(option.ini), option.flag, folder)
        for option in OPTIONS
        if config.getoption(option.ini) is not None
    }


def _environment(config: pytest.Config) -> dict[str, settings.Given]:
    # An empty variable is how CI systems say "not set".
    folder = config.invocation_params.dir
    return {
        option.key: settings.Given(os.environ[option.env], option.env, folder)
        for option in OPTIONS
        if os.environ.get(option.env)
    }


def _ini(config: pytest.Config) -> dict[str, settings.Given]:
    folder = config.inipath.parent if config.inipath else config.rootpath
    name = config.inipath.name if config.inipath else "ini"
    overridden = {text.partition("=")[0] for text in config.getoption("override_ini") or ()}
    return {
        option.key: settings.Given(
            config.getini(option.ini),
            f"-o {option.ini}" if option.ini in overridden else f"{name}: {option.ini}",
            folder,
        )
        for option in OPTIONS
        if config.getini(option.ini) is not None
    }


def _folders(config: pytest.Config) -> Iterator[Path]:
    """Give where an inventory may lie: the rootdir, and beside the benches that pytest was asked for."""
    yield config.rootpath
    for argument in config.args:
        path = config.invocation_params.dir / Path(argument.partition("::")[0])
        yield path if path.is_dir() else path.parent
    yield config.rootpath / "benches"
