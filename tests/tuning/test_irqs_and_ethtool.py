"""Queues of NICs: by the names that drivers give their interrupts, and by what ethtool prints."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.tuning import ethtool, irqs, places
from pytest_kubelb.tuning.found import Found
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.places import Irq


def made(*actions: str) -> tuple[Irq, ...]:
    return tuple(Irq(80 + index, action, "eth0") for index, action in enumerate(actions))


@pytest.mark.parametrize(
    ("driver", "actions", "receiving"),
    [
        ("tg3", ["eth0-tx-0", "eth0-rx-1", "eth0-rx-2"], ["eth0-rx-1", "eth0-rx-2"]),
        ("ixgbe", ["eth0", "eth0-TxRx-10", "eth0-TxRx-2"], ["eth0-TxRx-2", "eth0-TxRx-10"]),
        ("ena", ["ena-mgmnt@pci:0000:00:05.0", "eth0-Tx-Rx-0"], ["eth0-Tx-Rx-0"]),
        ("vmxnet3", ["eth0-rxtx-0", "eth0-rxtx-1", "eth0-event-2"], ["eth0-rxtx-0", "eth0-rxtx-1"]),
        ("virtio", ["virtio0-config", "virtio0-input.0", "virtio0-output.0"], ["virtio0-input.0"]),
        (
            "mlx5",
            ["mlx5_async0@pci:0000:03:00.0", "mlx5_comp1@pci:0000:03:00.0", "mlx5_comp0@pci:0000:03:00.0"],
            ["mlx5_comp0@pci:0000:03:00.0", "mlx5_comp1@pci:0000:03:00.0"],
        ),
        ("bnx2x", ["eth0", "eth0-fp-0", "eth0-fp-1"], ["eth0-fp-0", "eth0-fp-1"]),
        ("xen", ["eth0-q0-tx", "eth0-q0-rx", "eth0-q1-tx", "eth0-q1-rx"], ["eth0-q0-rx", "eth0-q1-rx"]),
        ("nfp", ["eth0-0", "eth0-1"], ["eth0-0", "eth0-1"]),
        ("e1000", ["eth0"], ["eth0"]),
        ("unknown", ["a", "b"], []),
    ],
)
def test_receiving_queues_are_found_by_the_names_of_drivers(
    driver: str, actions: list[str], receiving: list[str]
) -> None:
    assert [irq.action for irq in irqs.receiving(made(*actions))] == receiving, driver


def test_a_sending_interrupt_goes_with_the_receiving_one_of_its_number() -> None:
    virtio = made("virtio0-input.0", "virtio0-output.0", "virtio0-input.1", "virtio0-output.1")
    assert irqs.partner(virtio[2], virtio) == virtio[3]
    tg3 = made("eth0-tx-0", "eth0-rx-1")
    assert irqs.partner(tg3[1], tg3) is None


CHANNELS = """Channel parameters for eth0:
Pre-set maximums:
RX:		n/a
TX:		n/a
Other:		1
Combined:	8
Current hardware settings:
RX:		n/a
TX:		n/a
Other:		1
Combined:	4
"""
COALESCE = """Coalesce parameters for eth0:
Adaptive RX: off  TX: on
stats-block-usecs: n/a

rx-usecs: 3
rx-frames: n/a

CQE mode RX: n/a  TX: n/a
"""


def test_what_ethtool_shows_is_read_by_its_own_words() -> None:
    channels = ethtool.parse(CHANNELS)
    assert channels.values == {"other": "1", "combined": "4"}
    assert channels.most["combined"] == "8"
    assert ethtool.parse(COALESCE).values == {"adaptive-rx": "off", "adaptive-tx": "on", "rx-usecs": "3"}


def test_what_ethtool_refuses_is_the_reason() -> None:
    assert (
        ethtool.parse("netlink error: Operation not supported\n").refusal
        == "ethtool: netlink error: Operation not supported"
    )
    for said in ("sh: 1: ethtool: not found\n", "sh: line 1: ethtool: command not found\n"):
        assert ethtool.parse(said).refusal == "ethtool is not installed"


@given(st.text(max_size=200))
def test_any_text_of_ethtool_is_read(text: str) -> None:
    shown = ethtool.parse(text)
    assert shown.values or shown.refusal


def test_sysctl_names_lead_to_files_as_sysctl_has_it() -> None:
    assert places.sysctl_file("net.core.netdev_budget") == "/proc/sys/net/core/netdev_budget"
    assert (
        places.sysctl_file("net.ipv4.conf.eth0/100.rp_filter") == "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"
    )
    assert (
        places.sysctl_file("net/ipv4/conf/eth0.100/rp_filter") == "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"
    )


def test_sizes_that_the_kernel_rounds_up_count_as_taken() -> None:
    assert places.is_taken("rps_sock_flow_entries", "30000", "32768")
    assert not places.is_taken("rps_sock_flow_entries", "100", "32768")
    assert places.is_taken("conntrack_hashsize", "50000", "50176")
    assert not places.is_taken("conntrack_max", "50000", "50176")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sysctl ../../etc/passwd", "1"),
        ("sysctl net.core.netdev_budget", "600\n700"),
        ("rps_cpus .. rx-0", "1"),
        ("rps_cpus eth0 rx-0/../../x", "1"),
        ("governor cpu0/../x", "performance"),
        ("irqbalance", "running; reboot"),
        ("irq eth0 eth0-rx-1", "0; x"),
        ("channels eth0 --version", "1"),
        ("anything", "1"),
    ],
)
def test_a_journal_names_nothing_but_knobs(name: str, value: str) -> None:
    assert not places.is_setting(name, value)


@given(st.text(max_size=40))
def test_no_name_from_a_journal_leads_out_of_proc_sys_and_sys(name: str) -> None:
    if places.is_setting(name, "1") and (file := places.file_of(name)) is not None:
        assert file.startswith(("/proc/sys/", "/proc/irq/", "/sys/"))
        assert "/../" not in f"{file}/"


@pytest.mark.parametrize("value", ["1-0", "0-99999999999999999999", "70000"])
def test_a_journal_names_no_cpus_that_cannot_be(value: str) -> None:
    """What raised only when it was written kept `kubelb restore` from everything else on the host."""
    payload = {"settings": {"rps_cpus eth0 rx-0": value}, "irqbalance": Irqbalance().to_json()}
    with pytest.raises(ValueError, match=re.escape(value.partition("-")[0])):
        Found.from_json(payload)


def test_a_queue_number_without_an_end_is_no_queue_number() -> None:
    names = ("eth0-rx-1", "eth0-rx-" + "9" * 5000, "eth0-" + "9" * 5000)
    found = irqs.receiving([places.Irq(number, name, "eth0") for number, name in enumerate(names)])
    assert found[0].action == "eth0-rx-1"
    assert len(places.natural("9" * 5000)) > 1
