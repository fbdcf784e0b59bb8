"""What a host says it is."""

from __future__ import annotations

import subprocess
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb import host_facts
from pytest_kubelb.evidence.spec import NicSpec, NodeSpec
from pytest_kubelb.evidence.specs import parse

SAID = (
    "kernel Linux 6.1.0-28-amd64 x86_64\ncpus 16\ncpu Intel(R) Xeon(R) CPU E5-2450 0 @ 2.10GHz\n"
    "memory_kib 32768000\nnics\nnic eth0 tg3:1000:1500\nlink eth0 tg3:1000:1500:5:1\n"
    "offload eth0 tcp-segmentation-offload\noffload eth0 generic-receive-offload\nlink bond0 :-1:1500:1:1\n"
)


def test_a_node_has_its_nics_with_queues_speed_and_offloads() -> None:
    offloads = ("tcp-segmentation-offload", "generic-receive-offload")
    assert parse("k11", SAID) == NodeSpec(
        host="k11",
        kernel="Linux 6.1.0-28-amd64 x86_64",
        cpu="Intel(R) Xeon(R) CPU E5-2450 0 @ 2.10GHz",
        cpus=16,
        memory_mib=32000,
        nics={
            "eth0": NicSpec("tg3", 1000, 1500, 5, 1, offloads),
            "bond0": NicSpec(None, None, 1500, 1, 1, ()),
        },
    )


def test_a_node_that_says_nothing_is_empty() -> None:
    assert parse("k11", "") == NodeSpec("k11", "", None, 0, 0, {})


def test_a_node_comes_back_from_json_equal() -> None:
    for spec in (parse("k11", SAID), parse("k12", ""), replace(parse("k11", SAID), cpu=None)):
        assert NodeSpec.from_json(spec.to_json()) == spec


def test_this_machine_says_what_it_is() -> None:
    done = subprocess.run(["sh", "-c", host_facts.SCRIPT], capture_output=True, text=True, check=True)
    spec = parse("here", done.stdout)
    assert spec.cpus >= 1
    assert spec.memory_mib > 0
    assert "lo" not in spec.nics
    assert not [name for name in spec.nics if name.startswith("veth")]


@given(
    st.text()
    | st.lists(
        st.sampled_from(["link a b:c:d:e:f", "link", "link a :::", "offload", "offload a", "link a ::²:-1:4"])
    ).map("\n".join)
)
def test_any_answer_gives_a_node(text: str) -> None:
    spec = parse("k11", text)
    assert NodeSpec.from_json(spec.to_json()) == spec
