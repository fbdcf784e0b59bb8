"""Make something go wrong on the lab's hosts while a run is measured, and put it back. Touches the lab only.

Whatever kernel the load balancer has: what a kernel cannot do is for the test to skip.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_kubelb import defaults, holding, settings
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import PODS as PODS_RESOURCE
from pytest_kubelb.evidence.delta import HostDelta
from pytest_kubelb.load.command import Connections
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed import inventory
from tests.lab.test_lab import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.holding import HeldTestbed
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.observing import Observed, Observer
    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.hosts import Hosts

L, C, W = "k11", "k12", "k05"
"""Load balancer, benchmarker, and a worker."""
L_ADDRESS, W_ADDRESS = "192.168.0.111", "192.168.0.105"
VIP = f"{L_ADDRESS}:8888"
CLUSTER_IP = "10.254.0.10"
CONNECTIONS = 8
PODS = 2
MEANWHILE_S = 0.4
"""After wrk was started: it is in the midst of a run of a second."""


@dataclass(frozen=True)
class Bench:
    """A lab that is held, and runs of it with the evidence around them."""

    lab: Lab
    hosts: Hosts
    held: HeldTestbed
    observer: Observer
    settings: Settings

    def target(
        self, backend: str = "ipvs", pods: int = PODS, overlay: str = "vxlan", provisioning: int = 1
    ) -> Target:
        """Converge to a point."""
        point = Point(backend, pods, overlay, provisioning=provisioning)
        return self.held.convergence.converge(point)

    def run(
        self,
        target: Target | None = None,
        *,
        meanwhile: Callable[[], object] | None = None,
        connections: int = CONNECTIONS,
        duration_s: int = 1,
    ) -> Sample:
        """Give the sample of one run; `meanwhile` is called when it begins.

        The hosts are read anew before it: what a test put back before is not of this run.
        """
        return self.observed(
            target, meanwhile=meanwhile, connections=connections, duration_s=duration_s
        ).sample

    def observed(
        self,
        target: Target | None = None,
        *,
        meanwhile: Callable[[], object] | None = None,
        connections: int = CONNECTIONS,
        duration_s: int = 1,
    ) -> Observed:
        """Give what `run` gives with the evidence."""
        at = replace(target or self.target())
        wanted = replace(self.settings, connections=Connections(connections, False), duration=duration_s)

        def load() -> Sample:
            with ThreadPoolExecutor(1) as pool:
                beside = None if meanwhile is None else pool.submit(meanwhile)
                sample = self.held.load.run(at, wanted, number=0, warmup=False)
                if beside is not None:
                    beside.result()
            return sample

        return self.observer.around(at, wanted, load)

    @contextlib.contextmanager
    def known(self, **changes: object) -> Iterator[None]:
        """Let the observer know other limits or specs than the inventory and the hosts say."""
        before = self.observer._known
        self.observer._known = replace(before, **changes)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.observer._known = before

    def sh(self, host: str, script: str) -> str:
        """Run a script on a host and give what it printed; raises TestbedError when it fails."""
        return self.hosts[host].run(["sh", "-ec", script], root=True).stdout

    def later(self, host: str, script: str) -> Callable[[], object]:
        """Give what runs a script in the midst of a run, for `run`."""
        return lambda: self.sh(host, f"sleep {MEANWHILE_S}; {script}")

    @contextlib.contextmanager
    def changed(self, host: str, script: str, back: str) -> Iterator[None]:
        """Run one script, and the other at the end, whatever happens."""
        self.sh(host, script)
        try:
            yield
        finally:
            self.sh(host, back)

    @contextlib.contextmanager
    def written(self, host: str, file: str, text: str) -> Iterator[None]:
        """Write a file of /proc or /sys, and what was there at the end."""
        before = self.sh(host, f"cat {file}").strip()
        with self.changed(host, f"echo '{text}' >{file}", f"echo '{before}' >{file}"):
            yield

    @contextlib.contextmanager
    def running(self, host: str, script: str) -> Iterator[None]:
        """Keep a script running on a host; it and what it started are killed at the end."""
        start = 'setsid sh -c "$1" >/dev/null 2>&1 </dev/null & echo $!'
        group = self.hosts[host].run(["sh", "-ec", start, "sh", script]).stdout.strip()
        try:
            yield
        finally:
            self.sh(host, f"kill -KILL -{group}")

    def delete_pod(self, name: str) -> None:
        """Delete a pod of ours through the API, as anybody may."""
        described = self.settings.inventory.cluster
        with Api(self.lab.kubeconfig, described.context, on_event=lambda _: None) as api:
            pod = api.find(PODS_RESOURCE, name, described.namespace)
            assert pod is not None
            api.delete(PODS_RESOURCE, pod)


@contextlib.contextmanager
def holding_bench(lab: Lab, hosts: Hosts, session: str) -> Iterator[Bench]:
    """Hold the lab as a session does, with the evidence of all its hosts."""
    described = inventory.load(lab.inventory)
    wanted = holding.Wanted(session, ("ipvs", "proxy"), BACKENDS)
    resolved = settings.resolve([], search=[], known_backends=BACKENDS, new_seed=0)
    with holding.hold(described, wanted, lambda *_: None, defaults.pytest_kubelb_host_facts) as held:
        assert held.observer is not None
        yield Bench(lab, hosts, held, held.observer, resolved)


def found(sample: Sample, signal: str) -> Finding:
    """Give the finding of a signal; fails with all that there are when it is silent."""
    matching = [finding for finding in sample.findings if finding.signal == signal]
    assert matching, (signal, sample.validity, sample.findings)
    return matching[0]


def counted_by(observed: Observed, host: str) -> HostDelta:
    """Give what a host counted during a run."""
    assert observed.evidence is not None
    hosts = observed.evidence["hosts"]
    assert isinstance(hosts, dict)
    return HostDelta.from_json(hosts[host])


def grave(sample: Sample) -> set[str]:
    """Give the signals that take something from the run."""
    return {finding.signal for finding in sample.findings if finding.effect != "none"}


def python(*lines: str) -> str:
    """Give the command line for a few lines of Python without double quotes."""
    body = "\n".join(lines)
    return f'python3 -c "{body}"'


def udp(address: str, number: int) -> str:
    """Give the command that sends so many datagrams, whatever becomes of them."""
    return python(
        "import socket",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        f"for _ in range({number}):",
        f"    try: s.sendto(b'x', ('{address}', 9))",
        "    except OSError: pass",
    )


def listens(port: int) -> str:
    """Give the command that waits until somebody listens on the port."""
    return f"until grep -q ':{port:04X} 00000000:0000 0A' /proc/net/tcp; do sleep 0.05; done"
