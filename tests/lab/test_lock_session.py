"""Sessions that want the same testbed: one has it, the others see who, wait, or come after one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import holding
from pytest_kubelb.cli import main
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME, RENEW_EVERY_S
from pytest_kubelb.cluster.resources import LEASES, Json
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed import identity, locking
from pytest_kubelb.testbed import inventory as inventory_file
from tests.lab.api.cluster import until
from tests.lab.test_lab import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory

OPTIONS = ["-p", "no:cacheprovider", "--kubelb-backend=ipvs", "--kubelb-pods=1", "--kubelb-tolerance=100%"]
SHORT = ["--kubelb-runs=1", "--kubelb-warmup=0", "--kubelb-duration=1s"]
LONG = ["--kubelb-runs=50", "--kubelb-duration=1s"]


@pytest.fixture(scope="module")
def described(lab: Lab) -> Inventory:
    return inventory_file.load(lab.inventory)


@pytest.fixture(scope="module")
def api(described: Inventory) -> Iterator[Api]:
    with Api(described.cluster.kubeconfig, described.cluster.context, on_event=print) as opened:
        yield opened


@pytest.fixture
def rootdir(tmp_path: Path) -> Path:
    (tmp_path / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def command(lab: Lab, *options: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *OPTIONS, f"--kubelb-inventory={lab.inventory}", *options]


def run(rootdir: Path, lab: Lab, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(lab, *options), cwd=rootdir, capture_output=True, text=True, check=False, timeout=240
    )


def start(rootdir: Path, lab: Lab) -> subprocess.Popen[str]:
    """Start a session in a process group of its own, and wait until it measures."""
    session = subprocess.Popen(
        command(lab, *LONG), cwd=rootdir, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: any('"sample"' in record.read_text() for record in records(rootdir)), timeout_s=60)
    return session


def records(rootdir: Path) -> list[Path]:
    return list(rootdir.glob(".kubelb/*/record.jsonl"))


def lease(api: Api, described: Inventory) -> Json:
    found = api.find(LEASES, NAME, described.cluster.namespace)
    assert found is not None
    return dict(found["spec"])


def wanted(session: str, *, wait: bool = False) -> holding.Wanted:
    return holding.Wanted(session, ("ipvs",), BACKENDS, wait=wait)


def test_a_second_session_fails_with_who_has_the_testbed_and_touches_nothing(
    rootdir: Path, lab: Lab, described: Inventory, api: Api
) -> None:
    with holding.hold(described, wanted("first"), lambda *_: None) as held:
        second = run(rootdir, lab, *SHORT)
        held.lock.check()
        assert lease(api, described)["holderIdentity"] == identity.identity_of("first")
    assert second.returncode == 1, second.stdout
    assert f"the testbed is held by {identity.identity_of('first')} since 20" in second.stdout
    assert "Traceback" not in second.stdout
    (record,) = records(rootdir)
    assert '"converged"' not in record.read_text()
    assert not lease(api, described)["holderIdentity"]


def test_a_session_that_waits_opens_the_testbed_when_it_is_free(described: Inventory) -> None:
    heard: list[str] = []

    def second() -> None:
        with holding.hold(described, wanted("second", wait=True), lambda name, _: heard.append(name)) as held:
            held.lock.check()

    with ThreadPoolExecutor(1) as pool:
        with holding.hold(described, wanted("first"), lambda *_: None):
            waiting = pool.submit(second)
            until(lambda: "locked" in heard)
            assert not waiting.done()
        waiting.result(60)


def test_with_the_option_a_session_waits_for_the_end_of_another(
    rootdir: Path, lab: Lab, described: Inventory
) -> None:
    words = command(lab, *SHORT, "--kubelb-on-locked=wait")
    with holding.hold(described, wanted("first"), lambda *_: None):
        session = subprocess.Popen(words, cwd=rootdir, stdout=subprocess.PIPE, text=True)
        until(lambda: any('"locked"' in record.read_text() for record in records(rootdir)), timeout_s=60)
        with pytest.raises(subprocess.TimeoutExpired):
            session.wait(RENEW_EVERY_S + 2)  # by then it has seen that the first one lives
    shown, _ = session.communicate(timeout=120)
    assert session.returncode == 0, shown


def test_a_session_whose_lease_is_taken_fails_the_run_in_hand_and_stops(
    rootdir: Path, lab: Lab, described: Inventory, api: Api
) -> None:
    taken = {"holderIdentity": "bob@desk pid 2 session b", "acquireTime": "2026-03-01T10:00:00.000000Z"}
    with start(rootdir, lab) as session:
        api.patch(LEASES, NAME, {"spec": taken}, described.cluster.namespace)
        shown, _ = session.communicate(timeout=120)
    api.patch(LEASES, NAME, {"spec": {"holderIdentity": ""}}, described.cluster.namespace)
    assert session.returncode == 1, shown
    said = "is now held by bob@desk pid 2 session b since 2026-03-01T10:00:00.000000Z"
    assert said in shown
    assert "Traceback" not in shown
    (record,) = records(rootdir)
    last = [line for line in read_record(record) if isinstance(line, Sample)][-1]
    assert last.validity == "failed"
    assert said in str(last.reason)


def test_who_comes_by_another_namespace_is_kept_out_by_the_hosts(
    described: Inventory, hosts: Hosts, api: Api, lab: Lab
) -> None:
    used = {name: hosts[name] for name in holding.used_hosts(described, ("none",))}
    balancer = described.roles.load_balancer
    content = lab.inventory.read_text().replace('namespace = "kubelb"', 'namespace = "default"')
    other_file = lab.inventory.with_name("other.toml")
    other_file.write_text(content)
    other = inventory_file.load(other_file)
    with (
        locking.locked(described, "first", used, lambda *_: None),
        pytest.raises(TestbedError, match=rf"host {balancer} is held by .* session first since 20") as caught,
        locking.locked(other, "second", {balancer: hosts[balancer]}, lambda *_: None),
    ):
        pytest.fail(str(caught))
    assert not lease(api, other)["holderIdentity"], "who was refused gives its Lease back"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_that_is_interrupted_gives_the_testbed_back(
    rootdir: Path, lab: Lab, described: Inventory, api: Api, number: signal.Signals
) -> None:
    with start(rootdir, lab) as session:
        assert f"pid {session.pid} session" in lease(api, described)["holderIdentity"]
        session.send_signal(number)
        shown, _ = session.communicate(timeout=60)
    assert not lease(api, described)["holderIdentity"], shown
    with holding.hold(described, wanted("next"), lambda *_: None) as held:
        held.lock.check()


def test_after_a_session_that_was_killed_the_next_one_says_what_to_do_and_takes_over_after_it(
    rootdir: Path, lab: Lab, described: Inventory, api: Api
) -> None:
    with start(rootdir, lab) as session:
        os.killpg(session.pid, signal.SIGKILL)
        session.wait(10)
    dead = lease(api, described)
    assert f"pid {session.pid} session" in dead["holderIdentity"]
    began = time.monotonic()
    heard: list[str] = []
    with (
        pytest.raises(TestbedError, match=r"still has the .* run `kubelb restore` if it was killed"),
        holding.hold(described, wanted("next"), lambda name, _: heard.append(name)),
    ):
        pytest.fail("the hosts are as the killed session left them")
    assert "locked" in heard
    assert time.monotonic() - began >= dead["leaseDurationSeconds"], "it might have lived"
    assert lease(api, described)["leaseTransitions"] == dead["leaseTransitions"] + 1
    assert main(["restore", "--inventory", str(lab.inventory)]) == 0
    with holding.hold(described, wanted("next"), lambda *_: None) as held:
        held.lock.check()
