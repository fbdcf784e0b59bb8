"""The backend `ipvs` with `external = true`: a load balancer that somebody else programs. Reads that host's table.

Nothing is written there. Where the table can be read it has to hold exactly the pods, and it is waited for until it
does; where it cannot (no ipvsadm, no privilege, no IPVS at all), the proof that each pod answers is all there is.
"""

from __future__ import annotations

import logging
import time
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from pytest_kubelb.backends.base import AS_ROOT, Backend, Remote, run_script, url_of
from pytest_kubelb.backends.ipvs_host import IpvsHost
from pytest_kubelb.backends.ipvs_table import parse_table, server_differences
from pytest_kubelb.errors import ConfigError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory

WAIT_S: Final = 60.0
"""How long whoever programs it may take to follow the cluster."""
PAUSE_S: Final = 0.5

log = logging.getLogger(__name__)

_QUESTION = f"if {AS_ROOT} ipvsadm --save -n 2>&1; then echo '%% read'; else echo '%% refused'; fi"


class ExternalIpvs(Backend):
    """VIP:port on a load balancer that is not ours to program. A point takes one round trip for each look."""

    name: ClassVar[str] = "ipvs"

    def __init__(
        self, load_balancer: Remote, *, vip: str, port: int, pod_port: int, wait_s: float = WAIT_S
    ) -> None:
        self.url = url_of(vip, port)
        self._host = load_balancer
        self._what = IpvsHost(vip, port)
        self._pod_port = pod_port
        self._wait_s = wait_s
        self._readable = True

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Backend:
        """Make it from `[backends.ipvs]`."""
        spec = inventory.ipvs
        if spec is None:
            raise ConfigError(f"{inventory.file}: the backend ipvs needs a section [backends.ipvs]")
        return cls(
            hosts[inventory.roles.load_balancer],
            vip=spec.vip,
            port=spec.port,
            pod_port=inventory.workload.port,
        )

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Wait until exactly these are the real servers. Raises TestbedError that says what differs at the end."""
        wanted = {f"{endpoint.ip}:{self._pod_port}" for endpoint in endpoints}
        started = time.monotonic()
        while self._readable and (wrong := self._differences(wanted)):
            if time.monotonic() - started > self._wait_s:
                raise TestbedError(
                    f"host {self._host.name}: after {self._wait_s:g} s the IPVS service"
                    f" {self._what.vip}:{self._what.port}, which external = true leaves to others, is not at the"
                    f" {len(wanted)} pods: {wrong}; see what programs it, or take external = true away"
                )
            time.sleep(PAUSE_S)

    def activate(self) -> None:
        """Do nothing: the VIP is somebody else's."""

    def clear(self) -> None:
        """Do nothing: nothing was changed."""

    def _differences(self, wanted: set[str]) -> str:
        printed, _, verdict = run_script(self._host, [_QUESTION]).rpartition("%% ")
        if verdict.strip() != "read":
            self._readable = False
            log.warning(
                "host %s: the IPVS table cannot be read (%s): that each pod answers is all that is checked",
                self._host.name,
                " ".join(printed.split())[:200] or "without a reason",
            )
            return ""
        found = parse_table(printed).get(self._what.key)
        if found is None:
            return "the service is missing"
        # A weight of 0 takes a real server out of service without taking it away.
        serving = {server for server, words in found.real_servers.items() if not _is_quiesced(words)}
        return server_differences(serving, wanted)


def _is_quiesced(words: Sequence[str]) -> bool:
    return any(pair == ("-w", "0") for pair in pairwise(words))
