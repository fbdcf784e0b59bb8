"""A Lease in the cluster that one session holds at a time. Touches this one Lease.

Fields and protocol are those of client-go's leader election (k8s.io/client-go/tools/leaderelection): the times in the
Lease are for people. Whether a holder is alive is judged by our own clock only, by how long its renewTime has been
unchanged under our eyes: clocks of different machines that disagree cannot steal a live Lease. Every write names the
resourceVersion that it builds on, so that of two sessions that take it at once one gets it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, NAME_LABEL
from pytest_kubelb.cluster.refusal import ApiError, as_described
from pytest_kubelb.cluster.resources import LEASES, Json, Target
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.pools import pool
from pytest_kubelb.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.cluster.client import Api

NAME: Final = "kubelb"
DURATION_S: Final = 30
"""A holder that does not renew for as long is dead to others."""
LONGEST_S: Final = 300
"""The longest that a holder without a sign of life is waited for, whatever its Lease says: anybody who may write there
can ask for 68 years, and a session renews every RENEW_EVERY_S."""
RENEW_EVERY_S: Final = 10.0
RENEW_DEADLINE_S: Final = 25.0
"""A holder that could not renew for as long holds it no more: before others may take it."""

_RACED = frozenset({404, 409})
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # metav1.MicroTime takes exactly six digits


class LeaseLostError(TestbedError):
    """The Lease that this session held is somebody else's, or nobody's."""


@dataclass(frozen=True)
class Holder:
    """Who holds a Lease, as it says itself."""

    identity: str
    since: str
    """acquireTime."""
    renewed: str
    """renewTime."""
    duration_s: int
    """leaseDurationSeconds."""


class Lease:
    """One Lease, as one session sees it. Threads may share it."""

    def __init__(self, api: Api, namespace: str, identity: str, *, duration_s: int = DURATION_S) -> None:
        """`identity` tells this session from every other one; nothing is asked yet."""
        self._api = api
        self._namespace = namespace
        self._identity = identity
        self._duration_s = duration_s
        self._item: Json | None = None
        self._may_hold = False
        self._renewed_s = 0.0
        self._busy = threading.Lock()

    def __str__(self) -> str:
        return f"Lease {NAME} in namespace {self._namespace}"

    @property
    def age_s(self) -> float:
        """Seconds since this session began its last renewal, those of a suspended machine included."""
        return _clock_s() - self._renewed_s

    def acquire(self, *, wait: bool, on_held: Callable[[Holder], None]) -> Holder | None:
        """Take the Lease; gives the dead holder that it was taken from, None when it was free.

        `on_held` is told of every other holder that is met. Without `wait` one that is alive is an error: it shows by
        its next renewal. Raises TestbedError for that, when the cluster refuses, and when the Lease is not ours by
        label.
        """
        told = ""
        try:
            while True:
                found = self._find()
                holder = holder_of(found)
                if holder is None:
                    if self._take(found):
                        return None
                    continue
                if holder.identity != told:
                    told = holder.identity
                    on_held(holder)
                alive = self._outlive(found, holder)
                if alive is None:
                    if self._take(found):
                        return holder
                elif not wait:
                    raise TestbedError(
                        f"the testbed is held by {alive.identity} since {alive.since} ({self}, renewed"
                        f" {alive.renewed}): wait for its end, or let this session wait with --kubelb-on-locked=wait"
                    )
        except ApiError as error:
            raise self._explained(error) from error

    def renew(self) -> None:
        """Say that the holder is alive. Raises LeaseLostError when it is not ours any more, ApiError without answer."""
        with self._busy:
            for _ in range(2):
                try:
                    self._write(self._ours(self._item), {"renewTime": _now()})
                except ApiError as error:
                    if error.status not in _RACED:
                        raise
                    # By somebody's label, or by our own write whose answer was lost: then it is still ours.
                    self._item = self._ours(self._find())
                else:
                    return

    def confirm(self) -> None:
        """Look whether the Lease is still ours. Raises as `renew` does."""
        with self._busy:
            self._item = self._ours(self._find())

    def release(self) -> None:
        """Clear the holder if it is us; the Lease stays, as client-go leaves it. Raises ApiError without answer."""
        with self._busy:
            while self._may_hold:
                if self._item is None:  # what became of our last write is not known
                    found = self._find()
                    if found is None or not self._is_held_by_us(found):
                        break
                    self._item = found
                try:
                    self._write(self._item, {"holderIdentity": ""})
                except ApiError as error:
                    if error.status not in _RACED:
                        raise
                    self._item = None
                else:
                    break
            self._item, self._may_hold = None, False

    def left_by(
        self, lives_here: Callable[[str, str], bool | None], on_held: Callable[[Holder], None]
    ) -> tuple[Holder | None, bool]:
        """Give who holds it and whether that session may be alive; takes nothing. Raises ApiError.

        `lives_here` tells it by identity and acquireTime for a session of this machine. One of another, None, is alive
        if it renews within its own leaseDurationSeconds: `on_held` is told before that is waited for.
        """
        found = self._find()
        holder = holder_of(found)
        if holder is None:
            return None, False
        here = lives_here(holder.identity, holder.since)
        if here is not None:
            return holder, here
        on_held(holder)
        alive = self._outlive(found, holder)
        return alive or holder, alive is not None

    def clear(self, dead: Holder) -> None:
        """Take the Lease from a dead holder, and leave it to nobody; nothing where it has changed since."""
        with self._busy:
            found = self._find()
            if found is not None and holder_of(found) == dead:
                self._write(found, {"holderIdentity": ""})

    def _outlive(self, found: Json | None, holder: Holder) -> Holder | None:
        """Watch the holder: give it as renewed, or who came after it; None when it is gone or dead."""
        version = _version(found)

        def judge(state: State) -> tuple[Holder | None] | None:
            if state[0] is None:
                return None
            now = state[0].get(NAME)
            return None if _version(now) == version else (holder_of(now),)

        target = Target(LEASES, self._namespace, fields=f"metadata.name={NAME}")
        with Watcher(self._api, [target]) as watcher:
            try:
                return watcher.wait_for(judge, holder.duration_s)[0]
            except TimeoutError:
                return None

    def _take(self, found: Json | None) -> bool:
        """Write us as the holder; False when somebody else was faster."""
        now = _now()
        with as_described(f"Lease {NAME}"):
            told = (found or {}).get("spec") or {}
            transitions = 0 if found is None else int(told.get("leaseTransitions") or 0) + 1
        spec: Json = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._duration_s,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        # A signal does not break off a write, after which nobody would know whether it still comes to be.
        with pool(1, "kubelb-lease") as executor:
            return executor.submit(self._taken, found, spec).result()

    def _taken(self, found: Json | None, spec: Json) -> bool:
        with self._busy:
            self._may_hold = True
            try:
                if found is not None:
                    self._write(found, spec)
                    return True
                labels = {NAME_LABEL: NAME, MANAGED_BY_LABEL: MANAGER}
                asked_s = _clock_s()
                body = {"metadata": {"name": NAME, "labels": labels}, "spec": spec}
                self._item = self._api.create(LEASES, body, self._namespace, is_ours=self._is_held_by_us)
                self._renewed_s = asked_s
            except ApiError as error:
                # A namespace that is not there is 404 as well, when something is to be made in it.
                if error.status == 409 or (error.status == 404 and found is not None):
                    return False
                raise
        return True

    def _is_held_by_us(self, found: Json) -> bool:
        holder = holder_of(found)
        return holder is not None and holder.identity == self._identity

    def _write(self, onto: Json, spec: Json) -> None:
        asked_s = _clock_s()
        body = {"metadata": {"resourceVersion": _version(onto)}, "spec": spec}
        self._item = self._api.patch(LEASES, NAME, body, self._namespace)
        self._renewed_s = asked_s

    def _find(self) -> Json | None:
        found = self._api.find(LEASES, NAME, self._namespace)
        manager = ((found or {}).get("metadata", {}).get("labels") or {}).get(MANAGED_BY_LABEL)
        if found is not None and manager != MANAGER:
            raise TestbedError(
                f"{self} has {MANAGED_BY_LABEL}={manager}, not {MANAGER}, and is left alone; choose another namespace"
                " in the inventory or remove it by hand"
            )
        return found

    def _ours(self, found: Json | None) -> Json:
        if found is not None and self._is_held_by_us(found):
            return found
        holder = holder_of(found)
        now = f"held by {holder.identity} since {holder.since}" if holder is not None else "held by nobody"
        raise LeaseLostError(
            f"the testbed was taken from this session: {self} is now {now}; see who did it, and measure again"
        )

    def _explained(self, error: ApiError) -> TestbedError:
        if error.status not in (403, 404):
            return error
        return TestbedError(
            f"the testbed cannot be locked: {error}; deploy/rbac.yaml has the namespace and the Role"
        )


def holder_of(found: Json | None) -> Holder | None:
    """Give who holds this Lease; None when there is none, or nobody does."""
    with as_described(f"Lease {NAME}"):
        spec = (found or {}).get("spec") or {}
        if not spec.get("holderIdentity"):
            return None
        return Holder(
            printable(str(spec["holderIdentity"])),
            printable(str(spec.get("acquireTime") or "an unknown time")),
            printable(str(spec.get("renewTime") or "never")),
            max(1, min(int(spec.get("leaseDurationSeconds") or DURATION_S), LONGEST_S)),
        )


def _version(found: Json | None) -> str:
    if found is None:
        return ""
    with as_described(f"Lease {NAME}"):
        return str(found["metadata"]["resourceVersion"])


def _now() -> str:
    return datetime.now(UTC).strftime(_MICRO_TIME)


def _clock_s() -> float:
    # Linux' monotonic clock stands still while the machine is suspended, and others go on counting.
    return time.clock_gettime(time.CLOCK_BOOTTIME)
