"""What sessions that were killed left in the cluster: find it, put it back. Touches what carries our label.

That is Deployments and Services in the inventory's namespace; flannel's configuration; a Lease that nobody renews.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.lease import Holder, Lease
from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, SESSION_LABEL
from pytest_kubelb.cluster.overlay import Changed, Overlay, backend_type
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import DEPLOYMENTS, SERVICES, Json, Resource, Target
from pytest_kubelb.cluster.workload import wait_until_gone
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.cluster.flannel import Flannel


@dataclass(frozen=True)
class Leftovers:
    """What the cluster has."""

    holder: Holder | None
    """Who holds the Lease."""
    is_alive: bool
    """Whether that session may be alive."""
    objects: tuple[tuple[str, Resource, Json], ...]
    """Deployments and Services with our label, each with its kind."""
    overlay: Changed | None
    """Who changed flannel's configuration and has not put it back."""


class ClusterLeftovers:
    """The cluster of one inventory."""

    def __init__(self, api: Api, namespace: str, flannel: Flannel) -> None:
        self._api = api
        self._namespace = namespace
        self._overlay = Overlay(api, flannel)
        self._lease = Lease(api, namespace, "")

    def find(
        self, lives_here: Callable[[str, str], bool | None], on_held: Callable[[Holder], None]
    ) -> Leftovers:
        """Ask the cluster; raises TestbedError.

        `lives_here` says by a holder's identity and acquireTime whether it runs, None where it is of another machine.
        That one is waited for, for as long as its Lease lasts, to see whether it renews; `on_held` is told before.
        """
        ours = f"{MANAGED_BY_LABEL}={MANAGER}"
        objects = [
            (kind, resource, item)
            for kind, resource in (("Deployment", DEPLOYMENTS), ("Service", SERVICES))
            for item in self._api.list(Target(resource, self._namespace, labels=ours))["items"]
        ]
        try:
            changed = self._overlay.changed()
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            changed = None  # who may not read it has not changed it
        holder, is_alive = self._lease.left_by(lives_here, on_held)
        return Leftovers(holder, is_alive, tuple(objects), changed)

    def put_back(self, found: Leftovers, still_running: Callable[[str], str]) -> tuple[list[str], list[str]]:
        """Put back what sessions that have ended left; what was put back, and what was not, a line each.

        `still_running` gives the sentence for a session, by its id in small letters, that has not ended, empty for one
        that has. One step that fails does not keep the others.
        """
        lines: list[str] = []
        problems: list[str] = []
        for step in (self._objects, self._flannel, self._holder):
            try:
                step(found, still_running, lines, problems)
            except TestbedError as error:
                problems.append(str(error))
        return lines, problems

    def _objects(
        self, found: Leftovers, still_running: Callable[[str], str], lines: list[str], problems: list[str]
    ) -> None:
        gone: dict[str, None] = {}
        for kind, resource, item in found.objects:
            session = (item["metadata"].get("labels") or {}).get(SESSION_LABEL, "")
            what = f"{kind} {item['metadata']['name']} of session {session}"
            if reason := still_running(session):
                problems.append(f"{what} stays: {reason}")
                continue
            self._api.delete(resource, item)
            lines.append(f"{what}: deleted")
            gone[session] = None
        for session in gone:
            wait_until_gone(
                self._api, self._namespace, f"{MANAGED_BY_LABEL}={MANAGER},{SESSION_LABEL}={session}"
            )

    def _flannel(
        self, found: Leftovers, still_running: Callable[[str], str], lines: list[str], problems: list[str]
    ) -> None:
        changed = found.overlay
        if changed is None:
            return
        if changed.namespace != self._namespace:
            # Its Lease is in another namespace, so nothing here says whether it lives.
            problems.append(
                f"the overlay is as {changed.by} has set it since {changed.since}, who works in namespace"
                f" {changed.namespace}: restore with an inventory of that namespace"
            )
            return
        if reason := still_running(changed.by.rpartition(" ")[2].lower()):
            problems.append(f"the overlay stays: {reason}")
            return
        now = self._overlay.read()
        self._overlay.take_over(changed)
        self._overlay.restore()
        before = backend_type(changed.configuration)
        lines.append(f"overlay of {changed.by}, since {changed.since}: {now} -> {before}")

    def _holder(
        self, found: Leftovers, still_running: Callable[[str], str], lines: list[str], problems: list[str]
    ) -> None:
        holder = found.holder
        if holder is None:
            return
        if reason := still_running(holder.identity.rpartition(" ")[2].lower()):
            problems.append(reason)
            return
        self._lease.clear(holder)
        lines.append(f"{self._lease} of {holder.identity}, since {holder.since}: released")
