"""The backend `dnat`: one nat chain on the load balancer, without kube-proxy's. Touches that host's iptables."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pytest_kubelb.backends.base import AS_ROOT, Backend, Remote, run_script, url_of
from pytest_kubelb.errors import ConfigError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory

CHAIN = "KUBELB-DNAT"


class Dnat(Backend):
    """A VIP of the load balancer, forwarded by rules that draw one pod at random for each connection."""

    name: ClassVar[str] = "dnat"

    def __init__(self, load_balancer: Remote, *, vip: str, port: int, pod_port: int) -> None:
        self.url = url_of(vip, port)
        self._host = load_balancer
        self._pod_port = pod_port
        self._jump = f"PREROUTING -d {vip}/32 -p tcp --dport {port} -j {CHAIN}"
        # Replies have to come back through the load balancer.
        self._masquerade = (
            f"POSTROUTING -p tcp -m conntrack --ctorigdst {vip} --ctorigdstport {port} -j MASQUERADE"
        )
        self._programmed = False

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Self:
        """Make it from `[backends.dnat]`: `vip` is an address that the load balancer has, `port` a free one."""
        spec = inventory.other_backends["dnat"]
        vip, port = spec.get("vip"), spec.get("port")
        if not isinstance(vip, str) or not isinstance(port, int):
            raise ConfigError(
                f"{inventory.file}: [backends.dnat] is {dict(spec)}: write vip = an address and port = a number"
            )
        return cls(hosts[inventory.roles.load_balancer], vip=vip, port=port, pod_port=inventory.workload.port)

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Make exactly these pods the chain's targets, in one batch; the first time, lead the VIP to the chain."""
        rules = dnat_rules([endpoint.ip for endpoint in endpoints], self._pod_port)
        hooks = [] if self._programmed else [f"-A {self._jump}", f"-A {self._masquerade}"]
        self._programmed = True  # before the batch: what fails half-way is cleared as well
        batch = ["*nat", f":{CHAIN} - [0:0]", *rules, *hooks, "COMMIT", ""]
        restore = f"{AS_ROOT} iptables-restore --noflush"
        printed = run_script(
            self._host, [restore, f"{AS_ROOT} iptables -t nat -S {CHAIN}"], stdin="\n".join(batch)
        )
        found = [line for line in printed.splitlines() if line.startswith("-A")]
        if len(found) != len(rules):
            raise TestbedError(
                f"host {self._host.name}: chain {CHAIN} has {len(found)} rules, {len(rules)} were written;"
                " see who else programs the nat table"
            )

    def activate(self) -> None:
        """Do nothing: the VIP answers as soon as `program` has run."""

    def clear(self) -> None:
        """Take the two rules and the chain away again."""
        if not self._programmed:
            return
        gone = [f"-D {self._jump}", f"-D {self._masquerade}", f"-F {CHAIN}", f"-X {CHAIN}"]
        run_script(self._host, [f"{AS_ROOT} iptables -w 5 -t nat {words}" for words in gone])
        self._programmed = False


def dnat_rules(pods: Sequence[str], port: int) -> list[str]:
    """Return one rule for each pod: with n left, each is taken with probability 1/n, the last one always."""
    rules = []
    for index, pod in enumerate(pods):
        left = len(pods) - index
        draw = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        rules.append(f"-A {CHAIN} -p tcp {draw}-j DNAT --to-destination {pod}:{port}")
    return rules
