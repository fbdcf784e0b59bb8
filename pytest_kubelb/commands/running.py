"""Which sessions still run, by all that was found: this machine, the hosts' locks, the Lease. Reads our own /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.testbed import identity, journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kubelb.cluster import leftovers as in_cluster
    from pytest_kubelb.testbed import leftovers as on_host
    from pytest_kubelb.testbed.journal import Journal


class Running:
    """What says that a session has not ended; each answer is a sentence, empty for one that has."""

    def __init__(
        self,
        hosts: Mapping[str, on_host.Leftovers],
        cluster: in_cluster.Leftovers | None,
        *,
        force: bool,
    ) -> None:
        """`cluster` is None where it could not be asked; with `force` every session has ended."""
        self._hosts = hosts
        self._holder = cluster.holder if cluster is not None and cluster.is_alive else None
        self._force = force

    def of_journal(self, host: str) -> Callable[[Journal], str]:
        """Give what answers for the journals of a host."""
        return lambda left: self._of_journal(host, left)

    def _of_journal(self, host: str, left: Journal) -> str:
        if self._force:
            return ""
        if journal.is_running(left):
            return (
                f"session {left.session} is still running here as process {left.process}; end it, and it puts back"
                " itself"
            )
        if held_by := self._hosts[host].held_by:
            return f"the host is held by {held_by}; wait for its end, or give --force if you know that it is dead"
        return self.of_session(left.session.lower())

    def of_session(self, session: str) -> str:
        """Answer for a session by its id in small letters, wherever it shows."""
        if self._force:
            return ""
        for found in self._hosts.values():
            for left in found.listing.journals:
                if left.session.lower() == session and journal.is_running(left):
                    return f"session {left.session} is still running here as process {left.process}"
        for host, found in self._hosts.items():
            if found.held_by and identity.session_of(found.held_by).lower() == session:
                return f"host {host} is held by {found.held_by}; wait for its end"
        holder = self._holder
        if holder is None:
            return ""
        # Whoever holds the Lease replaces what others left in its namespace, so it is left to that session.
        return (
            f"the testbed is held by {holder.identity} since {holder.since}, renewed {holder.renewed}; wait for its"
            " end, or give --force if you know that it is dead"
        )
