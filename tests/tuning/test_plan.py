"""What profiles mean on hosts that no kernel here is: the seed's load balancer, managed interrupts, cpufreq.

The readings are values, since this machine has neither the NICs nor the CPUs; real ones are in the other modules.
"""

from __future__ import annotations

from pytest_kubelb.tuning import found, script
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.places import Irq
from pytest_kubelb.tuning.plan import plan
from pytest_kubelb.tuning.profile import READY
from pytest_kubelb.tuning.reading import Reading, Subjects
from pytest_kubelb.tuning.reading import parse as parse_reading

IRQS = (Irq(81, "eth0-tx-0", "eth0"), *(Irq(81 + queue, f"eth0-rx-{queue}", "eth0") for queue in range(1, 5)))
K11 = Reading(
    settings={
        **{irq.setting: "0-15" for irq in IRQS},
        **{f"rps_cpus eth0 rx-{queue}": "none" for queue in range(4)},
        **{f"rps_flow_cnt eth0 rx-{queue}": "0" for queue in range(4)},
        **{f"governor cpu{cpu}": "ondemand" for cpu in range(16)},
        "rps_sock_flow_entries": "0",
        "irqbalance": "running",
        "turbo": "on",
    },
    online=frozenset(range(16)),
    first_namespace=True,
    irqs=IRQS,
    governors=("ondemand", "performance"),
    irqbalance=Irqbalance(("/usr/sbin/irqbalance",), installed=True),
    no_turbo=True,
)


def test_the_seed_s_profile_gives_what_the_seed_was_measured_with() -> None:
    made = plan(READY["seed"], "eth0", K11)
    assert made.unsupported == {}
    assert made.settings == {
        "irqbalance": "stopped",
        **{f"irq {81 + queue} eth0-rx-{queue}": "0" for queue in range(1, 5)},
        **{f"rps_cpus eth0 rx-{queue}": "1-7" for queue in range(4)},
        "rps_sock_flow_entries": "32768",
        **{f"rps_flow_cnt eth0 rx-{queue}": "8192" for queue in range(4)},
    }
    lines = script.write_lines(made.settings, K11, K11.irqbalance)
    assert any(line.endswith(" fe /sys/class/net/eth0/queues/rx-0/rps_cpus") for line in lines)
    assert any(line.endswith(" 0 /proc/irq/82/smp_affinity_list") for line in lines)


def test_the_ready_profiles_fit_any_number_of_cpus_but_the_seed_s() -> None:
    rss = plan(READY["rss"], "eth0", K11).settings
    assert [rss[f"irq {81 + queue} eth0-rx-{queue}"] for queue in range(1, 5)] == ["0", "1", "2", "3"]
    assert plan(READY["rps"], "eth0", K11).settings["rps_cpus eth0 rx-3"] == "1-15"
    rfs = plan(READY["rfs"], "eth0", K11).settings
    assert (rfs["rps_sock_flow_entries"], rfs["rps_flow_cnt eth0 rx-3"]) == ("32768", "8192")


def test_interrupts_go_round_when_there_are_more_queues_than_cpus() -> None:
    made = plan(Knobs(rss=Spread(parse("2,3"), in_turn=True)), "eth0", K11).settings
    assert list(made.values()) == ["2", "3", "2", "3"]


def test_frequency_knobs_reach_every_cpu_and_the_right_turbo_file() -> None:
    made = plan(Knobs(governor="performance", turbo=False), "", K11)
    assert made.settings == {**{f"governor cpu{cpu}": "performance" for cpu in range(16)}, "turbo": "off"}
    lines = script.write_lines(made.settings, K11, K11.irqbalance)
    assert any(line.endswith(" 1 /sys/devices/system/cpu/intel_pstate/no_turbo") for line in lines)
    assert (
        "it has ondemand, performance" in plan(Knobs(governor="userspace"), "", K11).unsupported["governor"]
    )


def test_irqbalance_is_stopped_first_and_started_last_and_channels_come_before_queues() -> None:
    names = ["sysctl a.b", "rps_cpus eth0 rx-0", "channels eth0 rx", "irqbalance", "irq 1 x", "rings eth0 rx"]
    there = ["irqbalance", "channels eth0 rx", "rings eth0 rx", "irq 1 x", "rps_cpus eth0 rx-0", "sysctl a.b"]
    back = ["channels eth0 rx", "rings eth0 rx", "sysctl a.b", "rps_cpus eth0 rx-0", "irq 1 x", "irqbalance"]
    assert script.ordered(names) == there
    assert script.ordered(names, undo=True) == back


def test_what_was_found_is_kept_by_the_name_of_the_interrupt_and_found_again_under_another_number() -> None:
    kept = found.Found().having(K11, ["irq 82 eth0-rx-1"])
    assert kept.settings == {"irq eth0 eth0-rx-1": "0-15"}
    assert found.Found.from_json(kept.to_json()) == kept
    renumbered = Irq(120, "eth0-rx-1", "eth0")
    later = Reading({renumbered.setting: "1"}, K11.online, first_namespace=True, irqs=(renumbered,))
    assert kept.here(later) == {"irq 120 eth0-rx-1": "0-15"}
    assert kept.subjects() == Subjects(nics=("eth0",))


def test_who_changes_channels_has_the_whole_nic_in_the_journal() -> None:
    now = Reading({**K11.settings, "channels eth0 rx": "4"}, K11.online, first_namespace=True, irqs=IRQS)
    kept = found.Found().having(now, ["channels eth0 rx"]).settings
    assert set(kept) == {
        "channels eth0 rx",
        *(f"irq eth0 {irq.action}" for irq in IRQS),
        *(name for name in now.settings if name.startswith(("rps_cpus", "rps_flow_cnt"))),
    }


def test_what_the_host_refused_is_given_to_each_setting_of_the_command() -> None:
    changes = {"rps_cpus eth0 rx-0": "1", "coalesce eth0 rx-usecs": "8", "coalesce eth0 tx-usecs": "8"}
    assert script.names_of(changes) == [
        ("coalesce eth0 rx-usecs", "coalesce eth0 tx-usecs"),
        ("rps_cpus eth0 rx-0",),
    ]
    refused = script.refusals({"failed 0": ["netlink error: Invalid argument", "offset 4"]}, changes)
    assert refused == dict.fromkeys(
        ("coalesce eth0 rx-usecs", "coalesce eth0 tx-usecs"), "netlink error: Invalid argument; offset 4"
    )


def test_a_reading_of_a_kernel_with_wide_masks_is_the_list_form() -> None:
    # The seed's kernel was built for 512 CPUs.
    text = f"@@files\n/sys/class/net/eth0/queues/rx-0/rps_cpus:{','.join(['00000000'] * 15)},000000fe\n"
    assert parse_reading(text, Subjects(("eth0",))).settings == {"rps_cpus eth0 rx-0": "1-7"}
