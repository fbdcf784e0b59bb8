"""What was on a load balancer before IPVS was set up there: as the undo journal keeps it, and in words. Pure.

A journal is read again by whoever runs `kubelb restore`, root for one, so nothing in it is believed that this backend
could not have written: addresses, numbers and the words of ipvsadm only, and of sysctls the four that are set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_kubelb.backends.ipvs_host import IpvsHost, State, sysctls_for
from pytest_kubelb.backends.ipvs_table import VirtualService, differences

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[A-Za-z0-9.:,|_-]{1,100}", re.ASCII)
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]{1,5}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def to_json(what: IpvsHost, before: State) -> dict[str, object]:
    """Give the payload of the journal."""
    service = before.service
    return {
        "vip": what.vip,
        "port": what.port,
        "iptables": what.iptables,
        "service": None
        if service is None
        else {
            "options": list(service.options),
            "real_servers": {server: list(words) for server, words in service.real_servers.items()},
        },
        "sysctls": dict(before.sysctls),
        "has_vip": before.has_vip,
        "has_rule": before.has_rule,
    }


def from_json(payload: Mapping[str, Any]) -> tuple[IpvsHost, State]:
    """Read what `to_json` gave. Raises ValueError that says what is odd."""
    try:
        what = IpvsHost(str(payload["vip"]), int(payload["port"]), str(payload["iptables"]))
        address = what.key[1]
        sysctls = {str(name): str(value) for name, value in payload["sysctls"].items()}
        flags = payload["has_vip"], payload["has_rule"]
        service = _service(what, payload["service"])
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"a field is missing or of another kind ({type(error).__name__}: {error})"
        ) from error
    if not re.fullmatch(r"iptables(-legacy|-nft)?", what.iptables, re.ASCII):
        raise ValueError(f"{what.iptables!r} is no iptables")
    if address != f"{what.vip}:{what.port}" or not 1 <= what.port <= 65535:
        raise ValueError(f"{what.vip!r} and {what.port!r} are no virtual server")
    known = sysctls_for((6, 0))
    for name, value in sysctls.items():
        if name not in known or not _NUMBER.fullmatch(value):
            raise ValueError(f"{name!r} = {value!r} is no sysctl that the backend ipvs sets")
    if set(sysctls) != set(known) or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError("the sysctls or the flags are not complete")
    # The kernel's version decides only what is set, not what is put back.
    return what, State(service, sysctls, has_vip=flags[0], has_rule=flags[1], kernel=(0, 0))


def _service(what: IpvsHost, told: Mapping[str, Any] | None) -> VirtualService | None:
    if told is None:
        return None
    options, servers = _words(told["options"]), told["real_servers"]
    for server in servers:
        if not _ADDRESS.fullmatch(server):
            raise ValueError(f"{server!r} is no real server")
    return VirtualService(what.key, options, {server: _words(words) for server, words in servers.items()})


def _words(told: object) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(
        isinstance(word, str) and _WORD.fullmatch(word) for word in told
    ):
        raise ValueError(f"{told!r} are no words of ipvsadm")
    return tuple(told)


def put_back(what: IpvsHost, now: State, before: State) -> list[str]:
    """Say what changes from `now` to `before`, one line each."""
    place = f"{what.vip}:{what.port}"
    lines = []
    if differences(now.service, before.service):
        lines.append(f"IPVS service {place}: {_size(now.service)} -> {_size(before.service)}")
    lines += [
        f"sysctl {name}: {now.sysctls[name]} -> {value}"
        for name, value in before.sysctls.items()
        if now.sysctls[name] != value
    ]
    if now.has_vip != before.has_vip:
        lines.append(f"address {what.vip}: {'added to' if before.has_vip else 'removed from'} lo")
    if now.has_rule != before.has_rule:
        lines.append(f"masquerading of {place}: rule {'added' if before.has_rule else 'removed'}")
    return lines


def _size(service: VirtualService | None) -> str:
    return "none" if service is None else f"{len(service.real_servers)} real servers"
