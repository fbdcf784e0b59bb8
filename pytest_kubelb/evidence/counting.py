"""Which tables of a load balancer have to be asked for, and which cannot have counted anything. Touches nothing.

Asking for a table costs a process there; files that are read anyway say whether it is worth it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_kubelb.evidence.reading import Reading

_LATEST_S: Final = 2.2
"""ipvs brings the counters of its services up to date every two seconds, and not those of all at once."""


class Counting:
    """What is known of one load balancer's tables from reading to reading."""

    def __init__(self) -> None:
        self._totals: object = None
        self._told = False
        """Whether the host tells the totals of ipvs."""
        self._still_since_s = 0.0
        self._ipvs_final = False
        """Whether the table of ipvs that was read last has everything that it has counted."""
        self._rules_count = False
        """Whether kube-proxy's rules have counted between the last two readings that were compared."""

    def likely_still(self, since: Reading | None) -> frozenset[str]:
        """Give what the next reading, to be compared with `since`, need not ask for unless `note` says so then."""
        rules_still = since is not None and not self._rules_count
        return frozenset(
            name for name, still in (("ipvs", self._ipvs_final), ("kube_proxy", rules_still)) if still
        )

    def note(self, found: Reading, since: Reading | None) -> frozenset[str]:
        """Give the tables that have counted, or may have, by what the files of the reading say."""
        counters = {name: count for name, count in found.counters.items() if name.startswith("ipvs.")}
        self._told = bool(counters)
        totals = found.boot_id, counters
        counted = set()
        if totals != self._totals:
            self._totals, self._still_since_s, self._ipvs_final = totals, found.uptime_s, False
            counted.add("ipvs")
        self._rules_count = since is not None and _past_ipvs(since) != _past_ipvs(found)
        if self._rules_count:
            counted.add("kube_proxy")
        return frozenset(counted)

    def asked(self, found: Reading, tables: Collection[str]) -> None:
        """Take note of which tables of the reading are of now."""
        if "ipvs" in tables:
            missing = next((reason for reason in found.missing if reason.startswith("ipvs:")), None)
            # Without totals nothing would tell that it counts, but where it is not loaded.
            read = self._told if missing is None else "not loaded" in missing
            self._ipvs_final = read and found.uptime_s - self._still_since_s >= _LATEST_S


def _past_ipvs(reading: Reading) -> tuple[str, tuple[int, int, int]]:
    """Give what stands still while kube-proxy's rules cannot have counted a connection."""
    return reading.boot_id, reading.opened_past_ipvs
