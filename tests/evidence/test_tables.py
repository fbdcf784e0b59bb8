"""The tables of mpstat, from what happened on a host."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.evidence import tables
from pytest_kubelb.evidence.delta import CPU_STATES, HostDelta, delta

from .answers import reading

CPUS = tuple(range(16))


def host(
    cpus: tuple[int, ...] = CPUS,
    interrupts: dict[str, tuple[float, ...]] | None = None,
    softirqs: dict[str, tuple[float, ...]] | None = None,
) -> HostDelta:
    return replace(
        delta(reading(), reading()),
        cpus=cpus,
        cpu_percent={state: tuple(98.6 if state == "idle" else 0.35 for _ in cpus) for state in CPU_STATES},
        interrupts_per_s=interrupts or {},
        softirqs_per_s=softirqs or {},
    )


def test_shares_stand_as_mpstat_prints_them() -> None:
    lines = tables.cpu_table(host())
    assert lines[0].split() == [
        "CPU", "%usr", "%nice", "%sys", "%iowait", "%irq", "%soft", "%steal", "%guest", "%gnice", "%idle",
    ]  # fmt: skip
    assert lines[1].split() == ["all", *["0.35"] * 9, "98.60"]
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[0] for line in lines[2:]] == [str(cpu) for cpu in CPUS]


def test_interrupts_are_columns_by_number_and_cpus_are_rows() -> None:
    zero = (0.0,) * 15
    found = tables.interrupt_tables(
        host(
            interrupts={"82 eth0-rx-1": (2983.4, *zero), "83 eth0-rx-2": (1546.4, *zero), "LOC": (1.0,) * 16}
        )
    )
    assert found[0].split() == ["CPU", "82/s", "83/s"]
    assert found[1].split() == ["0", "2983.40", "1546.40"]
    assert found[2].split() == ["1", "0.00", "0.00"]
    assert found[-1] == "82 eth0-rx-1, 83 eth0-rx-2"


def test_the_cpus_own_interrupts_are_there_on_request() -> None:
    found = tables.interrupt_tables(host(interrupts={"LOC": (1.0,) * 16}), devices_only=False)
    assert found[0].split() == ["CPU", "LOC/s"]


def test_softirqs_are_called_as_in_mpstat() -> None:
    found = tables.softirq_table(host(softirqs={"TIMER": (12.1,) * 16, "NET_RX": (1681.4,) * 16}))
    assert found[0].split() == ["CPU", "TIMER/s", "NET_RX/s"]
    assert found[16].split() == ["15", "12.10", "1681.40"]


def test_a_wide_table_is_continued_below() -> None:
    interrupts: dict[str, tuple[float, ...]] = {
        f"{number} eth0-rx-{number}": (1234.5,) * 2 for number in range(80, 100)
    }
    found = tables.interrupt_tables(host((0, 1), interrupts))
    heads = [line.split() for line in found if line.lstrip().startswith("CPU")]
    assert [name for head in heads for name in head[1:]] == [f"{number}/s" for number in range(80, 100)]
    assert len(heads) > 1


def test_queues_with_the_same_setting_share_a_line() -> None:
    settings = {
        "rps_cpus eth0 rx-0": "1-7",
        "rps_cpus eth0 rx-1": "1-7",
        "irq 82 eth0-rx-1": "0",
        "turbo": "on",
    }
    assert tables.setting_table(settings) == ["rps_cpus 1-7: eth0 rx-0, eth0 rx-1", "irq 0: 82 eth0-rx-1"]


def test_a_host_that_did_nothing_has_no_interrupt_table() -> None:
    assert tables.interrupt_tables(host()) == []
    assert tables.softirq_table(host()) == []


@given(
    cpus=st.integers(1, 128).map(lambda count: tuple(range(count))),
    names=st.lists(
        st.integers(0, 999).map(lambda number: f"{number} eth0-TxRx-{number}"), max_size=40, unique=True
    ),
    rate=st.floats(0, 1e8),
)
def test_no_line_is_wider_than_a_terminal(cpus: tuple[int, ...], names: list[str], rate: float) -> None:
    found = host(cpus, dict.fromkeys(names, (rate,) * len(cpus)), {"NET_RX": (rate,) * len(cpus)})
    lines = tables.seed_tables(found) + tables.setting_table(
        dict.fromkeys((f"irq {name}" for name in names), "1-7")
    )
    assert all(len(line) <= tables.WIDTH for line in lines)
