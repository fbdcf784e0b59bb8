"""The commands that a session runs as root on each host, as they are run. Pure: touches nothing.

A sudoers file may allow exactly these, arguments included, so each is asked for by its whole command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.ipvs_host import IpvsHost, sysctls_for
from pytest_kubelb.testbed import journal, locking
from pytest_kubelb.tuning import ethtool, irqbalance
from pytest_kubelb.tuning.places import BOOST, NO_TURBO, sysctl_file

if TYPE_CHECKING:
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.inventory import IpvsSpec, ProxySpec
    from pytest_kubelb.tuning.knobs import Knobs

Argv = tuple[str, ...]

_SYSTEMD_HAS_IT: Final = (
    "{ u=; [ -d /run/systemd/system ] && for u in /etc /run /usr/lib /lib; do"
    f' [ ! -f $u/systemd/system/{irqbalance.UNIT} ] || break; u=; done; [ "$u" ]; }}'
)
_SERVICE: Final = tuple(("systemctl", verb, irqbalance.UNIT) for verb in ("stop", "start"))
_BARE: Final = (("pkill", "-x", "irqbalance"), ("irqbalance",))
_CONDITIONS: Final[dict[Argv, str]] = {
    **dict.fromkeys(_SERVICE, _SYSTEMD_HAS_IT),
    **dict.fromkeys(_BARE, f"! {_SYSTEMD_HAS_IT} && ( PATH=$x; command -v irqbalance >/dev/null )"),
    ("tee", NO_TURBO): f"[ -e {NO_TURBO} ]",
    ("tee", BOOST): f"[ ! -e {NO_TURBO} ] && [ -e {BOOST} ]",
}


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


def condition(argv: Argv) -> str:
    """Give the shell condition under which a host runs a command at all; empty for always. `x` is its PATH for root."""
    return _CONDITIONS.get(argv, "")


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
    """Give what a profile runs as root: for knobs of a NIC one file or command of each kind stands for all.

    A profile that leaves it to the session to find the NIC has none of these. Where a host has one of several ways, as
    to stop irqbalance, all are given, and `condition` tells which.
    """
    found = [*_folder(journal.ROOT), *(("tee", file) for file in _tuning_files(knobs))]
    if knobs.irqbalance is not None:
        found += [*_SERVICE, *_BARE]
    if knobs.nic is not None:
        for family, option in ethtool.SET.items():
            words = [str(each) for pair in getattr(knobs, family).items() for each in pair]
            found += [("ethtool", option, knobs.nic, *words)] if words else []
    return found


def _tuning_files(knobs: Knobs) -> list[str]:
    files = [sysctl_file(name) for name in knobs.sysctls]
    if knobs.conntrack_max is not None:
        files.append("/proc/sys/net/netfilter/nf_conntrack_max")
    if knobs.conntrack_hashsize is not None:
        files.append("/proc/sys/net/netfilter/nf_conntrack_buckets")
    if knobs.rfs is not None:
        files.append("/proc/sys/net/core/rps_sock_flow_entries")
    if knobs.governor is not None:
        files.append("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if knobs.turbo is not None:
        files += [NO_TURBO, BOOST]
    if knobs.rss is not None:
        files.append("/proc/irq/1/smp_affinity_list")
    if knobs.nic is not None:
        queues = f"/sys/class/net/{knobs.nic}/queues"
        files += [f"{queues}/rx-0/rps_cpus"] if knobs.rps else []
        files += [f"{queues}/rx-0/rps_flow_cnt"] if knobs.rfs else []
        files += [f"{queues}/tx-0/xps_cpus"] if knobs.xps else []
    return files


def _folder(path: str) -> list[Argv]:
    return [("mkdir", "-p", "-m", "1777", path), ("rmdir", path)]
