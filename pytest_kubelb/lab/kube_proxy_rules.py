"""The rules that kube-proxy in iptables mode writes, as text for `iptables-restore --noflush`. Pure: touches nothing.

Source: Kubernetes v1.36, pkg/proxy/iptables/proxier.go (chains, order, comments, probabilities) and
pkg/proxy/util (chain names: the first 16 characters of base32(sha256(service port name + protocol [+ endpoint]))).
Left out is what needs an nfacct object: kube-proxy leaves it out as well where the kernel has none.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

MASQUERADE_MARK = "0x4000/0x4000"

FILTER_CHAINS = (
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FIREWALL",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-CANARY",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SERVICES",
)
NAT_CHAINS = ("KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-PROXY-CANARY", "KUBE-SERVICES")


@dataclass(frozen=True)
class ServicePort:
    """One port of one Service with its ready endpoints, as kube-proxy sees it."""

    namespace: str
    name: str
    port_name: str
    cluster_ip: str
    port: int
    endpoints: tuple[str, ...]
    """`address:port` of each ready endpoint, sorted by kube-proxy's own order: as text."""

    @property
    def full_name(self) -> str:
        """`namespace/name` or `namespace/name:port`, the name kube-proxy hashes and writes into comments."""
        return f"{self.namespace}/{self.name}" + (f":{self.port_name}" if self.port_name else "")

    @property
    def service_chain(self) -> str:
        """The chain that chooses an endpoint: KUBE-SVC-…."""
        return "KUBE-SVC-" + _digest(self.full_name + "tcp")

    def endpoint_chain(self, endpoint: str) -> str:
        """Give the chain that rewrites the destination to `endpoint`: KUBE-SEP-…."""
        return "KUBE-SEP-" + _digest(self.full_name + "tcp" + endpoint)


def jumps() -> str:
    """Give the jumps from the base chains into kube-proxy's own, which it writes once, when it starts."""
    return _table("filter", FILTER_CHAINS, _filter_jumps()) + _table("nat", NAT_CHAINS, _nat_jumps())


def rules(services: Sequence[ServicePort], cluster_cidr: str, stale: Sequence[str] = ()) -> str:
    """Give all of kube-proxy's own chains for `services`, replacing what they held.

    `stale` names chains of an earlier rule set that are to be deleted. No base chain is touched.
    """
    filter_table = _table("filter", FILTER_CHAINS, _filter_rules(services))
    chains = [*NAT_CHAINS, *chain_names(services), *stale]
    return filter_table + _table("nat", chains, _nat_rules(services, cluster_cidr, stale))


def chain_names(services: Sequence[ServicePort]) -> list[str]:
    """Give the chains that belong to `services`, each service's own chain before its endpoints'."""
    names = []
    for service in services:
        if service.endpoints:
            names.append(service.service_chain)
            names += [service.endpoint_chain(endpoint) for endpoint in service.endpoints]
    return names


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


def _filter_jumps() -> list[str]:
    new = "-m conntrack --ctstate NEW"
    firewall = f"{new} {_comment('kubernetes load balancer firewall')} -j KUBE-PROXY-FIREWALL"
    external = f"{new} {_comment('kubernetes externally-visible service portals')} -j KUBE-EXTERNAL-SERVICES"
    portals = f"{new} {_comment('kubernetes service portals')} -j KUBE-SERVICES"
    return [
        f"-A INPUT {firewall}",
        f"-A INPUT {_comment('kubernetes health check service ports')} -j KUBE-NODEPORTS",
        f"-A INPUT {external}",
        "-A INPUT -j KUBE-FIREWALL",
        f"-A FORWARD {firewall}",
        f"-A FORWARD {_comment('kubernetes forwarding rules')} -j KUBE-FORWARD",
        f"-A FORWARD {portals}",
        f"-A FORWARD {external}",
        f"-A OUTPUT {firewall}",
        f"-A OUTPUT {portals}",
        "-A OUTPUT -j KUBE-FIREWALL",
    ]


def _filter_rules(services: Sequence[ServicePort]) -> list[str]:
    lines = [
        f"-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 {_comment('block incoming localnet connections')}"
        " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
        f"-A KUBE-FORWARD {_comment('kubernetes forwarding rules')} -m mark --mark {MASQUERADE_MARK} -j ACCEPT",
        f"-A KUBE-FORWARD {_comment('kubernetes forwarding conntrack rule')}"
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
    lines += [
        f"-A KUBE-SERVICES -d {service.cluster_ip}/32 -p tcp {_comment(service.full_name + ' has no endpoints')}"
        f" -m tcp --dport {service.port} -j REJECT"
        for service in services
        if not service.endpoints
    ]
    return lines


def _nat_jumps() -> list[str]:
    portals = _comment("kubernetes service portals")
    return [
        f"-A PREROUTING {portals} -j KUBE-SERVICES",
        f"-A OUTPUT {portals} -j KUBE-SERVICES",
        f"-A POSTROUTING {_comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING",
    ]


def _nat_rules(services: Sequence[ServicePort], cluster_cidr: str, stale: Sequence[str]) -> list[str]:
    lines = [
        f"-A KUBE-MARK-MASQ -j MARK --set-xmark {MASQUERADE_MARK}",
        f"-A KUBE-POSTROUTING -m mark ! --mark {MASQUERADE_MARK} -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        f"-A KUBE-POSTROUTING {_comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully",
    ]
    served = [service for service in services if service.endpoints]
    lines += [line for service in served for line in _endpoint_rules(service)]
    for service in served:
        lines.append(
            f"-A KUBE-SERVICES -d {service.cluster_ip}/32 -p tcp {_comment(service.full_name + ' cluster IP')}"
            f" -m tcp --dport {service.port} -j {service.service_chain}"
        )
    last = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    lines.append(f"-A KUBE-SERVICES {_comment(last)} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    lines += [line for service in served for line in _service_rules(service, cluster_cidr)]
    return lines + [f"-X {chain}" for chain in stale]


def _endpoint_rules(service: ServicePort) -> list[str]:
    lines, comment = [], _comment(service.full_name)
    for endpoint in service.endpoints:
        chain, address = service.endpoint_chain(endpoint), endpoint.rpartition(":")[0]
        lines.append(f"-A {chain} -s {address}/32 {comment} -j KUBE-MARK-MASQ")
        lines.append(f"-A {chain} -p tcp {comment} -m tcp -j DNAT --to-destination {endpoint}")
    return lines


def _service_rules(service: ServicePort, cluster_cidr: str) -> list[str]:
    chain, count = service.service_chain, len(service.endpoints)
    lines = [
        f"-A {chain} ! -s {cluster_cidr} -d {service.cluster_ip}/32 -p tcp"
        f" {_comment(service.full_name + ' cluster IP')} -m tcp --dport {service.port} -j KUBE-MARK-MASQ"
    ]
    for position, endpoint in enumerate(service.endpoints):
        target = f"-j {service.endpoint_chain(endpoint)}"
        remaining = count - position
        # The chance is 1/n for the first of n that are left; the last one takes what comes.
        chance = f" -m statistic --mode random --probability {1 / remaining:0.10f}" if remaining > 1 else ""
        lines.append(f"-A {chain} {_comment(f'{service.full_name} -> {endpoint}')}{chance} {target}")
    return lines


def _table(name: str, chains: Sequence[str], lines: Sequence[str]) -> str:
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return f"*{name}\n{declared}" + "".join(line + "\n" for line in lines) + "COMMIT\n"
