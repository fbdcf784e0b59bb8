"""The backend `ipvs`: a virtual server on the load balancer that masquerades to the pods. Touches that host.

What it changes there, and puts back in `clear`: the IPVS service on VIP:port, four sysctls, the VIP on `lo`
where no interface has it, and one nat rule so that the pods' replies come back through the load balancer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Self

from pytest_kubelb.backends.base import AS_ROOT, Backend, Remote, run_script, url_of
from pytest_kubelb.backends.ipvs_host import IpvsHost, State, questions, read_state, steps, sysctls_for
from pytest_kubelb.backends.ipvs_table import changes, differences, parse_table, wanted_service
from pytest_kubelb.errors import ConfigError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory


class Ipvs(Backend):
    """IPVS on the load balancer. The first `program` takes two round trips, later ones one."""

    name: ClassVar[str] = "ipvs"

    def __init__(
        self,
        load_balancer: Remote,
        *,
        vip: str,
        port: int,
        pod_port: int,
        scheduler: str = "rr",
        iptables: str = "iptables",
    ) -> None:
        self.url = url_of(vip, port)
        self._host = load_balancer
        self._what = IpvsHost(vip, port, iptables)
        self._pod_port = pod_port
        self._scheduler = scheduler
        self._before: State | None = None
        self._now: State | None = None

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Self:
        """Make it from `[backends.ipvs]`."""
        spec = inventory.ipvs
        if spec is None:
            raise ConfigError(f"{inventory.file}: the backend ipvs needs a section [backends.ipvs]")
        return cls(
            hosts[inventory.roles.load_balancer],
            vip=spec.vip,
            port=spec.port,
            pod_port=inventory.workload.port,
            scheduler=spec.scheduler,
        )

    def prepare(self) -> None:
        """Read the table, the sysctls, the addresses and the rule."""
        self._now = self._look()

    def take_over(self, other: Backend) -> None:
        """Know of VIP:port on this load balancer what `other` knows, so that `program` changes what differs."""
        if not isinstance(other, Ipvs) or other is self or other._before is None:
            return
        if (other._host, other._what) == (self._host, self._what):
            self._before, self._now = other._before, other._now
            other._before = other._now = None

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Make exactly these the real servers of VIP:port, in one batch that is read back."""
        pods = [endpoint.ip for endpoint in endpoints]
        now = self._now or self._look()
        if self._before is None:
            self._before = now
        what = self._what
        service = wanted_service(what.vip, what.port, self._scheduler, pods, self._pod_port)
        wanted = dataclasses.replace(
            now, service=service, sysctls=sysctls_for(now.kernel), has_vip=True, has_rule=True
        )
        self._reach(now, wanted)

    def activate(self) -> None:
        """Do nothing: the VIP answers on the load balancer as soon as `program` has run."""

    def clear(self) -> None:
        """Put back the service, sysctls, address and rule that the first `program` found."""
        if self._before is not None:
            # Looked at again: what failed half-way, or was changed by others, is put back too.
            self._reach(self._look(), self._before)
            self._before = self._now = None

    def _look(self) -> State:
        return read_state(run_script(self._host, questions(self._what)), self._what)

    def _reach(self, now: State, wanted: State) -> None:
        prepare, batch = steps(now, wanted, self._what), changes(now.service, wanted.service)
        if not prepare and not batch:
            return
        self._now = None  # until it is read back: a batch that fails half-way leaves anything
        restore = [f"{AS_ROOT} ipvsadm --restore"] if batch else []
        stdin = "".join(f"{line}\n" for line in batch)
        script = [*prepare, *restore, f"{AS_ROOT} ipvsadm --save -n"]
        try:
            printed = run_script(self._host, script, stdin=stdin)
        except TestbedError as error:
            changed = differences(self._look().service, now.service)
            if not changed:
                raise
            raise TestbedError(
                f"host {self._host.name}: the IPVS service {self._what.vip}:{self._what.port} is not as it was left"
                f" ({changed}); see who else programs this load balancer, keepalived for one"
            ) from error
        found = parse_table(printed).get(self._what.key)
        wrong = differences(found, wanted.service)
        if wrong:
            raise TestbedError(
                f"host {self._host.name}: the IPVS table read back for {self._what.vip}:{self._what.port}"
                f" differs: {wrong}; see who else programs this load balancer, keepalived for one"
            )
        self._now = wanted
