"""kube-proxy of the lab: keeps the rules on the load balancer in step with Services and EndpointSlices.

Touches that host by SSH.

The rules are made in `kube_proxy_rules`; here is what is done with them. One `iptables-restore --noflush` stays
open for the life of the lab: it applies a table when it reads its COMMIT, and starting a process on a User Mode
Linux guest costs more than the change itself.
"""

import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, cast

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.kube_proxy_rules import ServicePort, chain_names, jumps, rules
from pytest_kubelb.lab.topology import POD_RANGE

Object = Mapping[str, Any]
_STARTED = "started"


class KubeProxy:
    """The kube-proxy of one host; `shell` is the command prefix that runs a command there."""

    def __init__(self, shell: Sequence[str], log: IO[bytes]) -> None:
        """Begin, and return when its first rules are in the kernel: only then is it there for whoever looks.

        Raises TestbedError when they cannot be written.
        """
        restore = "iptables-restore --noflush"
        first = f"printf %s {shlex.quote(jumps())} | {restore} && echo {_STARTED} && exec {restore}"
        self._process = subprocess.Popen(
            [*shell, first], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        self._written: list[ServicePort] = []
        if cast("IO[bytes]", self._process.stdout).readline().strip() != _STARTED.encode():
            raise self._ended()

    def sync(self, services: Iterable[Object], slices: Iterable[Object]) -> None:
        """Write the rules for these objects unless they are what was written last; raises TestbedError."""
        wanted = service_ports(services, slices)
        if wanted == self._written:
            return
        current = set(chain_names(wanted))
        stale = [chain for chain in chain_names(self._written) if chain not in current]
        self._send(rules(wanted, str(POD_RANGE), stale))
        self._written = wanted

    def end(self) -> None:
        """End it; what it wrote stays."""
        self._process.kill()
        self._process.wait()

    def _send(self, text: str) -> None:
        pipe = cast("IO[bytes]", self._process.stdin)
        try:
            pipe.write(text.encode())
            pipe.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self) -> TestbedError:
        with (
            suppress(BrokenPipeError),
            self._process,
        ):  # what could not be written is written again when it is closed
            pass
        return TestbedError(
            "kube-proxy's iptables-restore on the load balancer ended with exit code"
            f" {self._process.wait()}; the lab's log says why"
        )


def service_ports(services: Iterable[Object], slices: Iterable[Object]) -> list[ServicePort]:
    """Give what kube-proxy makes of these objects: one entry per TCP port of each Service that has a cluster IP."""
    ready: dict[tuple[str, str, str], set[str]] = {}
    for each in slices:
        service = each["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        for port in each.get("ports") or []:
            key = (each["metadata"]["namespace"], service, port.get("name") or "")
            ready.setdefault(key, set()).update(
                f"{endpoint['addresses'][0]}:{port['port']}"
                for endpoint in each.get("endpoints") or []
                if endpoint.get("conditions", {}).get("ready")
            )
    return sorted(
        (
            _service_port(service, port, ready)
            for service in services
            if service["spec"].get("clusterIP") not in (None, "", "None")
            for port in service["spec"].get("ports") or []
            if port.get("protocol", "TCP") == "TCP"
        ),
        key=lambda port: port.full_name,
    )


def _service_port(
    service: Object, port: Object, ready: Mapping[tuple[str, str, str], set[str]]
) -> ServicePort:
    metadata, port_name = service["metadata"], port.get("name") or ""
    endpoints = ready.get((metadata["namespace"], metadata["name"], port_name), set())
    return ServicePort(
        namespace=metadata["namespace"],
        name=metadata["name"],
        port_name=port_name,
        cluster_ip=service["spec"]["clusterIP"],
        port=port["port"],
        endpoints=tuple(sorted(endpoints)),
    )
