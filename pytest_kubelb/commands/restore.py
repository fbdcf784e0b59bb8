"""`kubelb restore`: put back what sessions that were killed left. Touches the hosts and the cluster of the inventory.

What each host was like is in journals on the host itself (see `testbed.journal`); in the cluster, labels and
annotations say whose everything is. A session that still runs is left alone.
"""

from __future__ import annotations

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError, KubelbError, TestbedError
from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_kubelb.backends.base import Remote
    from pytest_kubelb.cluster.lease import Holder
    from pytest_kubelb.cluster.leftovers import Leftovers
    from pytest_kubelb.commands.running import Running
    from pytest_kubelb.testbed.inventory import Inventory
    from pytest_kubelb.testbed.leftovers import Restored

ENVIRONMENT: Final = "KUBELB_INVENTORY"
CLUSTER: Final = "cluster"

log = logging.getLogger(__name__)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb restore`."""
    text = "put back what a killed session changed on the hosts and in the cluster; safe to run twice"
    parser = groups.add_parser("restore", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help=f"The testbed. Default: {ENVIRONMENT}, or the lab that is up.",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="Put back what a session left that seems to be alive, too. For who knows that it is not: a run of a "
        "session that does live is lost.",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.testbed.hosts import Hosts

    inventory = _inventory(arguments.inventory or os.environ.get(ENVIRONMENT))
    if not inventory.testbed.ssh_config.is_file():
        inventory.require_files()
    names = inventory.roles.hosts
    with Hosts(inventory.testbed.ssh_config, names) as hosts:
        outcomes = restore_all(inventory, [hosts[name] for name in names], force=arguments.force)
    for outcome in outcomes:
        for line in outcome.lines:
            say(f"{outcome.place}: {line}")
        for problem in outcome.problems:
            say(f"{outcome.place}: NOT restored: {problem}")
    if not any(outcome.lines or outcome.problems for outcome in outcomes):
        print(f"nothing to put back on {len(names)} hosts and in the cluster")
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _inventory(file: Path | str | None) -> Inventory:
    """Read the inventory; backends that it has from other plugins matter to nobody here. Raises ConfigError."""
    from pytest_kubelb.lab import launch
    from pytest_kubelb.testbed import inventory

    if file is not None:
        return inventory.load(Path(file), plugged_in=_backends(Path(file)))
    lab = launch.find()
    if lab is None:
        raise ConfigError(
            f"kubelb restore needs a testbed: name it with --inventory FILE or in {ENVIRONMENT}; no lab is up either."
        )
    return inventory.load(lab.inventory)


def _backends(file: Path) -> tuple[str, ...]:
    import tomllib

    from pytest_kubelb import bounded
    from pytest_kubelb.testbed.inventory import LARGEST

    try:
        table = tomllib.loads(bounded.read_bytes(file, LARGEST).decode("utf-8")).get("backends")
    except (OSError, ValueError, RecursionError):  # said by who reads it next
        return ()
    return tuple(table) if isinstance(table, dict) else ()


def restore_all(inventory: Inventory, hosts: Sequence[Remote], *, force: bool = False) -> list[Restored]:
    """Put back every host and the cluster, in parallel; what cannot be reached or restored does not keep the others.

    First all are asked, since whether a session is alive shows on this machine, on the hosts and in the cluster; with
    `force` none is taken to be.
    """
    from pytest_kubelb.commands.running import Running
    from pytest_kubelb.testbed import leftovers
    from pytest_kubelb.testbed.leftovers import Restored

    with ThreadPoolExecutor(len(hosts) + 1, thread_name_prefix="kubelb-restore") as pool:
        in_cluster = pool.submit(_Cluster, inventory)
        asked = {host.name: pool.submit(leftovers.find, host) for host in hosts}
        cluster = in_cluster.result()
        found, outcomes = {}, []
        for name, answer in asked.items():
            try:
                found[name] = answer.result()
            except TestbedError as error:
                outcomes.append(Restored(name, problems=(str(error),)))
        running = Running(found, cluster.found, force=force)
        began = [
            pool.submit(leftovers.put_back, host, found[host.name], running.of_journal(host.name))
            for host in hosts
            if host.name in found
        ]
        last = cluster.put_back(running)
        return [*outcomes, *(each.result() for each in began), last]


class _Cluster:
    """The cluster's part; one that cannot be reached has a problem and nothing else."""

    def __init__(self, inventory: Inventory) -> None:
        from pytest_kubelb.cluster.client import Api
        from pytest_kubelb.cluster.leftovers import ClusterLeftovers
        from pytest_kubelb.testbed.identity import lives_here

        self.found: Leftovers | None = None
        self._problem = ""
        self._opened = ExitStack()
        where = inventory.cluster
        try:
            api = Api(where.kubeconfig, where.context, on_event=log.info, timeout_s=5.0, retry_for_s=2.0)
            self._opened.enter_context(api)
            self._left = ClusterLeftovers(api, where.namespace, inventory.flannel)
            self.found = self._left.find(lives_here, _tell)
        except KubelbError as error:
            self._problem = str(error)

    def put_back(self, running: Running) -> Restored:
        from pytest_kubelb.testbed.leftovers import Restored

        with self._opened:
            if self.found is None:
                return Restored(CLUSTER, problems=(self._problem,))
            lines, problems = self._left.put_back(self.found, running.of_session)
        return Restored(CLUSTER, tuple(lines), tuple(problems))


def _tell(holder: Holder) -> None:
    print(
        f"{CLUSTER}: the testbed is held by {holder.identity} since {holder.since}: seeing for up to"
        f" {holder.duration_s} s whether it is alive",
        file=sys.stderr,
    )
