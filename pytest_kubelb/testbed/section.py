"""One table of an inventory and the checks of its keys. Pure: touches nothing.

Each method reads one key as one kind of value; an error names file, section and key, the value, and what is
allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.option_values import parse_path

if TYPE_CHECKING:
    from pathlib import Path

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True)
class Section:
    """One TOML table and where it stands: the source of every error's file and key."""

    file: Path
    name: str
    table: Mapping[str, object]

    def error(self, key: str, problem: str, allowed: str) -> ConfigError:
        """Give the ConfigError about `key`; the caller raises it."""
        where = ".".join(part for part in (self.name, key) if part)
        return ConfigError(f"{self.file}: {where} {problem}: allowed is {allowed}.")

    def allow(self, *keys: str) -> None:
        """Refuse any key but these, naming the nearest known one."""
        for key in self.table:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise self.error(key, f"is an unknown key{hint}", ", ".join(keys))

    def section(self, key: str, *, required: bool = True) -> Section:
        """Give the table under `key`; an empty one when it is not there and not required."""
        value = self.table.get(key, None if required else {})
        if not isinstance(value, Mapping):
            problem = "is missing" if value is None else f"is {excerpt(value)}"
            raise self.error(key, problem, f"a section [{'.'.join(p for p in (self.name, key) if p)}]")
        return Section(self.file, ".".join(part for part in (self.name, key) if part), value)

    def sections(self, key: str) -> list[Section]:
        """Give the tables of the list under `key`; none when it is not there."""
        value = self.table.get(key, [])
        name = ".".join(part for part in (self.name, key) if part)
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self.error(key, f"is {excerpt(value)}", f"a list of tables, each as [[{name}]]")
        return [Section(self.file, f"{name}[{index}]", item) for index, item in enumerate(value)]

    def text(self, key: str, allowed: str, default: str | None = None) -> str:
        """Give a printable text that is not blank."""
        value = self.table.get(key, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.error(key, "is missing" if value is None else f"is {excerpt(value)}", allowed)
        return value

    def dns_label(self, key: str, allowed: str, default: str | None = None) -> str:
        """Give a name without dots as Kubernetes has them: up to 63 small letters, digits and dashes."""
        return self._matching(key, allowed, default, _DNS_LABEL)

    def dns_name(self, key: str, allowed: str, default: str | None = None) -> str:
        """Give a name as Kubernetes has them for most objects: such labels, joined by dots."""
        return self._matching(key, allowed, default, _DNS_NAME)

    def _matching(self, key: str, allowed: str, default: str | None, form: re.Pattern[str]) -> str:
        value = self.text(key, allowed, default)
        if not form.fullmatch(value):
            raise self.error(key, f"is {excerpt(value)}", allowed)
        return value

    def hosts(self, key: str, allowed: str) -> tuple[str, ...]:
        """Give a list of host names, at least one, all different."""
        value = self.table.get(key)
        if not isinstance(value, list) or not value:
            raise self.error(key, "is missing" if value is None else f"is {excerpt(value)}", allowed)
        for index, item in enumerate(value):
            self._host(f"{key}[{index}]", item, allowed)
        if len(set(value)) != len(value):
            raise self.error(key, f"is {excerpt(value)}, which repeats a host", allowed)
        return tuple(value)

    def host(self, key: str) -> str:
        """Give one host name."""
        return self._host(key, self.table.get(key), 'the name of one host, such as "k11"')

    def _host(self, key: str, value: object, allowed: str) -> str:
        # A leading dash would be read as an option by ssh.
        name = value if isinstance(value, str) else ""
        if not name.replace("-", "").replace(".", "").replace("_", "").isalnum() or name.startswith("-"):
            raise self.error(key, "is missing" if value is None else f"is {excerpt(value)}", allowed)
        return name

    def path(self, key: str) -> Path:
        """Give a path, made absolute from the folder of the inventory."""
        allowed = "the path of a file, relative to the inventory or absolute"
        try:
            return self.file.parent / parse_path(self.text(key, allowed))
        except ValueError as error:
            raise self.error(key, f"is {excerpt(self.table[key])}", allowed) from error

    def port(self, key: str) -> int:
        """Give a TCP port."""
        value = self.table.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
            problem = "is missing" if value is None else f"is {excerpt(value)}"
            raise self.error(key, problem, "a port from 1 to 65535")
        return value

    def ipv4(self, key: str) -> str:
        """Give an IPv4 address in its usual spelling."""
        value = self.text(key, 'an IPv4 address, such as "192.168.0.111"')
        try:
            return str(IPv4Address(value))
        except AddressValueError:
            raise self.error(
                key, f"is {excerpt(value)}", 'an IPv4 address, such as "192.168.0.111"'
            ) from None

    def word(self, key: str, words: tuple[str, ...], default: str) -> str:
        """Give one of `words`."""
        value = self.text(key, ", ".join(words), default)
        if value not in words:
            raise self.error(key, f"is {excerpt(value)}", ", ".join(words))
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`."""
        value = self.table.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            problem = "is missing" if value is None else f"is {excerpt(value)}"
            raise self.error(key, problem, f"a whole number from {low} to {high}")
        return value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """Give true or false."""
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "is missing" if value is None else f"is {excerpt(value)}", "true or false")
        return value
