"""The lock on hosts over a real sshd, beside a Lease in the embedded API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME, Lease
from pytest_kubelb.cluster.resources import LEASES
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import locking
from pytest_kubelb.testbed.hosts import Host, Hosts
from pytest_kubelb.testbed.locking import Lock
from tests.lab.api.cluster import cluster, until

from .openssh import OpenSSH, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Take = Callable[..., Lock]

ANN, BOB = "ann@laptop pid 1 session a", "bob@desk pid 2 session b"

# A session of its own process: it takes the lock of h1 in FOLDER, says so, and waits for its end.
SESSION = """
import sys, time
from pathlib import Path
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import Lease
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.locking import Lock

ssh_config, folder, kubeconfig, silence_s = sys.argv[1:]
with Hosts(Path(ssh_config), ["h1"]) as hosts, Api(Path(kubeconfig), on_event=print) as api:
    lease = Lease(api, "default", "carl")
    hosts = {"h1": hosts["h1"]}
    lock = Lock(lease, hosts, "carl@den pid 3 session c", folder=folder, silence_s=float(silence_s))
    lock.take_hosts(wait=False, patience_s=0)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> OpenSSH:
    return prepare(tmp_path_factory.mktemp("openssh"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with cluster(tmp_path_factory.mktemp("api")) as running:
        yield running.kubeconfig


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[Api]:
    with Api(kubeconfig, on_event=print, retry_for_s=0, timeout_s=2) as opened:
        yield opened


@pytest.fixture
def take(server: OpenSSH, api: Api, folder: Path) -> Iterator[Take]:
    """Make the lock of one session on h1 and h2, over connections of its own; its Lease is in `default`."""
    with ExitStack() as stack:

        def made(identity: str, *names: str, silence_s: float = 30.0, leased: bool = False) -> Lock:
            hosts = stack.enter_context(Hosts(server.ssh_config, ["h1", "h2"]))
            lease = Lease(api, "default", identity)
            if leased:
                lease.acquire(wait=True, on_held=lambda holder: None)  # noqa: ARG005
            chosen: dict[str, Host] = {name: hosts[name] for name in names or ("h1",)}
            lock = Lock(lease, chosen, identity, folder=str(folder), silence_s=silence_s)
            stack.callback(lock.close)
            return lock

        yield made


def refusal(lock: Lock) -> str:
    with pytest.raises(TestbedError) as caught:
        lock.take_hosts(wait=False, patience_s=0)
    return str(caught.value)


def test_a_second_session_is_told_who_has_the_host_since_when(take: Take) -> None:
    take(ANN).take_hosts(wait=False, patience_s=0)
    said = refusal(take(BOB))
    assert re.search(
        rf"host h1 is held by {ANN} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ, .*--kubelb-on-locked=wait", said
    )


def test_what_is_freed_can_be_taken_at_once_and_leaves_nothing(take: Take, folder: Path) -> None:
    first = take(ANN)
    first.take_hosts(wait=False, patience_s=0)
    first.close()
    assert not folder.exists()
    take(BOB).take_hosts(wait=False, patience_s=0)


def test_a_signal_before_a_thread_of_ours_is_started_keeps_nothing(
    take: Take, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = take(ANN, leased=True)

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lock.keep_lease()
    monkeypatch.undo()
    lock.close()
    found = api.find(LEASES, NAME, "default")
    assert found is not None
    assert not found["spec"]["holderIdentity"]


def test_who_waits_gets_the_host_when_it_is_free(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.RETRY_S", 0.1)
    first, second = take(ANN), take(BOB, leased=True)
    first.take_hosts(wait=False, patience_s=0)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(second.take_hosts, wait=True, patience_s=0)
        with pytest.raises(TimeoutError):
            taken.result(1)
        first.close()
        taken.result(20)
    assert f"host h1 is held by {BOB}" in refusal(take(ANN))


def test_all_hosts_are_taken_or_none(take: Take) -> None:
    # h1 and h2 are one machine: of one session's two locks one is always refused.
    assert f"is held by {ANN}" in refusal(take(ANN, "h1", "h2"))
    take(BOB).take_hosts(wait=False, patience_s=0)


@contextmanager
def killed_in_the_end(server: OpenSSH, folder: Path, kubeconfig: Path, silence_s: str) -> Iterator[int]:
    """Give the process of a session that has the lock of h1."""
    command = [sys.executable, "-c", SESSION, str(server.ssh_config), str(folder), str(kubeconfig), silence_s]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        try:
            assert session.stdout.readline() == "held\n"
            yield session.pid
        finally:
            session.kill()


def test_a_session_that_was_killed_frees_its_hosts_by_itself(
    take: Take, server: OpenSSH, folder: Path, kubeconfig: Path
) -> None:
    with killed_in_the_end(server, folder, kubeconfig, "30"):
        assert "held by carl@den pid 3 session c since" in refusal(take(ANN))
    take(BOB, leased=True).take_hosts(wait=False, patience_s=10)


def test_a_host_that_hears_nothing_any_more_frees_itself(
    take: Take, server: OpenSSH, folder: Path, kubeconfig: Path
) -> None:
    # Stopped and not killed: its connection stays, as that of a machine that lost its power.
    with killed_in_the_end(server, folder, kubeconfig, "0.3") as session:
        os.kill(session, signal.SIGSTOP)
        take(BOB, leased=True).take_hosts(wait=False, patience_s=20)


def test_a_lock_whose_connection_broke_is_taken_again(
    take: Take, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.RENEW_EVERY_S", 0.5)
    lock = take(ANN, leased=True)
    lock.take_hosts(wait=False, patience_s=0)
    before = kept_by(folder)
    assert len(before) == 1
    for process in before:
        os.kill(process, signal.SIGKILL)
    until(lambda: len(kept_by(folder)) == 1 and kept_by(folder) != before)
    lock.check()


def test_a_lock_whose_connection_broke_is_lost_to_who_took_it(
    take: Take, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.RENEW_EVERY_S", 3.0)
    first, second = take(ANN, leased=True), take(BOB)
    second.take_hosts(wait=False, patience_s=0)  # connected already when it counts
    second.close()
    first.take_hosts(wait=False, patience_s=0)
    third = take(BOB)
    for process in kept_by(folder):
        os.kill(process, signal.SIGKILL)
    third.take_hosts(wait=False, patience_s=0)
    until(lambda: f"host h1 was taken from this session and is held by {BOB}" in lost(first))


def test_a_connection_that_broke_does_not_keep_the_lease(server: OpenSSH, api: Api, folder: Path) -> None:
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        lease = Lease(api, "default", ANN)
        lease.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005
        lock = Lock(lease, {"h1": hosts["h1"]}, ANN, folder=str(folder))
        lock.take_hosts(wait=False, patience_s=0)
        hosts["h1"].link().close()
        lock.close()
    found = api.find(LEASES, NAME, "default")
    assert found is not None
    assert not found["spec"]["holderIdentity"]


class Outage:
    """A session that has locked h1 and hears what its lock tells; the host can be made to refuse it, and to boot."""

    def __init__(self, server: OpenSSH, host: Host, lock: Lock, boot: Path) -> None:
        self.lock = lock
        self.events: list[str] = []
        self._keys = server.folder / "authorized_keys"
        self._key = self._keys.read_text()
        self._host = host
        self._boot = boot

    def begin(self) -> None:
        self._keys.write_text("")
        self._host.close()

    def reboot(self) -> None:
        self._boot.write_text("another\n")

    def end(self) -> None:
        self._keys.write_text(self._key)


@pytest.fixture
def outage(
    server: OpenSSH, api: Api, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Outage]:
    boot = tmp_path / "boot_id"
    boot.write_text("first\n")
    definitions = locking._DEFINITIONS.replace("/proc/sys/kernel/random/boot_id", str(boot))
    assert str(boot) in definitions
    monkeypatch.setattr(locking, "_DEFINITIONS", definitions)
    monkeypatch.setattr(locking, "RENEW_EVERY_S", 0.2)
    monkeypatch.setattr(locking, "RETRY_S", 0.05)
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        lease = Lease(api, "default", ANN)
        lease.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005
        events: list[str] = []
        lock = Lock(
            lease, {"h1": hosts["h1"]}, ANN, folder=str(folder),
            on_event=lambda name, details: events.append(f"{name} {details['text']}"),
        )  # fmt: skip
        made = Outage(server, hosts["h1"], lock, boot)
        made.events = events
        lock.take_hosts(wait=False, patience_s=0)
        try:
            yield made
        finally:
            made.end()
            lock.close()


def test_an_outage_of_a_host_is_told_once_and_may_end_in_time(outage: Outage, folder: Path) -> None:
    for count in (1, 2):
        outage.begin()
        until(lambda: len(kept_by(folder)) == 0)
        until(lambda count=count: len(outage.events) == count)  # type: ignore[misc]
        time.sleep(0.5)
        outage.lock.check()
        outage.end()
        until(lambda: len(kept_by(folder)) == 1)
        assert len(outage.events) == count
        time.sleep(0.5)
    assert re.match("lock_silent host h1: .* refused the key", outage.events[0])
    outage.lock.check()


def test_a_host_that_is_away_for_too_long_costs_the_lock(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "RENEW_DEADLINE_S", 1.0)
    monkeypatch.setattr(locking, "FRESH_S", 3600.0)  # nothing is asked of the cluster
    outage.begin()
    until(lambda: lost(outage.lock) != "")
    said = lost(outage.lock)
    assert re.match(
        r"host h1: its lock may be taken by others, since it could not be renewed for \d s \(host h1: .* refused",
        said,
    )
    outage.end()
    time.sleep(1)
    assert lost(outage.lock) == said  # what is lost stays lost
    assert len(outage.events) == 1


def test_a_host_that_was_away_for_too_long_since_it_was_started_again_says_so(
    outage: Outage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "RENEW_DEADLINE_S", 1.0)
    monkeypatch.setattr(locking, "FRESH_S", 3600.0)
    outage.begin()
    time.sleep(3)
    outage.reboot()
    outage.end()
    until(lambda: len(kept_by(folder)) == 1)
    assert lost(outage.lock).startswith("host h1 was started again while this session held it")


def kept_by(folder: Path) -> set[int]:
    """Give the shells that say they have the lock."""
    return {int(file.name.partition("-")[2]) for file in folder.glob("*-*[0-9]")}


def lost(lock: Lock) -> str:
    try:
        lock.check()
    except TestbedError as error:
        return str(error)
    return ""


def test_the_check_sees_at_once_that_the_lease_was_taken(
    take: Take, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.FRESH_S", 0.0)
    lock = take(ANN, leased=True)
    lock.check()
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": BOB}}, "default")
    with pytest.raises(TestbedError, match=f"was taken from this session: .* held by {BOB}"):
        lock.check()
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": ANN}}, "default")
    with pytest.raises(TestbedError, match=BOB):  # what is lost stays lost
        lock.check()
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": ""}}, "default")


def test_the_lease_is_renewed_and_its_loss_noted_without_a_question(
    take: Take, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.RENEW_EVERY_S", 0.05)
    monkeypatch.setattr("pytest_kubelb.testbed.locking.FRESH_S", 3600.0)  # `check` asks nothing
    lock = take(ANN, leased=True)
    lock.keep_lease()
    before = renewed(api)
    until(lambda: renewed(api) != before)
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": BOB}}, "default")

    until(lambda: BOB in lost(lock))
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": ""}}, "default")


def renewed(api: Api) -> str:
    found = api.find(LEASES, NAME, "default")
    assert found is not None
    return str(found["spec"]["renewTime"])


def test_a_cluster_that_is_silent_for_too_long_costs_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.locking.FRESH_S", 0.0)
    with cluster(tmp_path) as running:
        gone = Api(running.kubeconfig, on_event=print, retry_for_s=0, timeout_s=1)
        lease = Lease(gone, "default", ANN)
        lease.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005
    lock = Lock(lease, {}, ANN)
    with gone:
        lock.check()  # not yet
        monkeypatch.setattr("pytest_kubelb.testbed.locking.RENEW_DEADLINE_S", 0.0)
        with pytest.raises(
            TestbedError, match=r"may be taken by others: Lease kubelb in namespace default could"
        ):
            lock.check()
        lock.close()


def test_a_folder_that_cannot_be_made_is_an_error_with_the_file_that_allows_it(
    take: Take, folder: Path
) -> None:
    folder.write_text("in the way")
    assert re.search(r"host h1 cannot be locked: .*deploy/sudoers\.d-kubelb", refusal(take(ANN)))
