"""Everything of the lab that no session may leave changed. Touches the lab's hosts and API, for reading."""

from __future__ import annotations

import difflib
import json
import re
import time
from typing import TYPE_CHECKING

from pytest_kubelb.cluster import resources
from pytest_kubelb.cluster.resources import Resource, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.cluster.resources import Json
    from pytest_kubelb.testbed.hosts import Hosts

    Snapshot = dict[str, str]

SETTLING_S = 15.0
"""kube-proxy and flannel follow the cluster, and sshd the end of its connections, in their own time."""

# Of kube-proxy's rules those for our Service: the others are made when it first has one. Neighbours and learnt
# addresses come and go by themselves, and with pods their links. Of the processes those are left out that sshd keeps
# for a connection, and what answers this question: its ancestors and its children.
STATE = r"""
ip -br link | awk '{print $1, $2, $3}' | grep -v ^veth | sort
ip -4 -br address | sort; ip -4 rule; ip -4 route show table all | sort
iptables-save | grep -v '^#' | sed -n 's/\[[0-9:]*\]//; /KUBE/!p; /KUBE.*kubelb/p' | sort
ipvsadm --save -n 2>/dev/null
sysctl -e -a 2>/dev/null | grep '^net\.' | grep -v 'veth\|sync_qlen_max\|nf_conntrack_count' | sort
grep -s '' /sys/class/net/eth0/queues/*/?ps_* /proc/irq/*/smp_affinity_list
tc qdisc show | grep -v 'noqueue\|veth'
mount | sed 's/ (.*//' | grep -v ' /run/netns' | sort
find /tmp /run /dev/shm ~root -not -path '/run/kubelb-lab*' -not -path '/run/netns/*' 2>/dev/null | sort
own=" "; p=$$; while [ "$p" -gt 1 ]; do own="$own$p "; set -- $(sed 's/.*) //' "/proc/$p/stat"); p=$2; done
for p in /proc/[0-9]*; do
  [ "$p/ns/net" -ef /proc/self/ns/net ] || continue
  line=; read -r line <"$p/cmdline"; read -r stat <"$p/stat"
  set -- ${stat##*) }
  case "$own" in *" ${p#/proc/} "* | *" $2 "*) [ "$2" -le 1 ] || continue ;; esac
  case $line in '' | sshd*) ;; *) echo "process $line" ;; esac
done 2>/dev/null | sort
:"""
_QUOTAS = Resource("", "v1", "resourcequotas")
_SECRETS = Resource("", "v1", "secrets")
_ACCOUNTS = Resource("", "v1", "serviceaccounts")
_REPLICA_SETS = Resource("apps", "v1", "replicasets")
_OURS = (
    resources.DEPLOYMENTS, _REPLICA_SETS, resources.SERVICES, resources.PODS, resources.ENDPOINT_SLICES,
    resources.CONFIG_MAPS, _QUOTAS, _SECRETS, _ACCOUNTS,
)  # fmt: skip
"""Kinds of the session's own namespace."""
_FLANNELS = (resources.CONFIG_MAPS, resources.DAEMON_SETS)
_COUNTED = ("resourceVersion", "generation", "managedFields")
"""What goes up with every change, there and back."""


def take(hosts: Hosts, names: tuple[str, ...], api: Api, namespace: str) -> Snapshot:
    """Give what each host and the cluster is like: place -> lines of text."""
    answers = hosts.each(names, ["sh", "-c", STATE])
    found = {name: answer.stdout for name, answer in answers.items()}
    targets = [
        *(Target(kind, namespace) for kind in _OURS),
        *(Target(kind, "kube-flannel") for kind in _FLANNELS),
        Target(resources.NODES),
        Target(resources.NAMESPACES),
    ]
    for target in targets:
        items = [_kept(item) for item in api.list(target)["items"]]
        found[str(target)] = "\n".join(sorted(json.dumps(item, sort_keys=True) for item in items))
    leases = api.list(Target(resources.LEASES, namespace))["items"]
    found["holders"] = " ".join(str(lease["spec"].get("holderIdentity") or "") for lease in leases).strip()
    return found


def differences(before: Snapshot, now: Callable[[], Snapshot], but: str = "") -> list[str]:
    """Give the lines that are there only before or only now, but those with the pattern `but`, if there is one.

    What goes within `SETTLING_S` is none.
    """
    deadline = time.monotonic() + SETTLING_S
    while True:
        after = now()
        found = [
            f"{place}: {line}"
            for place in before
            for line in difflib.ndiff(before[place].splitlines(), after[place].splitlines())
            if line.startswith(("+", "-")) and not (but and re.search(but, line))
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _kept(item: Json) -> Json:
    """Give an object as somebody made it: without its status, and without what counts its changes."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _COUNTED}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}
