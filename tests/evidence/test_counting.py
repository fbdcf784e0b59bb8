"""Which tables of a load balancer are asked for, from reading to reading."""

from __future__ import annotations

from pytest_kubelb.evidence.counting import Counting
from pytest_kubelb.evidence.reading import Reading

IPVS, RULES = "ipvs", "kube_proxy"


class Host:
    """A load balancer as its files show it: reads itself as `evidence.watch` does, and says what that asked for."""

    def __init__(self) -> None:
        self.boot_id = "one"
        self.at_s = 100.0
        self.through_ipvs = 0
        self.past_ipvs = 0
        self.tells_totals = True
        self.missing: tuple[str, ...] = ()
        self._known = Counting()
        self._last: Reading | None = None

    def read(self, *, fresh: bool = False) -> tuple[set[str], set[str]]:
        """Give what was asked for at once, and what afterwards."""
        since = None if fresh else self._last
        totals = {"ipvs.conns": self.through_ipvs, "ipvs.out_packets": 0} if self.tells_totals else {}
        counters = {**totals, "Tcp.ActiveOpens": self.past_ipvs}
        found = Reading(
            "k11", 0.0, 0.0, uptime_s=self.at_s, boot_id=self.boot_id, counters=counters, missing=self.missing
        )
        still = self._known.likely_still(since)
        late = self._known.note(found, since) & still
        at_once = {IPVS, RULES} - still
        self._known.asked(found, at_once | late)
        self._last = found
        self.at_s += 3
        return at_once, {*late}


def at_rest() -> Host:
    """Give a host that was read until nothing of it is asked for any more."""
    host = Host()
    for _ in range(3):
        host.read()
    assert host.read() == (set(), set())
    return host


def test_the_first_reading_asks_for_everything() -> None:
    assert Host().read() == ({IPVS, RULES}, set())


def test_what_stands_still_is_not_asked_for_and_what_counts_is_asked_for_afterwards() -> None:
    host = at_rest()
    host.through_ipvs += 1
    assert host.read() == (set(), {IPVS})
    host.past_ipvs += 1
    assert host.read() == ({IPVS}, {RULES})


def test_what_has_counted_is_asked_for_at_once_the_next_time() -> None:
    host = at_rest()
    for _ in range(3):
        host.past_ipvs += 1
        host.read()
    assert host.read() == ({RULES}, set())
    assert host.read() == (set(), set())


def test_the_table_of_ipvs_is_asked_for_until_it_has_everything() -> None:
    host = at_rest()
    host.through_ipvs += 1
    host.read()
    host.at_s -= 2.9  # 0.1 s after the reading before: the services may not be up to date
    assert host.read() == ({IPVS}, set())
    assert host.read() == ({IPVS}, set())
    assert host.read() == (set(), set())


def test_a_table_that_could_not_be_read_is_asked_for_again() -> None:
    host = Host()
    host.missing = ("ipvs: not understood (Can't initialize ipvs)",)
    for _ in range(4):
        host.read()
    assert host.read()[0] == {IPVS}


def test_a_table_without_totals_is_always_asked_for_where_ipvs_is_loaded() -> None:
    host = Host()
    host.tells_totals = False
    for _ in range(4):
        host.read()
    assert host.read()[0] == {IPVS}
    host.missing = ("ipvs: ip_vs is not loaded",)
    host.read()
    assert host.read() == (set(), set())


def test_kube_proxys_rules_are_asked_for_where_there_is_nothing_to_compare_with() -> None:
    assert at_rest().read(fresh=True) == ({RULES}, set())


def test_after_a_reboot_everything_is_asked_for() -> None:
    host = at_rest()
    host.boot_id = "two"
    assert host.read() == (set(), {IPVS, RULES})
