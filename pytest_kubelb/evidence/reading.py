"""One reading of one host: what it printed, as absolute counters, levels and settings. Pure: text in, values out.

What cannot be read is named in `missing`, with the reason; no text is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_kubelb.evidence import forwarding_tables, kernel_files
from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.tuning import places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pytest_kubelb.testbed.shell import Answer

    Parts = Mapping[str, Sequence[str]]

_T = TypeVar("_T")
_MARK: Final = "%% "
_DECIMAL: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_EXPIRES: Final = re.compile(r" expires [0-9]+sec| cache$")
_SYSCTLS: Final = "/proc/sys/"
_CPUS: Final = "/sys/devices/system/cpu/cpu"
_NEVER_STILL: Final = ("/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/fs/file-nr")
"""Files among the sysctls that hold no setting and say something else each time."""
_POD_ENDS: Final = ("veth", "cali", "lxc", "eni", "azv", "gke")
"""How network plugins call the node's end of a pod's link: it comes and goes with the pod."""
_MISSING: Final = {"ipvs": "ipvs:", "kube_proxy": "proxy:"}
"""How the reason begins why a table's counters are missing."""
_WANTED: Final = {
    "/proc/stat": "CPU times: /proc/stat is not there",
    "/proc/softirqs": "softirqs: /proc/softirqs is not there",
    "/proc/interrupts": "interrupts: /proc/interrupts is not there",
    "/proc/net/dev": "NICs: /proc/net/dev is not there",
    "/proc/net/softnet_stat": "softnet: /proc/net/softnet_stat is not there",
    "/proc/net/snmp": "protocols: /proc/net/snmp is not there",
    "/proc/net/sockstat": "sockets: /proc/net/sockstat is not there",
    "/proc/sys/net/netfilter/nf_conntrack_count": "conntrack: not loaded, or not shown in this network namespace",
    "/proc/pressure/cpu": "pressure: the kernel has no PSI, or it is off (psi=1)",
    f"{_CPUS}0/cpufreq/scaling_cur_freq": "cpu_mhz: the kernel does not scale frequencies here",
    f"{_CPUS}0/thermal_throttle/core_throttle_count": "throttle: the CPU does not count it here",
}


@dataclass(frozen=True)
class Reading:
    """One host at one moment. Counters are absolute, since its boot."""

    host: str
    asked_s: float
    """Our clock (Unix time) half-way between the question and the beginning of the answer."""
    elapsed_s: float
    """What the question took, seen from here."""
    uptime_s: float = 0.0
    """The host's monotonic clock when the answer began; to 0.01 s."""
    boot_s: float | None = None
    """The host's wall clock minus its monotonic one: Unix time of the boot. To 0.01 s where the wall clock was asked
    for or is known from before, else to a second; None when the host does not say."""
    btime_s: int | None = None
    """The same as the kernel rounds it down: it moves when the wall clock is set."""
    boot_id: str = ""
    cpu_ticks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    interrupts: tuple[tuple[int, ...], Mapping[str, str]] = ((), {})
    """CPUs, and the rows of /proc/interrupts: `82` -> the rest of its line."""
    softirqs: tuple[tuple[int, ...], Mapping[str, str]] = ((), {})
    """CPUs, and the rows of /proc/softirqs."""
    nics: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """NIC -> `kernel_files.NIC_COLUMNS`; without the pods' ends."""
    counters: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)
    pressure_us: Mapping[str, int] = field(default_factory=dict)
    ipvs: forwarding_tables.Forwarded = field(default_factory=forwarding_tables.Forwarded)
    ipvs_open: forwarding_tables.Opened = field(default_factory=forwarding_tables.Opened)
    """As of now, where the counters are up to two seconds late."""
    proxy: forwarding_tables.Forwarded = field(default_factory=forwarding_tables.Forwarded)
    route: str = ""
    ways: Mapping[str, str] = field(default_factory=dict)
    """The main routing table: `172.16.61.0/24` -> `via 172.16.61.0 dev flannel.1`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """`rps_cpus eth0 rx-0` -> `1-7`: the names of `tuning.places`, and `irqbalance`."""
    missing: tuple[str, ...] = ()

    @property
    def opened_past_ipvs(self) -> tuple[int, int, int]:
        """What cannot stand still while a connection goes through kube-proxy's rules on this host.

        Packets that were forwarded and are not ipvs's own (the replies of its pods, which it counts as well, packet by
        packet), connections that the host opened itself, and datagrams that it sent.
        """
        count = self.counters.get
        forwarded = count("Ip.ForwDatagrams", 0) - count("ipvs.out_packets", 0)
        return forwarded, count("Tcp.ActiveOpens", 0), count("Udp.OutDatagrams", 0)


def parse(
    host: str,
    answer: Answer,
    *,
    load_balancer: bool = False,
    sysctls: Sequence[str] = (),
    unasked: Collection[str] = (),
    before: Reading | None = None,
) -> Reading:
    """Read what `question.ask_line` made the host print. Raises nothing, whatever the text is.

    `load_balancer` and `sysctls` as they were asked for; what is `unasked` of a load balancer's `question.TABLES` is as
    it was in `before`.
    """
    parser = _Parser(_parts(answer.text), load_balancer=load_balancer)
    parser.sysctls(sysctls)
    found = parser.reading(host, answer)
    return found if before is None else _with_tables(found, unasked, before)


def with_tables(found: Reading, tables: Collection[str], answer: Answer) -> Reading:
    """Give a reading with some of `question.TABLES` as `question.tables_line` made the host print them."""
    return _with_tables(found, tables, _Parser(_parts(answer.text), load_balancer=True).tables(found))


def _with_tables(found: Reading, tables: Collection[str], other: Reading) -> Reading:
    """Give a reading with these tables of another one, and why they are missing there."""
    for table in tables:
        prefix = _MISSING[table]
        missing = (
            *(reason for reason in found.missing if not reason.startswith(prefix)),
            *(reason for reason in other.missing if reason.startswith(prefix)),
        )
        if table == "ipvs":
            found = replace(found, ipvs=other.ipvs, missing=missing)
        else:
            found = replace(found, proxy=other.proxy, missing=missing)
    return found


def _parts(text: str) -> dict[str, list[str]]:
    """Split by the marks; what a mark's own line says comes first. Files are parts by their path."""
    parts: dict[str, list[str]] = {}
    lines = parts.setdefault("", [])
    for line in text.split("\n"):
        if line.startswith("/"):
            path, colon, content = line.partition(":")
            if colon:
                known = parts.get(path)
                if known is None:
                    parts[path] = [content]
                else:
                    known.append(content)
        elif line.startswith(_MARK):
            name, _, rest = line[len(_MARK) :].partition(" ")
            lines = parts.setdefault(name, [])
            if rest:
                lines.append(rest)
        elif line:
            lines.append(line)
    return parts


class _Parser:
    """The parts of one answer, and what was missing among them."""

    def __init__(self, parts: Parts, *, load_balancer: bool) -> None:
        self._parts = parts
        self._load_balancer = load_balancer
        self._missing = [reason for path, reason in _WANTED.items() if path not in parts]
        self._counters: dict[str, int] = {}
        self._levels: dict[str, float] = {}
        self._settings: dict[str, str] = {}

    def tables(self, found: Reading) -> Reading:
        """Give only the tables of a load balancer, of the host of `found`."""
        ipvs, proxy = self._ipvs(), self._kube_proxy()
        return Reading(
            found.host, found.asked_s, found.elapsed_s, ipvs=ipvs, proxy=proxy, missing=tuple(self._missing)
        )

    def reading(self, host: str, answer: Answer) -> Reading:
        uptime_s = self._read("now", _seconds) or 0.0
        clock_boot_s = self._read("clock", _boot)
        counters, btime_s = self._read("/proc/stat", kernel_files.stat_counters) or ({}, None)
        self._counters.update(counters)
        interrupts = self._read("/proc/interrupts", kernel_files.per_cpu_table) or ((), {})
        self._count()
        self._measure()
        self._set(interrupts)
        ipvs, ipvs_open = self._ipvs(), self._ipvs_open()
        proxy = self._kube_proxy()
        nics = self._read("/proc/net/dev", kernel_files.nics) or {}
        return Reading(
            host=host,
            asked_s=(answer.asked_s + answer.begun_s) / 2,
            elapsed_s=answer.elapsed_s,
            uptime_s=uptime_s,
            boot_s=clock_boot_s or (btime_s and btime_s + 0.5),
            btime_s=btime_s,
            boot_id="".join(self._parts.get("/proc/sys/kernel/random/boot_id", ())),
            cpu_ticks=self._read("/proc/stat", kernel_files.cpu_ticks) or {},
            interrupts=interrupts,
            softirqs=self._read("/proc/softirqs", kernel_files.per_cpu_table) or ((), {}),
            nics={name: values for name, values in nics.items() if not name.startswith(_POD_ENDS)},
            counters=self._counters,
            levels=self._levels,
            pressure_us=self._pressure(),
            ipvs=ipvs,
            ipvs_open=ipvs_open,
            proxy=proxy,
            route=self._route(),
            ways=self._read("/proc/net/route", kernel_files.routes) or {},
            settings=self._settings,
            missing=tuple(dict.fromkeys(self._missing)),
        )

    def _kube_proxy(self) -> forwarding_tables.Forwarded:
        """Give what its rules counted."""
        if "iptables" in self._parts:
            try:
                return forwarding_tables.kube_proxy(self._parts["iptables"])
            except ValueError:
                said = excerpt(next(iter(self._parts["iptables"]), ""))
                self._missing.append(f"proxy: its rules are not understood ({said})")
        elif "nftables" in self._parts:
            self._missing.append("proxy: kube-proxy in nftables mode counts nothing")
        elif self._load_balancer:
            self._missing.append(
                "proxy: no chain KUBE-SERVICES in any kind of iptables, or no right to read it"
            )
        return forwarding_tables.Forwarded()

    def _count(self) -> None:
        for part, parser in (
            ("/proc/net/softnet_stat", kernel_files.softnet),
            ("/proc/net/snmp", kernel_files.protocols),
            ("/proc/net/netstat", kernel_files.protocols),
            ("/proc/net/stat/nf_conntrack", kernel_files.conntrack),
        ):
            self._counters.update(self._read(part, parser) or {})
        for gauge in kernel_files.GAUGES & self._counters.keys():
            value = self._counters.pop(gauge)
            if gauge == "Tcp.CurrEstab":
                self._levels["sockets.established"] = value
        totals, untold = self._read("/proc/net/ip_vs_stats_percpu", kernel_files.ipvs_totals) or ({}, None)
        self._counters.update(totals)
        if untold is not None:
            self._levels["ipvs.untold"] = untold

    def _measure(self) -> None:
        levels = self._levels
        for name, value in (self._read("/proc/net/sockstat", kernel_files.sockets) or {}).items():
            levels[f"sockets.{name}"] = value
        for level, path in (
            ("conntrack.count", "/proc/sys/net/netfilter/nf_conntrack_count"),
            ("conntrack.max", "/proc/sys/net/netfilter/nf_conntrack_max"),
            ("sockets.tw_max", "/proc/sys/net/ipv4/tcp_max_tw_buckets"),
        ):
            if (number := self._read(path, _number)) is not None:
                levels[level] = number
        if ports := self._read("/proc/sys/net/ipv4/ip_local_port_range", _numbers):
            levels["ports"] = ports[-1] - ports[0] + 1
        if files := self._read("/proc/sys/fs/file-nr", _numbers):
            levels["files.open"] = files[0]
        shell = self._read("shell", lambda lines: lines[0].split()) or ["", ""]
        if len(shell) == 2 and shell[1].isdecimal() and len(shell[1]) < 19:
            levels["files.max"] = int(shell[1])
        if shell[0] in ("running", "stopped", "absent"):
            self._settings["irqbalance"] = shell[0]

    def _set(self, interrupts: tuple[tuple[int, ...], Mapping[str, str]]) -> None:
        cpus, rows = interrupts
        for path, lines in self._parts.items():
            if path.startswith("/proc/irq/"):
                number = path[10:].partition("/")[0]
                if number in rows:
                    name = kernel_files.interrupt_name(number, rows[number], len(cpus))
                    self._settings[f"irq {name}"] = lines[0].strip() or "none"
            elif path.startswith(_CPUS):
                self._set_cpu(path, lines)
            elif path.startswith(("/sys/class/net/", _SYSCTLS, "/sys/devices/")) and path not in _NEVER_STILL:
                nic = path[len("/sys/class/net/") :] if path.startswith("/sys/class/net/") else ""
                if not nic.startswith((*_POD_ENDS, "lo/")):
                    self._place(path, lines)

    def _set_cpu(self, path: str, lines: Sequence[str]) -> None:
        cpu, _, file = path[len(_CPUS) :].partition("/")
        if file == "cpufreq/scaling_cur_freq":
            if (khz := self._read(path, _number)) is not None:
                self._levels[f"cpu_mhz.{cpu}"] = khz // 1000
        elif file.startswith("thermal_throttle/"):
            # The CPUs of one package show the same count, and it is not known here which those are.
            name = f"throttle.{file.removeprefix('thermal_throttle/').partition('_')[0]}"
            if (count := self._read(path, _number)) is not None:
                self._counters[name] = self._counters.get(name, 0) + count
        else:
            self._place(path, lines)

    def _place(self, path: str, lines: Sequence[str]) -> None:
        try:
            setting = _setting_of(path, lines[0].strip())
        except ValueError:
            self._missing.append(f"{path}: not understood")
        else:
            if setting is not None:
                self._settings[setting[0]] = setting[1]

    def _ipvs(self) -> forwarding_tables.Forwarded:
        if self._load_balancer and "ipvs" not in self._parts:
            self._missing.append("ipvs: ip_vs is not loaded")
        found = self._read("ipvs", forwarding_tables.ipvs) if self._load_balancer else None
        return found or forwarding_tables.Forwarded()

    def _ipvs_open(self) -> forwarding_tables.Opened:
        found = (
            self._read("/proc/net/ip_vs", forwarding_tables.open_connections) if self._load_balancer else None
        )
        return found or forwarding_tables.Opened()

    def _pressure(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in ("cpu", "memory", "io"):
            lines = self._read(f"/proc/pressure/{name}", kernel_files.pressure) or {}
            found.update({f"{name}.{kind}": total for kind, total in lines.items()})
        return found

    def _route(self) -> str:
        # A redirected next hop has a life of its own (`expires 300sec`), which is no change.
        lines = self._parts.get("route", ())
        return _EXPIRES.sub("", " ".join(" ".join(lines).split()))[:500]

    def sysctls(self, names: Sequence[str]) -> None:
        """Take the values of these sysctls as settings."""
        for name in names:
            lines = self._parts.get(places.sysctl_file(name))
            if lines is None:
                self._missing.append(f"sysctl {name}: not there")
            else:
                self._settings[f"sysctl {name}"] = " ".join(lines[0].split())

    def _read(self, part: str, parser: Callable[[Sequence[str]], _T]) -> _T | None:
        """Read one part; None, and a word in `missing`, when it is not understood. One that is not there gives None."""
        lines = self._parts.get(part)
        if lines is None:
            return None
        try:
            return parser(lines)
        except (ValueError, IndexError, KeyError):
            said = f" ({excerpt(lines[0])})" if lines and not part.startswith("/") else ""
            self._missing.append(f"{part}: not understood{said}")
            return None


# From reading to reading the same files say the same: on a host with hundreds of queues that is most of the work.
_setting_of = lru_cache(maxsize=8192)(places.setting_of)


def _seconds(lines: Sequence[str]) -> float:
    if not _DECIMAL.fullmatch(lines[0]):
        raise ValueError(lines[0])
    return float(lines[0])


def _boot(lines: Sequence[str]) -> float | None:
    # busybox prints `1795442528.%N`: to a second, no better than what the kernel says itself.
    return None if "%" in lines[0] else _seconds(lines) - _seconds(lines[1:])


def _number(lines: Sequence[str]) -> int:
    if not (lines[0].isascii() and lines[0].isdecimal() and len(lines[0]) <= 20):
        raise ValueError(lines[0])
    return int(lines[0])


def _numbers(lines: Sequence[str]) -> list[int]:
    return [_number([word]) for word in lines[0].split()]
