"""The backend `ipvs`: a virtual server on the load balancer that masquerades to the pods. Touches that host.

What it changes there, and puts back in `clear`: the IPVS service on VIP:port, four sysctls, the VIP on `lo`
where no interface has it, and one nat rule so that the pods' replies come back through the load balancer. What was
there before goes to the undo journal on the host in the same round trip as the first change.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Self

from pytest_kubelb.backends import ipvs_undo
from pytest_kubelb.backends.base import AS_ROOT, Backend, Remote, run_script, url_of
from pytest_kubelb.backends.ipvs_host import IpvsHost, State, questions, read_state, steps, sysctls_for
from pytest_kubelb.backends.ipvs_table import changes, differences, parse_table, wanted_service
from pytest_kubelb.errors import ConfigError, TestbedError
from pytest_kubelb.testbed import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory
    from pytest_kubelb.testbed.journal import Journal


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
        self._journal: Journal | None = None

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Backend:
        """Make it from `[backends.ipvs]`; with `external = true` one that changes nothing."""
        spec = inventory.ipvs
        if spec is None:
            raise ConfigError(f"{inventory.file}: the backend ipvs needs a section [backends.ipvs]")
        if spec.external:
            from pytest_kubelb.backends.ipvs_external import ExternalIpvs

            return ExternalIpvs.on_testbed(inventory, hosts)
        return cls(
            hosts[inventory.roles.load_balancer],
            vip=spec.vip,
            port=spec.port,
            pod_port=inventory.workload.port,
            scheduler=spec.scheduler,
        )

    @classmethod
    def from_journal(cls, load_balancer: Remote, left: Journal) -> Self:
        """Take over what a session left, to `put_back`. Raises TestbedError when its payload cannot be understood."""
        try:
            what, before = ipvs_undo.from_json(left.payload)
        except ValueError as error:
            raise TestbedError(
                f"host {load_balancer.name}: the journal of {journal.label(left)} cannot be read: {error}; "
                "restore it with the version of kubelb that wrote it"
            ) from error
        backend = cls(load_balancer, vip=what.vip, port=what.port, pod_port=what.port, iptables=what.iptables)
        backend._before, backend._journal = before, left
        return backend

    def prepare(self) -> None:
        """Read the table, the sysctls, the addresses and the rule."""
        self._now = self._look()

    def take_over(self, other: Backend) -> None:
        """Know of VIP:port on this load balancer what `other` knows, so that `program` changes what differs."""
        if not isinstance(other, Ipvs) or other is self or other._before is None:
            return
        if (other._host, other._what) == (self._host, self._what):
            self._before, self._now, self._journal = other._before, other._now, other._journal
            other._before = other._now = other._journal = None

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
        """Put back the service, sysctls, address and rule that the first `program` found, and remove the journal."""
        self.put_back()

    def put_back(self) -> tuple[str, ...]:
        """Do what `clear` does; gives what was put back, a line each."""
        if self._before is None:
            return ()
        # Looked at again: what failed half-way, or was changed by others, is put back too.
        now = self._look()
        said = ipvs_undo.put_back(self._what, now, self._before)
        self._reach(now, self._before, undo=True)
        if self._journal is not None:
            run_script(self._host, [journal.NAMESPACE_LINE, *journal.remove_lines(self._journal)])
        self._before = self._now = self._journal = None
        return tuple(said)

    def _look(self) -> State:
        return read_state(run_script(self._host, questions(self._what)), self._what)

    def _kept(self, before: State) -> tuple[str, list[str]]:
        """Give the journal as a line, and the script lines that write it; nothing where it is written."""
        if self._journal is not None:
            return "", []
        what = self._what
        payload, subject = ipvs_undo.to_json(what, before), f"{what.vip}-{what.port}"
        self._journal = journal.opened(self.session, journal.IPVS, self._host.name, payload, subject)
        lines = [journal.NAMESPACE_LINE, *journal.write_lines(self._journal)]
        return journal.encode(self._journal), lines

    def _reach(self, now: State, wanted: State, *, undo: bool = False) -> None:
        prepare, batch = steps(now, wanted, self._what), changes(now.service, wanted.service)
        if not prepare and not batch:
            return
        self._now = None  # until it is read back: a batch that fails half-way leaves anything
        line, keep = ("", []) if undo else self._kept(self._before or now)
        restore = [f"{AS_ROOT} ipvsadm --restore"] if batch else []
        stdin = line + "".join(f"{each}\n" for each in batch)
        # All of it is read again where more than the table was changed: at the first point and at the end.
        again = questions(self._what) if prepare else [f"{AS_ROOT} ipvsadm --save -n"]
        script = [*keep, *prepare, *restore, *again]
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
        after = read_state(printed, self._what) if prepare else None
        found = after.service if after is not None else parse_table(printed).get(self._what.key)
        wrong = differences(found, wanted.service)
        if wrong:
            raise TestbedError(
                f"host {self._host.name}: the IPVS table read back for {self._what.vip}:{self._what.port}"
                f" differs: {wrong}; see who else programs this load balancer, keepalived for one"
            )
        if after is not None and (left := steps(after, wanted, self._what)):
            raise TestbedError(
                f"host {self._host.name}: read back, this was not taken or is not so any more:"
                f" {'; '.join(each.removeprefix(f'{AS_ROOT} ') for each in left)}; see who else sets it there"
            )
        self._now = wanted
