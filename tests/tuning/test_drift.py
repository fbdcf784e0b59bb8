"""Drift: who changed what, as far as a host shows."""

from __future__ import annotations

from pytest_kubelb.record.finding import Finding
from pytest_kubelb.tuning.drift import drift

EXPECTED = {"irq 82 eth0-rx-1": "1", "irqbalance": "stopped", "rps_cpus eth0 rx-0": "1-7"}


def found(settings: dict[str, str], expected: dict[str, str] | None = None) -> str:
    finding = drift("k11", expected or EXPECTED, settings)
    assert isinstance(finding, Finding)
    assert Finding.from_json(finding.to_json()) == finding
    return finding.sentence


def test_settings_that_are_as_expected_or_were_not_read_are_no_drift() -> None:
    assert drift("k11", EXPECTED, EXPECTED) is None
    assert drift("k11", EXPECTED, {}) is None
    assert drift("k11", {}, {"rps_cpus eth0 rx-0": "1"}) is None


def test_irqbalance_that_runs_again_is_named() -> None:
    said = found({**EXPECTED, "irq 82 eth0-rx-1": "0-15", "irqbalance": "running"})
    assert "irq 82 eth0-rx-1 is 0-15 (mask ffff) and was set to 1 (mask 2)" in said
    assert said.endswith(
        "irqbalance is running again; find out who starts it there, and mask its service meanwhile"
    )


def test_irqbalance_that_was_left_running_is_named_with_the_remedy() -> None:
    said = found({"irq 82 eth0-rx-1": "3", "irqbalance": "running"}, {"irq 82 eth0-rx-1": "1"})
    assert said.endswith("set irqbalance = false in the tuning profile")


def test_an_interrupt_is_known_by_its_name_where_its_number_has_changed() -> None:
    assert drift("k11", EXPECTED, {"irq 91 eth0-rx-1": "1"}) is None
    assert "irq 82 eth0-rx-1 is 0 (mask 1)" in found({"irq 91 eth0-rx-1": "0"})


def test_many_settings_are_counted() -> None:
    expected = {f"rps_cpus eth0 rx-{queue}": "1" for queue in range(9)}
    assert ", and 6 more settings differ: somebody else" in found(dict.fromkeys(expected, "none"), expected)
