"""What limited a run, and a point: the link, a CPU, or nothing that was full. Pure; touches nothing.

The link outweighs the CPUs, and a client's or worker's CPU outweighs the load balancer's where both are as full: what
is claimed must not rank backends that could not show their difference. A full CPU that hosts of several roles share
limits nobody in particular.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.delta import CPU_STATES
from pytest_kubelb.record.finding import CEILINGS, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence

RANKS_NOTHING: Final = frozenset(("link", "client_cpu", "worker_cpu"))
"""Ceilings at which a point says nothing about the load balancer."""

_KERNEL: Final = ("irq", "soft", "sys")
# Counted up, and not as what idle leaves: a CPU that did not tick between the readings has zeros everywhere.
_WORK: Final = tuple(state for state in CPU_STATES if state not in ("idle", "iowait"))
_CPU_CEILINGS: Final = (
    ("client_cpu", "benchmarker", "give the benchmarker more CPUs or threads, or a second benchmarker"),
    ("worker_cpu", "workers", "give the pods more CPUs, or spread them over more workers"),
    ("lb_cpu", "load_balancer", "this is the load balancer's own limit"),
)
_CONSERVATIVE: Final = ("link", "client_cpu", "worker_cpu", "lb_cpu", "none", "unknown")


def examine(run: RunEvidence) -> tuple[str, Finding | None]:
    """Give the run's ceiling, and the finding that says where; None with `none`, which says nothing."""
    full, unknown = _link(run)
    if full is not None:
        return "link", full
    fullest: Finding | None = None
    for name, role, remedy in _CPU_CEILINGS:
        found, why_not = _cpu(run, name, role, remedy)
        unknown += why_not
        if found is not None and (fullest is None or found.value > fullest.value):
            fullest = found
    if fullest is not None:
        return fullest.signal, fullest
    unknown += _sharing(run)
    if unknown:
        return "unknown", _finding(
            "unknown", "", 0.0, None, f"what limited the run is unknown: {'; '.join(unknown)}"
        )
    return "none", None


def of_point(ceilings: Sequence[str]) -> str:
    """Give a point's ceiling from those of its valid runs: the one that most of them had.

    `unknown` when it is known of less than half of them, or of none; of two that are as frequent the one that ranks
    less. Raises ValueError for a word that is no ceiling.
    """
    for word in ceilings:
        if word not in CEILINGS:
            raise ValueError(f"{word!r} is not a ceiling, which are {', '.join(CEILINGS)}")
    counted = Counter(word for word in ceilings if word != "unknown")
    if not counted or 2 * counted.total() < len(ceilings):
        return "unknown"
    return max(_CONSERVATIVE[:-1], key=lambda word: counted[word])


def _link(run: RunEvidence) -> tuple[Finding | None, list[str]]:
    """Give the fullest link beyond the limit, and why the links are not known."""
    limit = run.limits.link
    if limit is None:
        return None, ["the limit link is off"]
    unknown: list[str] = []
    worst, where = limit, None
    for host in run.hosts:
        for wire in run.wires[host]:
            busy = wire.busy(run.load_s)
            if busy is None:
                unknown.append(f"the speed of {wire.nic} on {host} is not known")
            elif busy > worst:
                worst, where = busy, (host, wire)
    if where is None:
        return None, unknown
    host, wire = where
    way = "received" if wire.rx_bytes >= wire.tx_bytes else "sent"
    return _finding(
        "link",
        host,
        worst,
        limit,
        f"{wire.nic} of {host} {way} {worst:.4g} % of its {wire.speed_mbps} Mbit/s, framing included, and "
        f"from {limit:g} % it is full: such a point ranks no backends; use a faster link or fewer pods",
    ), unknown


def _cpu(run: RunEvidence, name: str, role: str, remedy: str) -> tuple[Finding | None, list[str]]:
    limits = run.limits
    limit = {"lb_cpu": limits.lb_cpu, "client_cpu": limits.client_cpu, "worker_cpu": limits.worker_cpu}[name]
    if limit is None:
        return None, [f"the limit {name} is off"]
    hosts = run.roles.get(role, ())
    if not hosts:
        return None, [f"no host is known as {role}"]
    worst, cpu, where = limit, -1, ""
    unknown: list[str] = []
    for host in hosts:
        delta = run.hosts.get(host)
        if delta is None or not delta.cpu_percent:
            unknown.append(f"the CPUs of {host} were not read")
        elif host not in run.shared:
            percent, busiest = _busiest(delta, name, run.load_s, limit)
            if percent > worst:
                worst, cpu, where = percent, busiest, host
    if not where:
        return None, unknown
    work = "irq, softirq and sys" if name == "lb_cpu" else "work of all kinds"
    return _finding(
        name,
        where,
        worst,
        limit,
        f"CPU {cpu} of {where} was busy {worst:.3g} % with {work}, and from {limit:g} % it is full: {remedy}",
    ), unknown


def _sharing(run: RunEvidence) -> list[str]:
    """Give the words for all hosts whose CPUs cannot be told apart by role; nothing when there are none."""
    roles = (role for _, role, _ in _CPU_CEILINGS)
    names = list(
        dict.fromkeys(host for role in roles for host in run.roles.get(role, ()) if host in run.shared)
    )
    if not names:
        return []
    *others, last = names
    told = f"{', '.join(others)} and {last} share their" if others else f"{last} shares its"
    return [f"{told} CPUs with hosts of other roles"]


def _busiest(delta: HostDelta, name: str, load_s: float, limit: float) -> tuple[float, int]:
    """Give the busiest CPU's share of the time of load, and its number; (0, -1) when none can be beyond the limit.

    The readings lie a little outside of the run, and the CPU was idle meanwhile: in a 1 s run that hides up to a tenth.
    """
    of, stretch = delta.cpu_percent, delta.seconds / load_s if delta.seconds > load_s > 0 else 1.0
    columns = [of[state] for state in (_KERNEL if name == "lb_cpu" else _WORK) if of.get(state)]
    # Most CPUs of most runs are far from full, and a bound for all of them costs a third of the sums.
    if not columns or sum(map(max, columns)) * stretch <= limit:
        return 0.0, -1
    sums = list(map(sum, zip(*columns, strict=True)))
    busiest = max(sums)
    return min(100.0, busiest * stretch), delta.cpus[sums.index(busiest)]


def _finding(name: str, host: str, value: float, limit: float | None, sentence: str) -> Finding:
    return Finding("ceiling", name, host, value, limit, "%" if limit is not None else "", "none", sentence)
