"""Namespaces: filling new ones, emptying those that are to go, and counting for their quotas. Touches the API."""

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import is_deleting, key_of
from pytest_kubelb.lab.api.quantities import format_quantity
from pytest_kubelb.lab.api.quotas import quota_used
from pytest_kubelb.lab.api.resources import CONFIGMAPS, NAMESPACES, RESOURCEQUOTAS, RESOURCES, SERVICEACCOUNTS

_CONTENT = tuple(resource for resource in RESOURCES if resource.namespaced)


class NamespaceController:
    """Fills and empties namespaces."""

    def __init__(self, api: ClusterApi, ca_pem: str) -> None:
        self._api = api
        self._store = api.store
        self._ca_pem = ca_pem
        self._new: list[str] = []
        self._terminating: set[str] = set()
        self._emptier = False

    def observe(self, change: Change) -> None:
        """Note that a namespace is there, is to go, or lost something."""
        if change.resource == NAMESPACES:
            name = change.object["metadata"]["name"]
            if change.kind == "ADDED":
                self._new.append(name)
            if change.kind != "DELETED" and is_deleting(change.object):
                self._terminating.add(name)
                self._emptier = True
        elif change.kind == "DELETED" and change.object["metadata"].get("namespace") in self._terminating:
            self._emptier = True

    def reconcile(self) -> bool:
        """Fill the new ones, empty those that are to go, and remove them once they are empty."""
        busy = bool(self._new) or self._emptier
        new, self._new, emptier, self._emptier = self._new, [], self._emptier, False
        for name in new:
            self._fill(name)
        if emptier:
            for name in sorted(self._terminating):
                self._empty(name)
        return busy

    def _fill(self, name: str) -> None:
        namespace = self._store.find(NAMESPACES, "", name)
        if namespace is None or is_deleting(namespace):
            return
        if self._store.find(SERVICEACCOUNTS, name, "default") is None:
            self._api.create(SERVICEACCOUNTS, name, {"metadata": {"name": "default"}})
        if self._store.find(CONFIGMAPS, name, "kube-root-ca.crt") is None:
            body = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self._ca_pem}}
            self._api.create(CONFIGMAPS, name, body)

    def _empty(self, name: str) -> None:
        left = 0
        for resource in _CONTENT:
            for obj in self._store.all(resource, name):
                gone = False
                if not is_deleting(obj):
                    _, gone = self._api.delete(resource, *key_of(obj), DeleteOptions())
                left += not gone
        if not left:
            self._terminating.discard(name)
            self._api.finalize(name)


class QuotaController:
    """Keeps the status of every ResourceQuota: what is allowed and what is used."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._store = api.store
        self._dirty: set[str] = set()

    def observe(self, change: Change) -> None:
        """Something that may be counted came, went or changed."""
        if change.resource.namespaced:
            self._dirty.add(change.object["metadata"]["namespace"])

    def reconcile(self) -> bool:
        """Count again in every namespace that is noted."""
        dirty, self._dirty = self._dirty, set()
        quotas = [
            quota for namespace in sorted(dirty) for quota in self._store.all(RESOURCEQUOTAS, namespace)
        ]
        for quota in quotas:
            used = {item: format_quantity(amount) for item, amount in quota_used(self._store, quota).items()}
            self._api.write_status(
                RESOURCEQUOTAS, quota, {"hard": quota["spec"].get("hard") or {}, "used": used}
            )
        return bool(quotas)
