"""The faults of hosts: wrk, SSH, the load balancer. Each is provoked on the lab that stands, and put right again."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.bed import LINK_UP, NOTE_ROUTES, C, L
from tests.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.bed import Bed

WORKER = "k05"
CUT_S = 30
"""Longer than a session takes to notice that the load balancer is cut off, and to give up putting it back."""

SIZED_AT_BOOT = r"net\.ipv4\.(inet_peer_threshold|tcp_ehash|tcp_max_(orphans|tw)|(tcp|udp)_[rw]?mem)"
"""What a kernel sizes by the memory that it finds, which is not quite the same each time."""


@contextmanager
def wrk_that(bed: Bed, does: str) -> Iterator[None]:
    """Let wrk do something else once, and be itself again then."""
    place = "/usr/local/sbin"
    lines = ["#!/bin/sh", f"if rm {place}/once 2>/dev/null; then {does}; fi", 'exec /usr/bin/wrk "$@"']
    script = "; ".join(f"echo '{line}'" for line in lines)
    made = f"mount -t tmpfs tmpfs {place}; {{ {script}; }} >{place}/wrk; chmod 755 {place}/wrk; >{place}/once"
    with bed.changed(C, made, f"umount -l {place}"):
        yield


@contextmanager
def no_wrk(bed: Bed) -> Iterator[None]:
    made = (
        "mkdir /tmp/upper /tmp/work && mount -t overlay overlay"
        " -o lowerdir=/usr/bin,upperdir=/tmp/upper,workdir=/tmp/work /usr/bin && rm /usr/bin/wrk"
    )
    with bed.changed(C, made, "umount -l /usr/bin; rm -r /tmp/upper /tmp/work"):
        yield


@contextmanager
def dropped(bed: Bed, host: str, way: str = "") -> Iterator[None]:
    """End the SSH connections of a host, and let new ones go this way."""
    with bed.door(host, way):
        bed.signal_sshd(host, signal.SIGKILL)
        yield


@contextmanager
def other_host_key(bed: Bed) -> Iterator[None]:
    known = bed.folder / "known_hosts"
    before = known.read_text()
    # The worker is known by the key of its neighbour, as if it had been installed anew.
    keys = {line.split()[0].split(",")[0]: line.split() for line in before.splitlines()}
    keys[WORKER][1:] = keys["k06"][1:]
    known.write_text("\n".join(" ".join(words) for words in keys.values()) + "\n")
    try:
        with dropped(bed, WORKER):
            yield
    finally:
        known.write_text(before)


@contextmanager
def full_disk(bed: Bed) -> Iterator[None]:
    full = (
        "mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp; dd if=/dev/zero of=/tmp/full bs=1k 2>/dev/null; :"
    )
    with bed.changed(C, full, "umount -l /tmp"):
        yield


@contextmanager
def filled_disk(bed: Bed) -> Iterator[None]:
    """Fill the disks that sessions write to, on both hosts that they write to, in the midst of one."""
    fill = "cd /{}; mount -o remount,size=1m $PWD; dd if=/dev/zero of=full bs=64k 2>/dev/null; :"
    free = "cd /{}; rm full; mount -o remount,size=50% $PWD"
    with (
        bed.changed(C, fill.format("tmp"), free.format("tmp")),
        bed.changed(L, fill.format("run"), free.format("run")),
    ):
        yield


@contextmanager
def route_gone(bed: Bed) -> Iterator[None]:
    """Take the load balancer's route to a pod away."""
    address = bed.pod()["status"]["podIP"].rpartition(".")[0]
    route = bed.sh(L, f"ip -4 route show {address}.0/24").strip()
    with bed.changed(L, f"ip route del {address}.0/24", f"ip route replace {route}"):
        yield


@contextmanager
def link_down(bed: Bed) -> Iterator[None]:
    """Cut the load balancer off for a while: what is sent to it is lost, and nothing comes back."""
    later = f"sleep 0.5; ip link set eth0 down; sleep {CUT_S}; {LINK_UP}"
    bed.sh(L, f"{NOTE_ROUTES}; ( {later} ) >/dev/null 2>&1 </dev/null &")
    began = time.monotonic()
    yield
    time.sleep(max(0.0, began + CUT_S + 2 - time.monotonic()))


@contextmanager
def rebooted(bed: Bed) -> Iterator[None]:
    """Start the load balancer's kernel again in the midst of a run, and wait until it and kube-proxy are up."""
    bed.sh(L, "( sleep 0.5; reboot -f ) >/dev/null 2>&1 </dev/null &")
    try:
        yield
    finally:
        bed.until_sh(L, "[ $(cut -d. -f1 /proc/uptime) -lt 60 ] && iptables-save | grep -q KUBE-SERVICES")


@contextmanager
def clock_set(bed: Bed) -> Iterator[None]:
    with bed.changed(L, "date -s '+1 hour'", "date -s '-1 hour'"):
        yield


FAULTS = (
    Fault("wrk missing", no_wrk, "wrk ended with exit code 127", "healed"),
    Fault("wrk crashing", lambda bed: wrk_that(bed, "kill -SEGV $$"), "signal 11", "healed"),
    Fault(
        "wrk hanging",
        lambda bed: wrk_that(bed, "exec sleep 300"),
        "had not ended 30 s after its time",
        "healed",
    ),
    Fault(
        "wrk printing rubbish",
        lambda bed: wrk_that(bed, "head -c 4096 /dev/urandom; exit 0"),
        "wrk printed no line",
        "healed",
    ),
    Fault(
        "SSH of a worker dropped",
        lambda bed: dropped(bed, WORKER),
        '"reconnected"',
        "healed",
        loses=False,
        event="reconnected",
    ),
    Fault(
        "SSH of the benchmarker dropped",
        lambda bed: dropped(bed, C),
        "SSH connection was lost",
        "stopped",
        waits=False,
    ),
    Fault("SSH refused", lambda bed: dropped(bed, WORKER, "refused"), "Connection refused", "stopped"),
    Fault(
        "SSH slow", lambda bed: bed.door(C, "slow"), "converged", "healed", loses=False, event="", early=True
    ),
    Fault("SSH host hung", lambda bed: bed.hung(C), "host k12: ", "stopped", restore=True),
    Fault("host key changed", other_host_key, "offers the host key", "stopped"),
    Fault("disk full on the host", full_disk, "cannot be written", "stopped", loses=False, early=True),
    Fault(
        "disk full on the hosts, in a run",
        filled_disk,
        '"converged".*"pods": 3',
        "healed",
        loses=False,
        event="",
    ),
    Fault("load balancer cut off", link_down, "host k11: ", "stopped", restore=True),
    Fault(
        "load balancer rebooted",
        rebooted,
        "was started again",
        "stopped",
        may_differ=SIZED_AT_BOOT,
        # So long that it is rebooted, and up again, in the midst of one, however slow the machine is.
        options=("--kubelb-duration=10s",),
    ),
    Fault(
        "load balancer's table flushed",
        lambda bed: bed.changed(L, "ipvsadm -C", ":"),
        "host k11: the IPVS service",
        "stopped",
    ),
    Fault(
        "load balancer's route gone",
        route_gone,
        "route_changed: the route of k11 to ",
        "healed",
    ),
    Fault("load balancer's clock set", clock_set, "clock_step", "healed", loses=False, event=""),
)
