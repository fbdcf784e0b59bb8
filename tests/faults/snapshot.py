"""Everything of the lab that no session may leave changed. Touches the lab's hosts and API, for reading."""

from __future__ import annotations

import difflib
import json
import time
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    LEASES,
    NODES,
    PODS,
    SERVICES,
    Target,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.testbed.hosts import Hosts

    Snapshot = dict[str, str]

SETTLING_S = 15.0
"""kube-proxy and flannel follow the cluster, and sshd the end of its connections, in their own time."""

# Of kube-proxy's rules those for our Service: the others are made when it first has one. Neighbours and learnt
# addresses come and go by themselves. sshd and what answers this question are left out of the processes.
STATE = r"""
ip -br link | awk '{print $1, $2, $3}' | grep -v ^veth | sort
ip -4 -br address | sort; ip -4 rule; ip -4 route show table all | sort
iptables-save | grep -v '^#' | sed -n 's/\[[0-9:]*\]//; /KUBE/!p; /KUBE.*kubelb/p' | sort
ipvsadm --save -n 2>/dev/null
sysctl net.ipv4.ip_forward net.core.somaxconn net.ipv4.ip_local_port_range net.ipv4.tcp_max_syn_backlog
sysctl -e net.ipv4.vs net.core.rps_sock_flow_entries | grep -v sync_qlen_max
grep -s '' /sys/class/net/eth0/queues/*/?ps_* /proc/irq/*/smp_affinity_list
tc qdisc show | grep -v 'noqueue\|veth'
mount | grep -c .
find /tmp /run/kubelb* -not -path '/run/kubelb-lab*' 2>/dev/null | sort
for p in /proc/[0-9]*; do
  [ "$p/ns/net" -ef /proc/self/ns/net ] && read -r name <"$p/comm" && case $name in
    sshd*|sh|bash|nc|sed|grep|sort|uniq|awk|find|linux.uml|kworker*|nginx|python*|ssh) ;; *) echo "process $name";; esac
done | sort -u
:"""


def take(hosts: Hosts, names: tuple[str, ...], api: Api, namespace: str) -> Snapshot:
    """Give what each host and the cluster is like: place -> lines of text."""
    answers = hosts.each(names, ["sh", "-c", STATE])
    found = {name: answer.stdout for name, answer in answers.items()}
    for resource in (DEPLOYMENTS, SERVICES, PODS, ENDPOINT_SLICES):
        items = api.list(Target(resource, namespace))["items"]
        found[resource.plural] = "\n".join(sorted(item["metadata"]["name"] for item in items))
    flannel = api.find(CONFIG_MAPS, "kube-flannel-cfg", "kube-flannel") or {}
    found["overlay"] = json.dumps([flannel.get("data"), flannel.get("metadata", {}).get("annotations")])
    daemons = api.find(DAEMON_SETS, "kube-flannel-ds", "kube-flannel") or {}
    found["flannel"] = json.dumps(daemons.get("spec"), sort_keys=True)
    nodes = api.list(Target(NODES))["items"]
    found["nodes"] = "\n".join(sorted(str(node["metadata"].get("annotations")) for node in nodes))
    leases = api.list(Target(LEASES, namespace))["items"]
    found["holders"] = " ".join(str(lease["spec"].get("holderIdentity") or "") for lease in leases).strip()
    return found


def differences(before: Snapshot, now: Callable[[], Snapshot]) -> list[str]:
    """Give the lines that are there only before or only now; what goes within `SETTLING_S` is none."""
    deadline = time.monotonic() + SETTLING_S
    while True:
        after = now()
        found = [
            f"{place}: {line}"
            for place in before
            for line in difflib.ndiff(before[place].splitlines(), after[place].splitlines())
            if line.startswith(("+", "-"))
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
