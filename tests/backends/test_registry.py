"""Choosing a backend by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_kubelb.backends import BUILT_IN, load
from pytest_kubelb.errors import ConfigError


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_backend_is_found_by_the_name_it_has(name: str) -> None:
    assert load(name).name == name


def test_an_unknown_backend_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match="unknown backend 'nginx'; choose from ipvs, proxy"):
        load("nginx")


def test_a_backend_is_imported_only_when_it_is_chosen() -> None:
    program = (
        "import sys, pytest_kubelb.backends as b; b.load('proxy');"
        "print([m for m in ('fabric', 'kubernetes', 'pytest_kubelb.backends.ipvs') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
