"""Findings about CPU time that others took: hypervisor, heat, other programs. Pure; touches nothing.

Where hosts of different roles share one kernel, as in a lab, its CPUs are everybody's: such a signal is told, and
nobody is blamed for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.findings.signals import Effect
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

OWN_CPU_S: Final = 0.2
"""What our own commands on a host may take around a run: two readings, ssh, and the start of wrk."""

_THROTTLES: Final = ("throttle.core", "throttle.package")


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `steal`, `throttled` and `frequency_changed` of every kernel, and `cpu_pressure` where it can be told."""
    told: set[str] = set()
    for host, delta in run.hosts.items():
        # Hosts of one kernel read the same CPUs, and saying so for each of them tells nothing more.
        if not delta.boot_id or delta.boot_id not in told:
            told.add(delta.boot_id)
            yield from _steal(run, delta)
            if not delta.counters.keys().isdisjoint(_THROTTLES):
                yield from _throttled(run, delta)
            yield from _frequency(run, delta)
        if host in run.roles.get("load_balancer", ()):
            yield from _on_load_balancer(run, delta)
        elif host in run.roles.get("benchmarker", ()):
            yield from _beside_wrk(run, delta)


def _effect(run: RunEvidence, host: str) -> Effect:
    return "none" if host in run.shared else "contaminated"


def _steal(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, steal = run.limits.steal, delta.cpu_percent.get("steal", ())
    worst = max(steal, default=0.0)
    if limit is not None and worst > limit:
        cpu = delta.cpus[steal.index(worst)]
        yield signals.validity(
            "steal",
            delta.host,
            worst,
            limit,
            "%",
            f"the hypervisor took {worst:.3g} % of CPU {cpu} of {delta.host} where {limit:g} % are "
            "allowed: give the machine CPUs of its own",
            _effect(run, delta.host),
        )


def _throttled(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit = run.limits.throttled
    events = delta.counters.get(_THROTTLES[0], 0) + delta.counters.get(_THROTTLES[1], 0)
    if limit is not None and events > limit:
        yield signals.validity(
            "throttled",
            delta.host,
            events,
            limit,
            "events",
            f"the CPUs of {delta.host} were throttled {events} times by heat where {limit:g} are allowed: "
            "mend the cooling or lower the clock (governor, turbo)",
            _effect(run, delta.host),
        )


def _frequency(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit = run.limits.frequency_changed
    names = _mhz(delta.cpus)
    if limit is None or not names or names[0] not in delta.levels:
        return
    # The fastest CPU is one that works; what the idle ones say changes from one moment to the next.
    was, now = delta.levels_before, delta.levels
    before = max([was[name] for name in names if name in was], default=0.0)
    after = max([now[name] for name in names if name in now], default=0.0)
    change = signals.percent(abs(after - before), before) if before else 0.0
    if change > limit:
        yield signals.validity(
            "frequency_changed",
            delta.host,
            change,
            limit,
            "%",
            f"the fastest CPU of {delta.host} ran at {before:.0f} MHz before and {after:.0f} MHz after the "
            f"run, {change:.3g} % apart where {limit:g} % are allowed: set a fixed governor and turn turbo "
            "off in the tuning profile",
            effect="none",
        )


@lru_cache(maxsize=64)
def _mhz(cpus: tuple[int, ...]) -> tuple[str, ...]:
    """Give the names of the CPUs' levels; a host's CPUs are the same in every run."""
    return tuple(f"cpu_mhz.{cpu}" for cpu in cpus)


def _on_load_balancer(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    # Forwarding is softirq work: user time on the load balancer is somebody else's.
    limits, user, nice = run.limits, delta.cpu_percent.get("usr", ()), delta.cpu_percent.get("nice", ())
    if limits.cpu_pressure is not None and user:
        share = (sum(user) + sum(nice)) / len(user)
        if share > limits.cpu_pressure and share * len(user) * delta.seconds > 100 * OWN_CPU_S:
            yield _pressure(
                run,
                delta,
                share,
                limits.cpu_pressure,
                f"programs took {share:.3g} % of the CPU time of the load balancer",
            )
            return
    waited = delta.pressure_percent.get("cpu.some", 0.0)
    # When softirqs fill a CPU, tasks wait for it: that is the load, and no one else.
    if limits.cpu_waiting is not None and waited > limits.cpu_waiting and not _kernel_full(run, delta):
        yield _pressure(
            run, delta, waited, limits.cpu_waiting, f"tasks waited for a CPU in {waited:.3g} % of the time"
        )


def _beside_wrk(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, user = run.limits.cpu_pressure, delta.cpu_percent.get("usr", ())
    if limit is None or run.wrk_cpu_s is None or not user or not delta.seconds:
        return
    used = sum(user) + sum(delta.cpu_percent.get("nice", ())) + sum(delta.cpu_percent.get("sys", ()))
    others_s = used * delta.seconds / 100 - run.wrk_cpu_s
    share = 100 * others_s / (len(user) * delta.seconds)
    if share > limit and others_s > OWN_CPU_S:
        yield _pressure(
            run,
            delta,
            share,
            limit,
            f"others than wrk took {others_s:.3g} s, {share:.3g} % of the benchmarker's CPU time",
        )


def _pressure(run: RunEvidence, delta: HostDelta, share: float, limit: float, what: str) -> Finding:
    return signals.validity(
        "cpu_pressure",
        delta.host,
        share,
        limit,
        "%",
        f"{what} on {delta.host} where {limit:g} % are allowed: stop what else runs there (`pidstat 1` "
        "names it)",
        _effect(run, delta.host),
    )


def _kernel_full(run: RunEvidence, delta: HostDelta) -> bool:
    soft, limit = delta.cpu_percent.get("soft", ()), run.limits.lb_cpu
    return limit is not None and max(soft, default=0.0) > limit / 2
