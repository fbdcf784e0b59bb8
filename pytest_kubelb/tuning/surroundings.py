"""What is asked of a host once, before any knob: its addresses, its NICs, the journals of other sessions.

A question in POSIX sh and its answer. Pure: touches nothing.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal
from pytest_kubelb.tuning.answer import PATH_LINE, sections
from pytest_kubelb.tuning.drift import DAEMONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

QUESTION: Final = (
    PATH_LINE,
    journal.NAMESPACE_LINE,
    *journal.LIST_LINES,
    'echo "@@links"',
    "grep -s '' /sys/class/net/*/ifindex /dev/null || :",
    'echo "@@ip"',
    "ip -o link show || :",
    'echo "@@addresses"',
    "ip -o -4 address show || :",
)
"""Script lines: four processes."""

DAEMONS_LINES: Final = (
    'echo "@@daemons"',
    f"grep -hsx {' '.join(f'-e {name}' for name in DAEMONS)} /proc/[0-9]*/comm || :",
)
"""Script lines: which programs run that set knobs as well. One process."""


@dataclass(frozen=True)
class Surroundings:
    """One host."""

    listing: journal.Listing
    addresses: Mapping[str, tuple[ipaddress.IPv4Interface, ...]] = field(default_factory=dict)
    """NIC -> its addresses, with their networks."""
    links: frozenset[str] = frozenset()
    """NICs that are in the host's own network and in its sysfs alike."""
    daemons: tuple[str, ...] = ()
    """Processes of `drift.DAEMONS`, where they were asked for."""


def parse(text: str) -> Surroundings:
    """Read what `QUESTION`, or lines of it, printed; what is not understood is left out."""
    answer = sections(text)
    addresses: dict[str, tuple[ipaddress.IPv4Interface, ...]] = {}
    for line in answer.get(
        "addresses", []
    ):  # "2: eth0    inet 192.168.0.11/24 brd 192.168.0.255 scope global eth0"
        words = line.split()
        if len(words) >= 4 and words[2] == "inet" and "peer" not in words:
            with suppress(ValueError):
                address = ipaddress.IPv4Interface(words[3])
                addresses[words[1]] = (*addresses.get(words[1], ()), address)
    indices = {}
    for line in answer.get("ip", []):  # "2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 ..."
        index, _, rest = line.partition(": ")
        indices[rest.partition(":")[0].partition("@")[0]] = index
    shown = {}
    for line in answer.get("links", []):  # "/sys/class/net/eth0/ifindex:2"
        path, _, index = line.rpartition(":")
        shown[path.rpartition("/")[0].rpartition("/")[2]] = index
    # A sysfs that was mounted in another network namespace shows NICs of the same names, and they are not ours.
    links = frozenset(name for name, index in indices.items() if shown.get(name) == index)
    return Surroundings(
        journal.parse_listing(answer.get("journals", [])),
        addresses,
        links,
        tuple(name for name in dict.fromkeys(answer.get("daemons", [])) if name in DAEMONS),
    )


def nic_of(host: str, own: Surroundings, others: Iterable[Surroundings]) -> str:
    """Give the NIC that shares a network with other hosts of the testbed. Raises TestbedError with the remedy.

    An address that several hosts have (docker0, kube-ipvs0) says nothing of where the traffic goes.
    """
    theirs = {each for other in others for addresses in other.addresses.values() for each in addresses}
    found = sorted(
        nic
        for nic, addresses in own.addresses.items()
        if nic != "lo" and any(m.ip != each.ip and each.ip in m.network for m in addresses for each in theirs)
    )
    if len(found) == 1:
        return found[0]
    seen = f"{' and '.join(found)} both lead" if found else "no NIC leads"
    raise TestbedError(
        f"host {host}: {seen} to the other hosts of the testbed by an address of the same network; "
        f'name the one to tune in the inventory, as in nic = "{next(iter(found or sorted(own.links)), "eth0")}"'
    )
