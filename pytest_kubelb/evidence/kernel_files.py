"""Read the kernel's files of counters as they are in /proc. Pure: lines in, values out.

Every function raises ValueError or IndexError for lines that are not of its format. Formats: proc(5), and the kernel's
Documentation/filesystems/proc.rst, networking/proc_net_tcp, accounting/psi.rst, admin-guide/sysctl.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NIC_COLUMNS: Final = (
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo", "rx_frame", "rx_compressed", "rx_multicast",
    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped", "tx_fifo", "tx_collisions", "tx_carrier", "tx_compressed",
)  # fmt: skip
"""The columns of /proc/net/dev, in its order."""

# Values of /proc/net/snmp that are no counters (RFC 2012, RFC 4293): they say how it is, not what happened.
GAUGES: Final = frozenset(
    (
        "Ip.Forwarding",
        "Ip.DefaultTTL",
        "Tcp.RtoAlgorithm",
        "Tcp.RtoMin",
        "Tcp.RtoMax",
        "Tcp.MaxConn",
        "Tcp.CurrEstab",
    )
)

# net/core/net-procfs.c, softnet_seq_show: columns 3 to 7 are always zero; the last ones came later.
_SOFTNET: Final = {0: "processed", 1: "dropped", 2: "time_squeeze", 9: "received_rps", 10: "flow_limit"}
_RTF_UP, _RTF_GATEWAY = 0x1, 0x2  # include/uapi/linux/route.h
_TRIGGERS: Final = frozenset(("edge", "level", "fasteoi"))
_XEN: Final = frozenset(("-event", "xen-dyn-event", "xen-percpu-event"))
_LONGEST_TIME: Final = 12  # digits of a Unix time in seconds: beyond the year 30,000
_LARGEST: Final = 2**64  # of a counter; the few values that may be negative are small


def counts(words: Iterable[str]) -> tuple[int, ...]:
    """Read decimal numbers. Raises ValueError, also for one that no counter of a kernel can have."""
    return _checked(tuple(map(int, words)))


def _hexadecimal(words: Iterable[str]) -> tuple[int, ...]:
    return _checked(tuple([int(word, 16) for word in words]))


def _checked(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if numbers and (max(numbers) > _LARGEST or min(numbers) < -_LARGEST):
        raise ValueError("a number of more than 64 bits")
    return numbers


def cpu_ticks(lines: Sequence[str]) -> dict[int, tuple[int, ...]]:
    """Read /proc/stat: CPU -> its ten times in ticks.

    user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
    """
    found = {}
    for line in lines:
        if line.startswith("cpu"):
            name, *ticks = line.split()
            if name != "cpu":
                # Kernels before 2.6.33 have fewer columns.
                (cpu,), times = counts([name[3:]]), counts(ticks[:10])
                found[cpu] = times + (0,) * (10 - len(times))
    return found


def stat_counters(lines: Sequence[str]) -> tuple[dict[str, int], int | None]:
    """Read the rest of /proc/stat: context switches and forks, and `btime`: Unix time of the boot in whole seconds."""
    counters: dict[str, int] = {}
    btime = None
    for line in lines:
        name, _, value = line.partition(" ")
        if name in ("ctxt", "processes"):
            (counters[f"stat.{name}"],) = counts([value])
        elif name == "btime" and len(value) <= _LONGEST_TIME:
            btime = int(value)
    return counters, btime


def per_cpu_table(lines: Sequence[str]) -> tuple[tuple[int, ...], dict[str, str]]:
    """Read /proc/softirqs or /proc/interrupts: the CPUs, and for each row its name and the rest of its line.

    Rows are left as text: on a large host there are thousands of numbers, and only what moves needs reading.
    """
    cpus = counts(word.removeprefix("CPU") for word in lines[0].split())
    rows = {}
    for line in lines[1:]:
        name, colon, rest = line.partition(":")
        if colon:
            rows[name.strip()] = rest
    return cpus, rows


def row_counts(rest: str, cpus: int) -> tuple[int, ...]:
    """Give the counts of one row of a per-CPU table; rows without one for every CPU (ERR, MIS) give none."""
    words = rest.split(None, cpus)[:cpus]
    try:
        return counts(words) if len(words) == cpus else ()
    except ValueError:
        return ()


def interrupt_name(number: str, rest: str, cpus: int) -> str:
    """Give `82 eth0-rx-1` for row 82; an architecture's own row (`LOC`) has its number alone.

    After the counts stand the chip, the hardware's number, the trigger (`1-edge`, `Level`) and then the devices.
    """
    if not number.isdecimal():
        return number
    words = rest.split(None, cpus)
    tail = words[cpus].split() if len(words) > cpus else []
    for at, word in enumerate(tail):
        if word.rpartition("-")[2].lower() in _TRIGGERS or word in _XEN:
            tail = tail[at + 1 :]
            break
    else:
        tail = tail[1:]  # the chip alone (User Mode Linux)
    return " ".join([number, *tail])


def nics(lines: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read /proc/net/dev: NIC -> the sixteen `NIC_COLUMNS`."""
    found = {}
    for line in lines[2:]:
        name, _, rest = line.rpartition(":")
        values = counts(rest.split())
        if len(values) != len(NIC_COLUMNS):
            raise ValueError(line)
        found[name.strip()] = values
    return found


def softnet(lines: Sequence[str]) -> dict[str, int]:
    """Read /proc/net/softnet_stat: the sums over the CPUs of `softnet.dropped` and its neighbours."""
    rows = [line.split() for line in lines]
    return {
        f"softnet.{name}": sum(_hexadecimal(row[column] for row in rows if len(row) > column))
        for column, name in _SOFTNET.items()
    }


def protocols(lines: Sequence[str]) -> dict[str, int]:
    """Read /proc/net/snmp or /proc/net/netstat, where a line of names comes before one of values: `Tcp.RetransSegs`."""
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, *columns = names.split()
        found.update(
            zip(
                (protocol[:-1] + "." + column for column in columns),
                counts(values.split()[1:]),
                strict=True,
            )
        )
    return found


def sockets(lines: Sequence[str]) -> dict[str, int]:
    """Read /proc/net/sockstat: TCP's `inuse`, `orphan`, `tw`, `alloc` and `mem` (pages), and all that are `used`."""
    found: dict[str, int] = {}
    for line in lines:
        kind, *words = line.split()
        if kind in ("TCP:", "sockets:"):
            found.update(zip(words[::2], counts(words[1::2]), strict=True))
    return found


def routes(lines: Sequence[str]) -> dict[str, str]:
    """Read /proc/net/route, the main table of IPv4: `172.16.61.0/24` -> `via 172.16.61.0 dev flannel.1`.

    Addresses are hexadecimal and little-endian there. Of several routes to one network the first line counts, which the
    kernel prints in the order of their metrics; one of a link that is down has not RTF_UP and is none.
    """
    found: dict[str, str] = {}
    for line in lines[1:]:
        words = line.split()
        device, destination, gateway, flags, mask = words[0], words[1], words[2], int(words[3], 16), words[7]
        if flags & _RTF_UP:
            network = IPv4Network((_address(destination), int(mask, 16).bit_count()), strict=False)
            via = f"via {_address(gateway)} " if flags & _RTF_GATEWAY else ""
            found.setdefault(str(network), f"{via}dev {device}")
    return found


def _address(word: str) -> IPv4Address:
    return IPv4Address(bytes.fromhex(word)[::-1])


def conntrack(lines: Sequence[str]) -> dict[str, int]:
    """Read /proc/net/stat/nf_conntrack, hexadecimal, a line for each CPU: the sums, but for the entries."""
    names = lines[0].split()
    rows = [_hexadecimal(line.split()) for line in lines[1:]]
    return {
        f"conntrack.{name}": sum(row[column] for row in rows)
        for column, name in enumerate(names)
        if name != "entries"
    }


def pressure(lines: Sequence[str]) -> dict[str, int]:
    """Read a file of /proc/pressure: `some`, `full` -> microseconds in which some task, or all, waited."""
    found = {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        (found[kind],) = counts([rest.rpartition("total=")[2]])
    return found


def ipvs_totals(lines: Sequence[str]) -> tuple[dict[str, int], int]:
    """Read /proc/net/ip_vs_stats_percpu, hexadecimal: what all CPUs counted, and connections not yet in the tables.

    The kernel adds the CPUs' counters to those of the services, which `ipvsadm --stats` shows, once in two seconds
    (net/netfilter/ipvs/ip_vs_est.c); the row `~` is the sum as of then, the rows of the CPUs are as of now.
    """
    names = ("conns", "in_packets", "out_packets", "in_bytes", "out_bytes")
    totals = dict.fromkeys((f"ipvs.{name}" for name in names), 0)
    told = 0
    for line in lines[2:]:
        cpu, *words = line.split() or [""]
        if not cpu:
            break
        values = _hexadecimal(words)
        if len(values) != len(names):
            raise ValueError(line)
        if cpu == "~":
            told = values[0]
            break
        for name, value in zip(names, values, strict=True):
            totals[f"ipvs.{name}"] += value
    return totals, max(0, totals["ipvs.conns"] - told)
