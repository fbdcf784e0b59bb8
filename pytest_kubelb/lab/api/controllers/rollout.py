"""How many replicas the new and the old ReplicaSets of a Deployment should have. Pure.

The arithmetic of k8s.io/kubernetes/pkg/controller/deployment/rolling.go and util/deployment_util.go.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_kubelb.lab.api.objects import KubeObject


@dataclass(frozen=True)
class Progress:
    """One ReplicaSet during a roll-out."""

    wanted: int
    """Its spec.replicas."""
    actual: int
    """Pods it has."""
    available: int


def max_surge(deployment: KubeObject) -> int:
    """Pods that may be there above the count asked for; a percentage is rounded up."""
    return _share(deployment, "maxSurge", round_up=True)


def max_unavailable(deployment: KubeObject) -> int:
    """Pods that may be missing.

    A percentage is rounded down, and one pod if the surge would be none either.
    """
    replicas: int = deployment["spec"]["replicas"]
    allowed = _share(deployment, "maxUnavailable", round_up=False)
    if (
        deployment["spec"]["strategy"]["type"] == "RollingUpdate"
        and max_surge(deployment) == 0
        and allowed == 0
    ):
        return 1
    return int(min(allowed, replicas))


def next_replicas(deployment: KubeObject, new: Progress, old: Sequence[Progress]) -> tuple[int, list[int]]:
    """Give the replicas that the new ReplicaSet and each old one (oldest first) should have now."""
    replicas: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        gone = all(rs.actual == 0 and rs.wanted == 0 for rs in old)
        return (replicas if gone else new.wanted), [0 for _ in old]
    return _new_replicas(deployment, new, old), _old_replicas(deployment, new, old)


def _new_replicas(deployment: KubeObject, new: Progress, old: Sequence[Progress]) -> int:
    replicas = deployment["spec"]["replicas"]
    others = sum(rs.wanted for rs in old)
    if new.wanted >= replicas or others == 0:
        return int(replicas)
    room = replicas + max_surge(deployment) - others - new.wanted
    return int(min(replicas, new.wanted + max(room, 0)))


def _old_replicas(deployment: KubeObject, new: Progress, old: Sequence[Progress]) -> list[int]:
    replicas: int = deployment["spec"]["replicas"]
    floor = replicas - max_unavailable(deployment)
    total = new.wanted + sum(rs.wanted for rs in old)
    surplus = total - floor - max(new.wanted - new.available, 0)
    wanted = [rs.wanted for rs in old]
    for index, rs in enumerate(old):  # pods that do not serve go first: nobody misses them
        cut = max(min(surplus, rs.wanted - rs.available, wanted[index]), 0)
        wanted[index] -= cut
        surplus -= cut
    spare = new.available + sum(min(rs.available, rs.wanted) for rs in old) - floor
    for index in range(len(old)):
        cut = max(min(spare, surplus, wanted[index]), 0)
        wanted[index] -= cut
        spare -= cut
        surplus -= cut
    return wanted


def _share(deployment: KubeObject, field: str, *, round_up: bool) -> int:
    strategy: KubeObject = deployment["spec"]["strategy"]
    value: str | int = (strategy.get("rollingUpdate") or {}).get(field, 0)
    if isinstance(value, str) and value.endswith("%"):
        exact: float = int(value[:-1]) * deployment["spec"]["replicas"] / 100
        return math.ceil(exact) if round_up else math.floor(exact)
    return int(value)
