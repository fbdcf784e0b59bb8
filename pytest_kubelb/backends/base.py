"""What every backend does, and how it sends commands to a host. Touches the hosts it is given."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Completed, Hosts
    from pytest_kubelb.testbed.inventory import Inventory


class Remote(Protocol):
    """What a backend needs of a host; `testbed.hosts.Host` is one."""

    @property
    def name(self) -> str:
        """The host's name."""

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - the name subprocess.run gives it
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        """Run one command, as `Host.run` does."""


class Backend(ABC):
    """One way from the benchmarker through the load balancer to the pods.

    Call `program` with the endpoints of a point, then `activate`; both change only what differs.
    """

    name: ClassVar[str]
    follows: bool = False
    """Whether somebody else programs the load balancer after the cluster has changed, in their own time."""
    url: str
    """What wrk is pointed at."""
    session: str = ""
    """The session's id, set by who made the backend: what it changes on a host is journalled there under this name."""

    @classmethod
    @abstractmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Backend:
        """Make the backend as the inventory describes it. Touches nothing; raises ConfigError."""

    def deployed(self, cluster_ip: str) -> None:  # noqa: B027 - nothing to know is the usual case
        """Learn the Service's address, once the cluster has it and before the first `program`. Touches nothing."""

    def prepare(self) -> None:  # noqa: B027 - nothing to do is the usual case
        """Read what there is, so that the first `program` has less to do. Changes nothing; raises TestbedError."""

    def take_over(self, other: Backend) -> None:  # noqa: B027 - no place in common is the usual case
        """Go on from where `other` has brought the place that both lead to, if they have one in common.

        What has to be put back in the end is then ours to put back, and no longer `other`'s. Touches nothing.
        """

    @abstractmethod
    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Make exactly these the real servers, read back. Raises TestbedError."""

    @abstractmethod
    def activate(self) -> None:
        """Lead the benchmarker's traffic this way, read back. Raises TestbedError."""

    @abstractmethod
    def clear(self) -> None:
        """Put back what was there before the first `program` or `activate`. Safe to call twice."""


AS_ROOT = "$s"
"""First word of a script line that needs root: empty for root, else `sudo -n --`."""


def url_of(ip: str, port: int) -> str:
    """Return the URL of the service, without the port where http implies it."""
    return f"http://{ip}/" if port == 80 else f"http://{ip}:{port}/"


def root_line(*words: str) -> str:
    """Return a script line that runs one command as root, its words quoted."""
    return f"{AS_ROOT} {shlex.join(words)}"


def run_script(host: Remote, lines: Sequence[str], *, stdin: str | None = None) -> str:
    """Run script lines on a host in one round trip, stopping at the first that fails; what they print.

    sudo goes before single commands and not before the shell, so that a sudoers file can list exactly these.
    """
    # Builtin tests only: `id -u` would cost a process.
    preamble = ["set -e", "s=; [ -w /proc/sys/net/ipv4/ip_forward ] || s='sudo -n --'"]
    return host.run(["sh", "-c", "\n".join([*preamble, *lines])], input=stdin).stdout
