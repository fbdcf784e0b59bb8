"""Make the namespace of the workload where the inventory allows it. Touches that one Namespace.

It is never deleted: the Lease in it outlives sessions, and another session may have found its way into it by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import NAMESPACES, Json

if TYPE_CHECKING:
    from pytest_kubelb.cluster.client import Api

ENFORCE: Final = "pod-security.kubernetes.io/enforce"


def manifest(name: str) -> Json:
    """Give the Namespace: labelled as ours, and closed to pods that the restricted Pod Security Standard forbids."""
    labels = {MANAGED_BY_LABEL: MANAGER, ENFORCE: "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def ensure(api: Api, name: str) -> bool:
    """Make the namespace unless it is there; tell whether it was made. Raises TestbedError when that is forbidden."""
    if api.find(NAMESPACES, name) is not None:
        return False
    try:
        api.create(NAMESPACES, manifest(name))
    except ApiError as error:
        if error.status != 409:  # somebody else made it in the meantime
            raise
        return False
    return True
