"""How the load balancer forwards: one module per backend, imported only when it is chosen."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pytest_kubelb.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.backends.base import Backend

BUILT_IN = {
    "ipvs": "pytest_kubelb.backends.ipvs:Ipvs",
    "proxy": "pytest_kubelb.backends.proxy:Proxy",
}


def load(name: str, known: Mapping[str, str] = BUILT_IN) -> type[Backend]:
    """Import the class of a backend out of `known` (name -> `module:Class`). Raises ConfigError."""
    if name not in known:
        raise ConfigError(f"unknown backend {name!r}; choose from {', '.join(sorted(known))}")
    module, _, attribute = known[name].partition(":")
    try:
        chosen: type[Backend] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the backend {name!r} cannot be loaded from {known[name]!r}: {error}") from error
    return chosen
