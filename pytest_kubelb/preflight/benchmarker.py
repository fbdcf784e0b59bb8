"""Judge what the benchmarker answered: wrk, limits, the ways to the VIP and the ClusterIP. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_kubelb.preflight.check import Check, fail, ok, warning
from pytest_kubelb.preflight.kernel_tables import way

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.wanted import Wanted

OLDEST_WRK: Final = (4, 0)
"""The first with the Lua calls of our report."""
OTHER_FILES: Final = 64
_LONGEST: Final = 18  # digits of a number that a host tells
"""Files that wrk has open besides its connections: libraries, one epoll instance for each thread, and to spare."""


def judge(answer: HostAnswer, wanted: Wanted, of_load_balancer: Collection[str]) -> Iterator[Check]:
    """Give the checks of the benchmarker; `of_load_balancer` are that host's addresses, empty when not known."""
    yield from _wrk(answer)
    yield from _limits(answer, wanted)
    if wanted.ipvs is not None:
        yield _to_vip(answer, wanted.ipvs.vip, of_load_balancer)
    if wanted.proxy is not None:
        yield _to_cluster_ip(answer, wanted, of_load_balancer)


def _wrk(answer: HostAnswer) -> Iterator[Check]:
    said = " ".join(answer.lines("wrk"))
    match = re.match(r"wrk\s+\S*?(?<![0-9])([0-9]{1,9})\.([0-9]{1,9})\S*", said)
    if any(line.startswith("wrk absent") for line in answer.lines("tools")):
        return  # said of the tools
    oldest = ".".join(map(str, OLDEST_WRK))
    if match is None:
        yield warning(
            "wrk", answer.host, f"its version is not understood: {said[:60]!r}", f"use wrk {oldest} or later"
        )
    elif (int(match[1]), int(match[2])) < OLDEST_WRK:
        yield fail("wrk", answer.host, match[0], f"install wrk {oldest} or later: its Lua report is read")
    else:
        yield ok("wrk", answer.host, match[0])


def _limits(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    files, *rest = answer.lines("limits") or ("",)
    ports = rest[0].split() if rest else []
    needed = wanted.connections + OTHER_FILES
    if files.isdecimal() and len(files) < _LONGEST and int(files) < needed:
        remedy = f"raise it to {needed} or more: LimitNOFILE of the SSH service, or nofile in /etc/security/limits.d"
        found = f"`ulimit -n` is {files}, and {wanted.connections} connections need {needed}"
        yield fail("limits", answer.host, found, remedy)
    elif files:
        yield ok("limits", answer.host, f"{files} open files for {wanted.connections} connections")
    if len(ports) == 2 and all(port.isdecimal() and len(port) < _LONGEST for port in ports):
        there = int(ports[1]) - int(ports[0]) + 1
        if there < wanted.connections:
            found = f"net.ipv4.ip_local_port_range has {there} ports for {wanted.connections} connections"
            yield fail(
                "limits",
                answer.host,
                found,
                "widen the range with sysctl there, or ask for fewer connections",
            )
    if "writable" not in rest:
        yield fail(
            "limits", answer.host, f"{answer.user} may not write to /tmp", "make /tmp writable, mode 1777"
        )


def _to_vip(answer: HostAnswer, vip: str, of_load_balancer: Collection[str]) -> Check:
    try:
        device, gateway = way(answer.lines("way_to_vip"))
    except ValueError as error:
        remedy = "give the benchmarker an address in the VIP's network, or a route to it"
        return fail("way to vip", answer.host, f"no way to {vip}: {error}", remedy)
    if device == "lo":
        return fail(
            "way to vip", answer.host, f"{vip} is an address of the benchmarker", "choose another VIP"
        )
    answered = "answered" in answer.lines("ping")
    if answered and of_load_balancer and vip not in of_load_balancer:
        found = f"{vip} answers a ping and is not an address of the load balancer: another host has it"
        return fail(
            "way to vip", answer.host, found, "choose a VIP that nobody has, or one of the load balancer"
        )
    if gateway is not None and gateway not in of_load_balancer:
        remedy = "let both be on one network, or the router's limit is measured too"
        return warning(
            "way to vip", answer.host, f"{vip} goes through the router {gateway} ({device})", remedy
        )
    return ok("way to vip", answer.host, f"{vip} by {device}{', answers a ping' if answered else ''}")


def _to_cluster_ip(answer: HostAnswer, wanted: Wanted, of_load_balancer: Collection[str]) -> Check:
    spec = wanted.proxy
    assert spec is not None  # noqa: S101 - the caller has looked
    where, check = answer.host, "way to clusterip"
    try:
        device, gateway = way(answer.lines("way_to_via"))
    except ValueError as error:
        remedy = "name an address of the load balancer that the benchmarker reaches, in backends.proxy.via"
        return fail(check, where, f"no way to {spec.via}: {error}", remedy)
    if gateway is not None:
        remedy = "name an address of the load balancer on a network of both, in backends.proxy.via"
        return fail(
            check, where, f"{spec.via} is behind the router {gateway}, and cannot be a next hop", remedy
        )
    if of_load_balancer and spec.via not in of_load_balancer:
        remedy = f"name one of {', '.join(sorted(of_load_balancer))} in backends.proxy.via"
        return fail(check, where, f"{spec.via} is not an address of the load balancer", remedy)
    before = " ".join(answer.lines("way_to_cluster_ip"))
    now = f"; now `{before}`, which is put back" if before else ""
    target = spec.cluster_ip or "the address that the cluster chooses"
    return ok(check, where, f"{target} will go via {spec.via} by {device}{now}")
