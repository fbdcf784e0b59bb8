"""All knobs of a host: the question in POSIX sh, and what its answer says. Pure: touches nothing.

One grep prints every file with its name. The shell's own `read` would need no process, but it reads byte by byte, and
files of /proc/sys give their first byte only that way.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_kubelb.tuning import cpuset, ethtool, irqbalance, places
from pytest_kubelb.tuning.answer import sections
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.places import Irq

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.tuning.ethtool import Shown

_GLOBAL_FILES: Final = (
    "/proc/sys/net/core/rps_sock_flow_entries",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/netfilter/nf_conntrack_buckets",
    places.NO_TURBO,
    places.BOOST,
    places.ONLINE,
)
_GOVERNORS: Final = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors"

# Only the first network namespace has this sysctl (net/core/sysctl_net_core.c): what is not in it belongs to no
# namespace, and would be changed for the whole machine.
_FIRST_NAMESPACE: Final = "/proc/sys/net/core/netdev_budget"

# Interrupts of a PCI device, of the PCI device below a virtio one, and by name for what has no MSI. Folders in
# /proc/irq/N are named as the interrupt is in /proc/interrupts.
_IRQ_FUNCTIONS: Final = """\
q=
i() {
  for a in /proc/irq/"$1"/*/; do a=${a%/}; [ ! -d "$a" ] || echo "$1 ${a##*/}"; done
  q="$q /proc/irq/$1/[se]*_affinity_list"
}
irqs() {
  echo "@@irq $1"
  d=$(cd -P "/sys/class/net/$1/device" 2>/dev/null && pwd) || d=/nowhere
  for f in "$d"/msi_irqs/* "$d"/../msi_irqs/*; do [ ! -e "$f" ] || i "${f##*/}"; done
  for f in /proc/irq/*/"$1" /proc/irq/*/"$1"-* /proc/irq/*/"${d##*/}" /proc/irq/*/"${d##*/}"-*; do
    [ -d "$f" ] || continue
    f=${f%/*}; f=${f##*/}
    case "$q " in *"/irq/$f/"*) ;; *) i "$f" ;; esac
  done
}"""


@dataclass(frozen=True)
class Subjects:
    """What to ask a host for, beyond what every host is asked."""

    nics: tuple[str, ...] = ()
    sysctls: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    """Of ethtool: channels, rings, coalesce; each costs a process."""

    def __or__(self, other: Subjects) -> Subjects:
        """Give what either asks for."""
        return Subjects(
            *(tuple(dict.fromkeys((*a, *b))) for a, b in zip(self._all(), other._all(), strict=True))
        )

    def _all(self) -> tuple[tuple[str, ...], ...]:
        return (self.nics, self.sysctls, self.families)


@dataclass(frozen=True)
class Reading:
    """The knobs of one host at one moment."""

    settings: Mapping[str, str]
    """Name -> value; what the host has not is not there."""
    online: frozenset[int]
    """CPUs."""
    first_namespace: bool
    """The host is a whole machine, and not a network namespace of one."""
    irqs: tuple[Irq, ...] = ()
    effective: Mapping[str, str] = field(default_factory=dict)
    """Name of an interrupt's setting -> the CPUs it is delivered to, a part of those it may be."""
    governors: tuple[str, ...] = ()
    """Those the kernel offers."""
    irqbalance: Irqbalance = field(default_factory=Irqbalance)
    shown: Mapping[tuple[str, str], Shown] = field(default_factory=dict)
    """(family of ethtool, NIC) -> what it showed."""
    read_only: frozenset[str] = frozenset()
    """Files that even root may not write here."""
    no_turbo: bool = False
    """Turbo is kept in intel_pstate's file."""

    def file_of(self, setting: str) -> str | None:
        """Give the file that a setting is written to; None for what is not kept in a file."""
        return places.file_of(setting, no_turbo=self.no_turbo)

    def queues(self, nic: str, family: str) -> tuple[str, ...]:
        """Give the NIC's queues that have a file of that family, rx-2 before rx-10."""
        prefix = f"{family} {nic} "
        names = (name.removeprefix(prefix) for name in self.settings if name.startswith(prefix))
        return tuple(sorted(names, key=places.natural))


def question(subjects: Subjects) -> list[str]:
    """Give the script lines that ask for everything a host has of `subjects`."""
    files = [*_GLOBAL_FILES, *map(places.sysctl_file, subjects.sysctls)]
    quoted = [shlex.quote(file) for file in files]
    globs = [f"/sys/class/net/{shlex.quote(nic)}/queues/*/?ps_*" for nic in subjects.nics]
    globs += ["/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", _GOVERNORS]
    lines = [
        _IRQ_FUNCTIONS,
        *(f"irqs {shlex.quote(nic)}" for nic in subjects.nics),
        'echo "@@files"',
        f"grep -s '' /dev/null {' '.join((*quoted, *globs))} $q || :",
        'echo "@@read_only"',
        f'[ -n "$s" ] || for f in {" ".join(quoted)}; do [ ! -e "$f" ] || [ -w "$f" ] || echo "$f"; done',
        f"if [ -e {_FIRST_NAMESPACE} ]; then",
        'echo "@@first_namespace"',
        irqbalance.QUESTION,
        "fi",
    ]
    for nic in subjects.nics:
        for family in subjects.families:
            lines.append(f"echo {shlex.quote(f'@@{family} {nic}')}")
            lines.append(f"ethtool {ethtool.SHOW[family]} {shlex.quote(nic)} 2>&1 || :")
    return lines


def parse(text: str, subjects: Subjects) -> Reading:
    """Read what the lines of `question(subjects)` printed. Raises ValueError when a file cannot be understood."""
    answer = sections(text)
    files = dict(line.split(":", 1) for line in answer.get("files", []) if ":" in line)
    # A file with several lines, or a path with a colon, is none of ours.
    settings = dict(filter(None, (places.setting_of(path, content) for path, content in files.items())))
    for name in subjects.sysctls:
        if (content := files.get(places.sysctl_file(name))) is not None:
            settings[f"sysctl {name}"] = " ".join(content.split())
    irqs, effective = _irqs(answer, files, settings)
    shown = {
        (family, nic): ethtool.parse("\n".join(answer.get(f"{family} {nic}", [])))
        for nic in subjects.nics
        for family in subjects.families
    }
    for (family, nic), each in shown.items():
        settings.update({f"{family} {nic} {word}": value for word, value in each.values.items()})
    first = "first_namespace" in answer
    daemon = irqbalance.parse(answer.get("irqbalance", []), answer.get("irqbalance_there", []))
    if first:
        settings[places.IRQBALANCE] = daemon.state
    return Reading(
        settings=settings,
        online=cpuset.from_list(files.get(places.ONLINE, "")),
        first_namespace=first,
        irqs=irqs,
        effective=effective,
        governors=tuple(files.get(_GOVERNORS, "").split()),
        irqbalance=daemon,
        shown=shown,
        read_only=frozenset(answer.get("read_only", [])),
        no_turbo=places.NO_TURBO in files,
    )


def _irqs(
    answer: Mapping[str, list[str]], files: Mapping[str, str], settings: dict[str, str]
) -> tuple[tuple[Irq, ...], dict[str, str]]:
    """Give the interrupts and where they are delivered; put their affinities into `settings`."""
    irqs: list[Irq] = []
    effective: dict[str, str] = {}
    for section, lines in answer.items():
        family, _, nic = section.partition(" ")
        if family != "irq":
            continue
        for line in lines:
            number, _, action = line.partition(" ")
            irq = Irq(int(number), action, nic)
            folder = f"/proc/irq/{number}"
            if (allowed := files.get(f"{folder}/smp_affinity_list")) is not None:
                irqs.append(irq)
                settings[irq.setting] = cpuset.listed(cpuset.from_list(allowed))
            if (at := files.get(f"{folder}/effective_affinity_list")) is not None:
                effective[irq.setting] = cpuset.listed(cpuset.from_list(at))
    return tuple(irqs), effective
