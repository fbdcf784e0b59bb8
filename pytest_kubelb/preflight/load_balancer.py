"""Judge what the load balancer answered: IPVS, sysctls, the virtual server's place, routes, kube-proxy. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.ipvs_host import sysctls_for
from pytest_kubelb.preflight.check import Check, fail, ok, warning
from pytest_kubelb.preflight.kernel_tables import addresses, listens, route_to, virtual_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.inventory import IpvsSpec

MODES: Final = ("iptables", "nftables", "ipvs")


def judge(answer: HostAnswer, wanted: Wanted, pod_networks: Mapping[str, str]) -> Iterator[Check]:
    """Give the checks of the load balancer; `pod_networks` is node -> the range of its pods."""
    yield from _forwarding(answer, wanted)
    if wanted.ipvs is not None:
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
    else:
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
        whose = "left or used by another session of kubelb" if left else "programmed by somebody else"
        remedy = f"stop who programs it, run `ipvsadm -D -t {place}`, or choose another backends.ipvs.port"
        return fail(
            "vip", answer.host, f"{place} is an IPVS service with {servers} real servers, {whose}", remedy
        )
    listener = listens(answer.lines("kernel"), spec.vip, spec.port)
    if listener is not None:
        remedy = "choose another backends.ipvs.port, or stop what listens there (`ss -ltnp` says what it is)"
        return fail("vip", answer.host, f"{place} is taken by a listener on {listener}", remedy)
    interface = host_addresses(answer).get(spec.vip)
    where = f"the address is on {interface}" if interface else "a session puts the address on lo"
    return ok("vip", answer.host, f"{place} is free; {where}")


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


def kube_proxy_mode(answer: HostAnswer) -> str:
    """Give `iptables`, `nftables` or `ipvs`, as kube-proxy's traces or its own word have it; empty without any."""
    return next((line for line in answer.lines("proxy_mode") if line in MODES), "")


def _kube_proxy(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    mode = kube_proxy_mode(answer)
    if mode:
        yield ok("kube-proxy", answer.host, f"mode {mode}")
    elif wanted.proxy is not None:
        remedy = (
            "see that kube-proxy runs on the load balancer, which has to be a node of the cluster for that"
        )
        yield warning(
            "kube-proxy", answer.host, "no trace of it: neither its port 10249 nor its rules", remedy
        )
