"""Judge what the load balancer answered: IPVS, sysctls, the virtual server's place, routes, kube-proxy. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from pytest_kubelb.backends.ipvs_host import sysctls_for
from pytest_kubelb.preflight.check import Check, fail, ok, warning
from pytest_kubelb.preflight.kernel_tables import addresses, listens, route_to, virtual_services
from pytest_kubelb.testbed import kube_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.inventory import IpvsSpec


def judge(answer: HostAnswer, wanted: Wanted, pod_networks: Mapping[str, str]) -> Iterator[Check]:
    """Give the checks of the load balancer; `pod_networks` is node -> the range of its pods."""
    yield from _forwarding(answer, wanted)
    if wanted.ipvs is not None and wanted.ipvs.external:
        yield _external(answer, wanted.ipvs)
    elif wanted.ipvs is not None:
        yield from _ipvs(answer, wanted.ipvs)
        yield from _sysctls(answer)
        yield _place(answer, wanted.ipvs)
    yield from _routes(answer, pod_networks)
    yield from _kube_proxy(answer, wanted)


def host_addresses(answer: HostAnswer) -> dict[str, str]:
    """Give the load balancer's addresses and their interfaces; none where it did not say."""
    return addresses(answer.lines("network"))


def _forwarding(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    value = _values(answer).get("net.ipv4.ip_forward", "absent")
    if value == "1":
        yield ok("sysctl", answer.host, "net.ipv4.ip_forward is 1")
    elif wanted.proxy is not None:  # nothing sets it for the proxy
        remedy = "run `sysctl -w net.ipv4.ip_forward=1` there, and keep it in /etc/sysctl.d"
        yield fail("sysctl", answer.host, f"net.ipv4.ip_forward is {value}, so nothing is forwarded", remedy)
    elif wanted.ipvs is not None and not wanted.ipvs.external:
        found = f"net.ipv4.ip_forward is {value}; a session sets it to 1 and puts it back"
        yield warning(
            "sysctl", answer.host, found, "set it to 1 where the host is to forward at other times too"
        )


def _ipvs(answer: HostAnswer, spec: IpvsSpec) -> Iterator[Check]:
    modules = {line.split()[0] for line in answer.lines("kernel")}
    scheduler = f"ip_vs_{spec.scheduler}"
    if not answer.lines("ipvs"):
        if answer.lines("loadable"):
            found = "ip_vs is not loaded; ipvsadm loads it when a session begins"
            remedy = "run `modprobe ip_vs` there, and name it in /etc/modules-load.d"
            yield warning("ipvs", answer.host, found, remedy)
        else:
            remedy = "run `modprobe ip_vs` there; where that finds nothing, install the kernel's package of modules"
            yield fail("ipvs", answer.host, "ip_vs is neither in the kernel nor among its modules", remedy)
        return
    version = answer.lines("ipvs")[0].removeprefix("IP Virtual Server version ").partition(" ")[0]
    if "ip_vs" in modules and scheduler not in modules:
        remedy = f"run `modprobe {scheduler}` there, or choose another backends.ipvs.scheduler"
        found = f"IPVS {version}; {scheduler} is not loaded, which the kernel tries when it is needed"
        yield warning("ipvs", answer.host, found, remedy)
        return
    yield ok("ipvs", answer.host, f"IPVS {version}, scheduler {spec.scheduler}")


def _sysctls(answer: HostAnswer) -> Iterator[Check]:
    if not answer.lines("ipvs"):
        return  # they come with ip_vs
    said = {name: value for name, value in _values(answer).items() if name.startswith("net.ipv4.vs.")}
    absent = [name for name, value in said.items() if value == "absent"]
    if absent:
        remedy = "boot a kernel with CONFIG_IP_VS_NFCT there: masquerading with IPVS needs it"
        yield fail("sysctl", answer.host, f"{', '.join(absent)} is not there", remedy)
        return
    differing = [f"{name} {value} -> {wanted}" for name, wanted in sysctls_for((6, 0)).items()
                 if (value := said.get(name, wanted)) != wanted and "conn_reuse" not in name]  # fmt: skip
    told = f"; a session sets {', '.join(differing)} and puts back" if differing else ""
    yield ok("sysctl", answer.host, f"{len(said)} of IPVS{told}")


def _values(answer: HostAnswer) -> dict[str, str]:
    pairs = (line.partition(" ") for line in answer.lines("sysctls"))
    return {name: value.strip() for name, _, value in pairs}


def _place(answer: HostAnswer, spec: IpvsSpec) -> Check:
    place = f"{spec.vip}:{spec.port}"
    servers = virtual_services(answer.lines("ipvs")).get(place)
    if servers is not None:
        left = any("kubelb ipvs" in line for line in answer.lines("proxy_mode"))
        found = f"{place} is an IPVS service with {servers} real server{'' if servers == 1 else 's'}"
        if left:
            remedy = (
                f"run `kubelb restore`, or `ipvsadm -D -t {place}` there where that finds nothing to put back"
            )
            return fail("vip", answer.host, f"{found}, left or used by another session of kubelb", remedy)
        remedy = (
            "choose another backends.ipvs.port, or measure theirs with backends.ipvs.external = true; keepalived and"
            " its like would interfere"
        )
        found += ", programmed by somebody else: a session replaces it and puts it back"
        return warning("vip", answer.host, found, remedy)
    listener = listens(answer.lines("kernel"), spec.vip, spec.port)
    if listener is not None:
        remedy = "choose another backends.ipvs.port, or stop what listens there (`ss -ltnp` says what it is)"
        return fail("vip", answer.host, f"{place} is taken by a listener on {listener}", remedy)
    interface = host_addresses(answer).get(spec.vip)
    where = f"the address is on {interface}" if interface else "a session puts the address on lo"
    return ok("vip", answer.host, f"{place} is free; {where}")


def _external(answer: HostAnswer, spec: IpvsSpec) -> Check:
    place = f"{spec.vip}:{spec.port}"
    if not answer.lines("ipvs"):
        remedy = (
            "nothing, where that load balancer is no IPVS: that each pod answers is all that is checked then"
        )
        return warning(
            "vip", answer.host, f"{place} is programmed by others, and there is no IPVS to look at", remedy
        )
    servers = virtual_services(answer.lines("ipvs")).get(place)
    if servers is None:
        remedy = "have it programmed for the pods, or take backends.ipvs.external = true away"
        return warning(
            "vip", answer.host, f"{place} is no IPVS service, and external = true leaves it to others", remedy
        )
    return ok("vip", answer.host, f"{place} is programmed by others, with {servers} real servers now")


def _routes(answer: HostAnswer, pod_networks: Mapping[str, str]) -> Iterator[Check]:
    if not pod_networks:
        remedy = "run `ip route get POD-IP` there by hand: each must leave by the pod network"
        yield warning("pod routes", answer.host, "not checked: no node says the range of its pods", remedy)
        return
    found: list[str] = []
    for node, network in pod_networks.items():
        route = route_to(answer.lines("network"), IPv4Network(network))
        if route is None:
            remedy = "make the load balancer a node of the cluster, or route the pods' ranges there by hand"
            yield fail("pod routes", answer.host, f"no route to {network}, the pods of {node}", remedy)
        elif route.startswith("default"):
            remedy = "see that the gateway knows the pods, or make the load balancer a node of the cluster"
            what = f"{network}, the pods of {node}, has the default route only ({route})"
            yield warning("pod routes", answer.host, what, remedy)
        else:
            found.append(route.partition(" dev ")[2].partition(" ")[0])
    if found:
        devices = ", ".join(dict.fromkeys(found))
        yield ok("pod routes", answer.host, f"the pods of {len(found)} nodes by {devices}")


def _kube_proxy(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    mode = kube_proxy.parse(answer.lines("proxy_mode"))
    if mode:
        yield ok("kube-proxy", answer.host, f"mode {mode}")
    elif wanted.proxy is not None:
        remedy = (
            "see that kube-proxy runs on the load balancer, which has to be a node of the cluster for that"
        )
        yield warning(
            "kube-proxy", answer.host, "no trace of it: neither its port 10249 nor its rules", remedy
        )
