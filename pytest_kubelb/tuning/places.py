"""Names of settings, and the files of a host where they are kept. Pure: touches nothing.

A setting is a name and a value, both text: `rps_cpus eth0 rx-0` -> `1-7`. The names are the same in what tuning reads
back, in the evidence and in reports. CPU sets are in the list form, whatever form the kernel's file has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pytest_kubelb.tuning import cpuset

SOCK_FLOWS: Final = "rps_sock_flow_entries"
CONNTRACK_MAX: Final = "conntrack_max"
CONNTRACK_HASHSIZE: Final = "conntrack_hashsize"
IRQBALANCE: Final = "irqbalance"
TURBO: Final = "turbo"

NO_TURBO: Final = "/sys/devices/system/cpu/intel_pstate/no_turbo"
BOOST: Final = "/sys/devices/system/cpu/cpufreq/boost"
ONLINE: Final = "/sys/devices/system/cpu/online"

_FILES: Final = {
    SOCK_FLOWS: "/proc/sys/net/core/rps_sock_flow_entries",
    CONNTRACK_MAX: "/proc/sys/net/netfilter/nf_conntrack_max",
    CONNTRACK_HASHSIZE: "/proc/sys/net/netfilter/nf_conntrack_buckets",
}
_NAMES: Final = {file: name for name, file in _FILES.items()}
_QUEUE_FILE = re.compile(r"/sys/class/net/([^/]+)/queues/([rt]x-[0-9]+)/(rps_cpus|rps_flow_cnt|xps_cpus)")
_GOVERNOR_FILE = re.compile(r"/sys/devices/system/cpu/(cpu[0-9]+)/cpufreq/scaling_governor")
_IN_MASKS: Final = ("rps_cpus", "xps_cpus")

SYSCTL_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_@-]+)+", re.ASCII)
SYSCTL_VALUE: Final = re.compile(r"[!-~]+(?:[ \t][!-~]+)*")
NIC: Final = re.compile(r"(?!\.{1,2}(?:\s|\Z))[^\s/:'\"\\]{1,15}")
_LISTED = r"none|[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*"
_SETTINGS: Final = tuple(
    (re.compile(name, re.ASCII), re.compile(value, re.ASCII))
    for name, value in (
        (rf"irq {NIC.pattern} [^\n]{{1,64}}", _LISTED),
        (rf"rps_cpus {NIC.pattern} rx-[0-9]+", _LISTED),
        (rf"xps_cpus {NIC.pattern} tx-[0-9]+", _LISTED),
        (rf"rps_flow_cnt {NIC.pattern} rx-[0-9]+", "[0-9]+"),
        (rf"(?:{SOCK_FLOWS}|{CONNTRACK_MAX}|{CONNTRACK_HASHSIZE})", "[0-9]+"),
        (rf"(?:channels|rings|coalesce) {NIC.pattern} [a-z][a-z-]*", "[0-9]+|on|off"),
        (IRQBALANCE, "running|stopped|absent"),
        ("governor cpu[0-9]+", "[a-z_]{1,15}"),
        (TURBO, "on|off"),
        (rf"sysctl {SYSCTL_NAME.pattern}", SYSCTL_VALUE.pattern),
    )
)


@dataclass(frozen=True)
class Irq:
    """One interrupt of a NIC."""

    number: int
    action: str
    """What /proc/interrupts calls it: `eth0-rx-1`, `virtio0-input.0`."""
    nic: str

    @property
    def setting(self) -> str:
        """The name of its affinity."""
        return f"irq {self.number} {self.action}"


def sysctl_file(name: str) -> str:
    """Give the file of a sysctl; as in sysctl(8), the first separator decides which one parts the folders."""
    first = next(sign for sign in name if sign in "./")
    path = name.replace(".", "/") if first == "." else name
    if first == "." and "/" in name:  # net.ipv4.conf.eth0/100.rp_filter: the VLAN's dot is a slash here
        path = name.translate(str.maketrans("./", "/."))
    return f"/proc/sys/{path}"


def file_of(setting: str, *, no_turbo: bool = False) -> str | None:
    """Give the file that a setting is written to; None for what is not kept in a file. `no_turbo`: intel_pstate's."""
    family, *rest = setting.split(" ")
    match family, rest:
        case "irq", [number, *_]:
            return f"/proc/irq/{number}/smp_affinity_list"
        case (("rps_cpus" | "rps_flow_cnt" | "xps_cpus"), [nic, queue]):
            return f"/sys/class/net/{nic}/queues/{queue}/{family}"
        case "governor", [cpu]:
            return f"/sys/devices/system/cpu/{cpu}/cpufreq/scaling_governor"
        case "sysctl", [name]:
            return sysctl_file(name)
        case "turbo", []:
            return NO_TURBO if no_turbo else BOOST
    return _FILES.get(setting)


def written(setting: str, value: str, *, no_turbo: bool = False) -> str:
    """Give what is written to the setting's file for `value`."""
    family = setting.partition(" ")[0]
    if family in _IN_MASKS:
        return cpuset.mask(cpuset.from_list("" if value == "none" else value))
    if family == TURBO:
        return "1" if (value == "on") is not no_turbo else "0"
    return value


def setting_of(path: str, content: str) -> tuple[str, str] | None:
    """Give the setting that a file holds, name and value; None for other files. Interrupts and sysctls are not here.

    Raises ValueError when a set of CPUs cannot be read.
    """
    if path in _NAMES:
        return _NAMES[path], content
    if queue := _QUEUE_FILE.fullmatch(path):
        nic, name, family = queue.groups()
        value = cpuset.listed(cpuset.from_mask(content)) if family in _IN_MASKS else content
        return f"{family} {nic} {name}", value
    if governor := _GOVERNOR_FILE.fullmatch(path):
        return f"governor {governor[1]}", content
    if path == NO_TURBO:
        return TURBO, "off" if content == "1" else "on"
    if path == BOOST:
        return TURBO, "on" if content == "1" else "off"
    return None


def is_taken(setting: str, wanted: str, took: str) -> bool:
    """Tell whether the kernel took a value: as it is, or rounded up where it rounds.

    Flow tables have powers of two (rps_sock_flow_sysctl, store_rps_dev_flow_table_cnt), and the table of connections
    whole pages of 8-byte buckets (nf_ct_alloc_hashtable; pages have 4 to 64 KiB).
    """
    if wanted == took:
        return True
    if setting == IRQBALANCE:
        return (wanted, took) == ("stopped", "absent")  # it ran from a place where nobody would look for it
    family = setting.partition(" ")[0]
    if family not in (SOCK_FLOWS, "rps_flow_cnt", CONNTRACK_HASHSIZE) or not (
        wanted.isdecimal() and took.isdecimal() and len(wanted) + len(took) < 40
    ):
        return False
    least, size = int(wanted), int(took)
    if family == CONNTRACK_HASHSIZE:
        return least <= size < least + 8192
    return least > 0 and size == 1 << (least - 1).bit_length()


def is_setting(name: str, value: str) -> bool:
    """Tell whether a name and a value can be a setting, with interrupts named by NIC: `irq eth0 eth0-rx-1`.

    For data that comes from a file: nothing else than a knob may become a path to write to.
    """
    return any(
        each.fullmatch(name) and content.fullmatch(value) for each, content in _SETTINGS
    ) and not name.endswith((" .", " .."))


def natural(text: str) -> tuple[tuple[str, int], ...]:
    """Sort key that puts rx-2 before rx-10."""
    return tuple((word, int(number or 0)) for word, number in re.findall(r"([^0-9]*)([0-9]{0,18})", text))
