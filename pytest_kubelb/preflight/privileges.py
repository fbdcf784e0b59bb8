"""The commands that a session runs as root on each host, as they are run. Pure: touches nothing.

A sudoers file may allow exactly these, arguments included, so each is asked for by its whole command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.backends.ipvs_host import IpvsHost, sysctls_for
from pytest_kubelb.testbed import journal, locking
from pytest_kubelb.tuning.places import sysctl_file

if TYPE_CHECKING:
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.inventory import IpvsSpec, ProxySpec
    from pytest_kubelb.tuning.knobs import Knobs

Argv = tuple[str, ...]


def commands(wanted: Wanted, host: str) -> list[Argv]:
    """Give the command lines that need root on `host`, each once."""
    roles = wanted.inventory.roles
    found = _folder(locking.ROOT) if host in wanted.used else []
    if host == roles.load_balancer and wanted.ipvs is not None and not wanted.ipvs.external:
        found += ipvs_commands(wanted.ipvs)
    if host == roles.load_balancer and "load_balancer" in wanted.inventory.evidence:
        found.append(("iptables-save", "-c", "-t", "nat"))
        if wanted.ipvs is not None:
            found.append(("ipvsadm", "-Ln", "--stats", "--exact"))
    if host == roles.benchmarker and wanted.proxy is not None:
        found += proxy_commands(wanted.proxy)
    for knobs in wanted.knobs(host):
        found += tuning_commands(knobs)
    return list(dict.fromkeys(found))


def ipvs_commands(spec: IpvsSpec) -> list[Argv]:
    """Give what the backend ipvs runs as root on the load balancer."""
    what = IpvsHost(spec.vip, spec.port)
    # Set in one command, those of them that differ: asked for with all of them.
    sysctls = [f"{name}={value}" for name, value in sysctls_for((6, 0)).items()]
    return [
        *_folder(journal.ROOT),
        ("ipvsadm", "--save", "-n"),
        ("ipvsadm", "--restore"),
        ("sysctl", "-q", "-w", *sysctls),
        *(("ip", "address", verb, f"{spec.vip}/32", "dev", "lo") for verb in ("add", "del")),
        *(what.rule(verb) for verb in ("-C", "-A", "-D")),
    ]


def proxy_commands(spec: ProxySpec) -> list[Argv]:
    """Give what the backend proxy runs as root on the benchmarker; a route to an address not chosen yet is left out."""
    if spec.cluster_ip is None:
        return _folder(journal.ROOT)
    target = f"{spec.cluster_ip}/32"
    return [
        *_folder(journal.ROOT),
        ("ip", "-4", "route", "replace", target, "via", spec.via),
        ("ip", "-4", "route", "flush", "exact", target),
    ]


def tuning_commands(knobs: Knobs) -> list[Argv]:
    """Give what a profile runs as root: for knobs of a NIC one file or command of each kind stands for all."""
    files = [sysctl_file(name) for name in knobs.sysctls]
    if knobs.conntrack_max is not None:
        files.append("/proc/sys/net/netfilter/nf_conntrack_max")
    if knobs.conntrack_hashsize is not None:
        files.append("/proc/sys/net/netfilter/nf_conntrack_buckets")
    if knobs.rfs is not None:
        files.append("/proc/sys/net/core/rps_sock_flow_entries")
    if knobs.governor is not None:
        files.append("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if knobs.rss is not None:
        files.append("/proc/irq/1/smp_affinity_list")
    if knobs.nic is not None:
        queues = f"/sys/class/net/{knobs.nic}/queues"
        files += [f"{queues}/rx-0/rps_cpus"] if knobs.rps else []
        files += [f"{queues}/rx-0/rps_flow_cnt"] if knobs.rfs else []
        files += [f"{queues}/tx-0/xps_cpus"] if knobs.xps else []
    return [*_folder(journal.ROOT), *(("tee", file) for file in files)]


def _folder(path: str) -> list[Argv]:
    return [("mkdir", "-p", "-m", "1777", path), ("rmdir", path)]
