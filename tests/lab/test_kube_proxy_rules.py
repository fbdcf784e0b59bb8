"""kube-proxy's rules as the lab writes them, compared with those that a real kube-proxy wrote."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from pytest_kubelb.lab.kube_proxy_rules import ServicePort, chain_names, jumps, rules

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "kube-proxy-v1.36.2-iptables.txt"

# What the reference shows: one Service with four endpoints beside the API server's own.
WEB = ServicePort(
    namespace="demo-1795400637",
    name="web",
    port_name="",
    cluster_ip="10.96.98.98",
    port=80,
    endpoints=tuple(f"10.244.0.{number}:80" for number in (242, 243, 244, 245)),
)
KUBERNETES = ServicePort("default", "kubernetes", "https", "10.96.0.1", 443, ("10.250.0.1:6443",))

Chains = dict[tuple[str, str], list[str]]

needs_iptables = pytest.mark.skipif(
    shutil.which("iptables-restore", path="/usr/sbin:/sbin:/usr/bin") is None,
    reason="iptables is not installed",
)


def by_chain(save: str) -> Chains:
    """Read `iptables-save`: (table, chain) -> its rules in order, without counters."""
    chains: Chains = defaultdict(list)
    table = ""
    for line in save.splitlines():
        if line.startswith("*"):
            table = line[1:]
        rule = re.sub(r"^\[\d+:\d+\] ", "", line)
        if rule.startswith("-A "):
            _, chain, rest = rule.split(" ", 2)
            chains[table, chain].append(re.sub(r"  +", " ", rest))
    return dict(chains)


def as_the_kernel_reads_them(text: str) -> Chains:
    """Load `text` in a network namespace of its own and read it back."""
    script = "iptables-restore --noflush && iptables-save"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], input=text, capture_output=True, text=True, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"this user may not make a network namespace: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return by_chain(done.stdout)


@needs_iptables
def test_the_rules_are_those_of_the_real_kube_proxy() -> None:
    if not REFERENCE.exists():
        pytest.skip(f"the rules of the real kube-proxy are not on this machine ({REFERENCE.name})")
    theirs = by_chain(REFERENCE.read_text())
    # kube-proxy leaves this one out as well where the kernel has no nfacct object of that name.
    theirs["filter", "KUBE-FORWARD"] = [
        rule for rule in theirs["filter", "KUBE-FORWARD"] if "nfacct" not in rule
    ]
    ours = as_the_kernel_reads_them(jumps() + rules([KUBERNETES, WEB], "10.244.0.0/16"))
    assert set(ours) == set(theirs)
    for chain in theirs:
        # The order within a chain is what decides; the lab may list Services in another order.
        compare = sorted if chain == ("nat", "KUBE-SERVICES") else list
        assert compare(ours[chain]) == compare(theirs[chain]), chain
    assert "KUBE-NODEPORTS" in ours["nat", "KUBE-SERVICES"][-1]


@needs_iptables
def test_a_change_replaces_the_service_chains_and_deletes_those_of_endpoints_that_left() -> None:
    fewer = ServicePort(WEB.namespace, WEB.name, "", WEB.cluster_ip, WEB.port, WEB.endpoints[:1])
    stale = [name for name in chain_names([WEB]) if name not in chain_names([fewer])]
    own_rule = "*nat\n-A POSTROUTING -m comment --comment mine -j ACCEPT\nCOMMIT\n"
    cidr = "10.244.0.0/16"
    ours = as_the_kernel_reads_them(jumps() + own_rule + rules([WEB], cidr) + rules([fewer], cidr, stale))
    assert {chain for table, chain in ours if chain.startswith("KUBE-SEP")} == {
        WEB.endpoint_chain(WEB.endpoints[0])
    }
    assert len(ours["nat", WEB.service_chain]) == 2  # the masquerade rule and the one endpoint
    assert "statistic" not in " ".join(ours["nat", WEB.service_chain])
    assert any("mine" in rule for rule in ours["nat", "POSTROUTING"]), "somebody else's rule was flushed"


@needs_iptables
def test_a_service_without_endpoints_is_rejected_and_not_forwarded() -> None:
    empty = ServicePort(WEB.namespace, WEB.name, "", WEB.cluster_ip, WEB.port, ())
    ours = as_the_kernel_reads_them(jumps() + rules([empty], "10.244.0.0/16"))
    assert "REJECT" in " ".join(ours["filter", "KUBE-SERVICES"])
    assert not any(chain.startswith("KUBE-SVC") for _, chain in ours)


def test_each_of_n_endpoints_is_chosen_with_probability_one_in_n() -> None:
    for count in (1, 2, 7, 40):
        endpoints = tuple(f"172.16.61.{number}:80" for number in range(2, 2 + count))
        text = rules([ServicePort("a", "b", "", "10.254.0.10", 80, endpoints)], "172.16.0.0/16")
        left = 1.0
        for rule in (line for line in text.splitlines() if "-> 172.16" in line):
            match = re.search(r"--probability ([\d.]+)", rule)
            chance = left * float(match[1]) if match else left
            assert chance == pytest.approx(1 / count, rel=1e-6)
            left -= chance
