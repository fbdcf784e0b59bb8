"""The standing lab of the fault matrix, and the ways to it that can go wrong for a session. Touches that lab."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import PODS, Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import inventory as inventory_file
from tests.faults import snapshot
from tests.faults.faulty_api import FaultyApi, faulty
from tests.faults.running import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.cluster.resources import Json
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

L, C = "k11", "k12"
"""Load balancer and benchmarker."""

# The kernel takes the routes over a link away with it.
NOTE_ROUTES = "routes=$(ip -4 route show | grep ' dev eth0' | grep -v 'proto kernel')"
LINK_UP = 'ip link set eth0 up; echo "$routes" | while read -r each; do [ -z "$each" ] || ip route replace $each; done'

# $1 is the host, $2 the lab's own way to it, $3 how it goes today.
_DOOR = """
case $(cat "$0.$1" 2>/dev/null) in
refused) echo "connect to host $1 port 22: Connection refused" >&2; exit 255 ;;
hung) exec sleep 300 ;;
slow) exec python3 "$0.py" "$2" 0.05 ;;
esac
exec nc -U "$2"
"""
_SLOW = """
import asyncio, socket, sys

async def pass_on(reader, writer):
    while data := await reader.read(1 << 16):
        await asyncio.sleep(float(sys.argv[2]))
        writer.write(data)
    writer.close()

async def main():
    ours = await asyncio.open_connection(sock=socket.socket(fileno=0))
    theirs = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.wait([asyncio.ensure_future(pass_on(ours[0], theirs[1])),
                        asyncio.ensure_future(pass_on(theirs[0], ours[1]))], return_when=asyncio.FIRST_COMPLETED)

asyncio.run(main())
"""
# The processes of sshd that serve a host, but for those that run this: hosts of the lab share their processes' numbers.
_SIGNAL_SSHD = r"""
own=" "; p=$$; while [ "$p" -gt 1 ]; do own="$own$p "; set -- $(sed 's/.*) //' "/proc/$p/stat"); p=$2; done
for p in $(pgrep 'sshd'); do
  case $own in *" $p "*) continue ;; esac
  grep -q listener "/proc/$p/cmdline" && continue
  [ "/proc/$p/ns/net" -ef /proc/self/ns/net ] && kill -@number@ "$p"
done
:
"""


class Bed:
    """What a fault is provoked with."""

    def __init__(self, folder: Path, lab: Lab, hosts: Hosts, api: Api, faulty_api: FaultyApi) -> None:
        self.folder = folder
        self.inventory = folder / "inventory.toml"
        self.hosts = hosts
        self.api = api
        self.faulty_api = faulty_api
        described = inventory_file.load(lab.inventory)
        self.namespace = described.cluster.namespace
        self._names = described.roles.hosts

    def snapshot(self) -> snapshot.Snapshot:
        """Give everything that no session may leave changed."""
        return snapshot.take(self.hosts, self._names, self.api, self.namespace)

    @contextlib.contextmanager
    def session(self, folder: Path, *options: str, waits: bool = False) -> Iterator[Session]:
        """Start a session, which is killed at the end if it runs still."""
        started = Session(folder, self.inventory, *options, waits=waits)
        try:
            yield started
        finally:
            started.process.kill()
            started.process.wait()

    def sh(self, host: str, script: str, *, check: bool = True) -> str:
        """Run a script on a host and give what it printed."""
        return self.hosts[host].run(["sh", "-c", script], check=check).stdout

    def until_sh(self, host: str, script: str, timeout_s: float = 30.0) -> None:
        """Run a script on a host until it succeeds; the host may be away at first."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.hosts.try_again()
                self.sh(host, script)
            except TestbedError:
                assert time.monotonic() < deadline, f"{host}: not within {timeout_s} s: {script}"
                time.sleep(0.2)
            else:
                return

    @contextlib.contextmanager
    def changed(self, host: str, script: str, back: str) -> Iterator[None]:
        """Run one script, and the other at the end, whatever happens."""
        self.sh(host, script)
        try:
            yield
        finally:
            self.sh(host, back)

    def signal_sshd(self, host: str, number: signal.Signals) -> None:
        """Send a signal to those that serve the host's SSH connections, except ours."""
        self.sh(host, _SIGNAL_SSHD.replace("@number@", str(int(number))))

    @contextlib.contextmanager
    def door(self, host: str, way: str) -> Iterator[None]:
        """Let new SSH connections go another way: refused, hung or slow."""
        file = self.folder / f"door.{host}"
        file.write_text(way)
        try:
            yield
        finally:
            file.unlink()

    @contextlib.contextmanager
    def hung(self, host: str) -> Iterator[None]:
        """Let a host take what is sent and answer nothing."""
        with self.door(host, "hung"):
            self.signal_sshd(host, signal.SIGSTOP)
            try:
                yield
            finally:
                self.signal_sshd(host, signal.SIGCONT)

    @contextlib.contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """Let the API answer as a server in trouble does, and see that it was asked."""
        asked = self.faulty_api.answers
        self.faulty_api.trouble = kind
        try:
            yield
        finally:
            self.faulty_api.trouble = ""
        assert self.faulty_api.answers > asked, "nobody asked the API meanwhile"

    def pod(self) -> Json:
        """Give one of the pods under load."""
        listed = self.api.list(Target(PODS, self.namespace))["items"]
        return next(pod for pod in listed if not pod["metadata"].get("deletionTimestamp"))

    def replace_pod(self, pod: Json) -> None:
        """Delete a pod that a fault broke, as its owner would: the Deployment makes another."""
        self.api.delete(PODS, pod)

    def in_pod(self, pod: Json, script: str) -> None:
        """Run a script beside a pod's container: `$1` and so on are its processes, in its network namespace."""
        address = pod["status"]["podIP"]
        find = (
            f"set --; for p in $(pgrep -x nginx); do nsenter -t $p -n ip -4 -br address | grep -q ' {address}/' && "
            'set -- "$@" $p; done; [ $# -gt 0 ] || exit 9; '
        )
        self.sh(pod["spec"]["nodeName"], find + script)


@contextlib.contextmanager
def made(folder: Path, lab: Lab, hosts: Hosts) -> Iterator[Bed]:
    """Write an inventory, ssh_config and kubeconfig of our own for the lab, and serve the ways they name."""
    (folder / "door").write_text(_DOOR)
    (folder / "door.py").write_text(_SLOW)
    for name in ("inventory.toml", "known_hosts"):
        (folder / name).write_text((lab.folder / name).read_text())
    config = re.sub(
        r"ProxyCommand nc -U (\S*ssh_(\w+))",
        rf"ProxyCommand sh {folder}/door \2 \1",
        lab.ssh_config.read_text(),
    )
    known = f"UserKnownHostsFile {folder / 'known_hosts'}"
    (folder / "ssh_config").write_text(re.sub(r"UserKnownHostsFile \S+", known, config))
    context = inventory_file.load(lab.inventory).cluster.context
    with (
        faulty(lab.kubeconfig, folder / "kubeconfig") as proxy,
        Api(lab.kubeconfig, context, on_event=print) as api,
    ):
        yield Bed(folder, lab, hosts, api, proxy)
