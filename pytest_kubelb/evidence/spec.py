"""What a host is: CPU, memory, kernel, NICs with their queues and offloads. Values only; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.evidence import compact
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class NicSpec:
    """One NIC. What the kernel does not say is None."""

    driver: str | None
    speed_mbps: int | None
    """Link speed in Mbit/s; virtual NICs often have none."""
    mtu: int | None
    rx_queues: int
    tx_queues: int
    offloads: tuple[str, ...]
    """Those that are on, by ethtool's names: `rx-gro`, `tx-tcp-segmentation`; empty where ethtool is not there."""

    def to_json(self) -> dict[str, object]:
        """Give it as a JSON object; `from_json` gives it back."""
        return {**vars(self), "offloads": list(self.offloads)}

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> NicSpec:
        """Read what `to_json` gave. Raises ValueError that names the field that is missing or odd."""
        return cls(
            driver=json_fields.optional_text(fields, "driver"),
            speed_mbps=_optional_count(fields, "speed_mbps"),
            mtu=_optional_count(fields, "mtu"),
            rx_queues=json_fields.count(fields, "rx_queues"),
            tx_queues=json_fields.count(fields, "tx_queues"),
            offloads=tuple(compact.texts(fields, "offloads")),
        )


@dataclass(frozen=True)
class NodeSpec:
    """One host."""

    host: str
    kernel: str
    cpu: str | None
    """Model name."""
    cpus: int
    """Online CPUs."""
    memory_mib: int
    nics: Mapping[str, NicSpec]

    def to_json(self) -> dict[str, object]:
        """Give it as a JSON object; `from_json` gives it back."""
        return {**vars(self), "nics": {name: nic.to_json() for name, nic in self.nics.items()}}

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> NodeSpec:
        """Read what `to_json` gave. Raises ValueError that names the field that is missing or odd."""
        nics = json_fields.mapping(fields, "nics")
        return cls(
            host=json_fields.text(fields, "host"),
            kernel=json_fields.text(fields, "kernel"),
            cpu=json_fields.optional_text(fields, "cpu"),
            cpus=json_fields.count(fields, "cpus"),
            memory_mib=json_fields.count(fields, "memory_mib"),
            nics={name: NicSpec.from_json(json_fields.mapping(nics, name)) for name in nics},
        )


def _optional_count(fields: Mapping[str, object], key: str) -> int | None:
    return None if fields.get(key) is None else json_fields.count(fields, key)
