"""The fixtures: `testbed`, `lb_point`, `service`, `wrk`, `sweep`; their docstrings are their manual.

Touches pytest; what drives the testbed is imported inside the fixtures, so that an unused plugin costs nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import ChainMap
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_kubelb import stash
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.failures import BROKEN
from pytest_kubelb.opening import interruptible, inventory_of, remedy, to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.convergence import Target
    from pytest_kubelb.holding import HeldTestbed, OnEvent
    from pytest_kubelb.matrix import Point
    from pytest_kubelb.opening import Interrupts
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.report.benchmark_bridge import Benchmark
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.hosts import Completed, Hosts
    from pytest_kubelb.testbed.inventory import Inventory


log = logging.getLogger(__name__)


class Wrk(Protocol):
    """What the fixture `wrk` gives."""

    def __call__(self) -> Series:
        """Run wrk at the point as often as the settings say, and give all runs."""


class Testbed:
    """The testbed of the session, and why it is broken once it is."""

    __test__ = False  # the name begins with Test: pytest must not collect it

    def __init__(self) -> None:
        self.held: HeldTestbed | None = None
        self.broken: str | None = None
        self._told = False

    def break_(self, cause: KubelbError) -> None:
        """Note why the testbed cannot be used any more; the first cause stays."""
        self.broken = self.broken or str(cause)

    def converge(self, point: Point) -> Target | None:
        """Bring the testbed to a point; None when that fails, after which it is broken.

        What a host that was started again has lost looks as if somebody else had changed it: then that is the cause.
        """
        held = self.in_order()
        try:
            return held.convergence.converge(point)
        except KubelbError as error:
            restart = held.observer.look_for_restart() if held.observer else None
            self.break_(restart or error)
            return None

    def in_order(self) -> HeldTestbed:
        """Give the testbed when it is in order; fails the first test that finds it broken, and skips the later ones."""
        if self.held is not None and self.broken is None:
            return self.held
        if self._told:
            pytest.skip(f"{BROKEN}: {self.broken}")
        self._told = True
        pytest.fail(str(self.broken), pytrace=False)


@pytest.fixture(scope="session")
def testbed(
    pytestconfig: pytest.Config, record_testsuite_property: Callable[[str, object], None]
) -> Iterator[Testbed]:
    """The testbed, held for the session: hosts, cluster and load balancer of the inventory, or of the embedded lab.

    It is opened when the first point needs it. At the end of the session, also when that is interrupted,
    everything is put back as it was; a lab that was started for the session is gone.
    """
    testbed = Testbed()
    left: list[KubelbError] = []
    stack, closing = ExitStack(), ExitStack()

    def put_back() -> None:
        try:
            stack.close()
        except KubelbError as error:
            left.append(error)
            log.error(
                "the testbed could not be put back as it was: %s", error
            )  # an interrupt would swallow it

    interrupts = stack.enter_context(interruptible(lambda line: _tell_through_capture(pytestconfig, line)))
    closing.callback(put_back)
    try:
        with closing:
            try:  # around the opening as well: when that is interrupted, nobody else would put it back
                try:
                    testbed.held = _open(pytestconfig, stack, interrupts)
                    _tell_junit(pytestconfig, record_testsuite_property)
                except KubelbError as error:
                    testbed.break_(error)
                yield testbed
            finally:
                interrupts.defer()
    finally:
        interrupts.heed_again()
    if left:
        pytest.fail(f"the testbed could not be put back as it was: {left[0]}", pytrace=False)


@pytest.fixture(scope="session")
def lb_point(request: pytest.FixtureRequest, testbed: Testbed) -> Target:
    """One point of the matrix, ready: its pods run, the load balancer forwards to them, and each has answered.

    Gives the Target: `point`, `url`, `host_header`, `endpoints`. Between points only what differs is changed.
    When a point cannot be provisioned, the testbed counts as broken, and later points are skipped with that cause.
    """
    point = request.param
    stash_of_config = request.config.stash
    if stash.RESUMING in stash_of_config:
        point = stash_of_config[stash.RESUMING].provisioned(point, stash_of_config[stash.SETTINGS].passes)
    target = testbed.converge(point)
    if target is None:
        testbed.in_order()
        raise AssertionError("unreachable: a broken testbed does not return")
    return target


@pytest.fixture
def service(lb_point: Target) -> Target:
    """The service under load at this point: its `url`, the `host_header` wrk sends, and its `endpoints`."""
    return lb_point


@pytest.fixture
def wrk(
    request: pytest.FixtureRequest,
    testbed: Testbed,
    lb_point: Target,
    benchmark: Benchmark,
) -> Wrk:
    """Gives the function that measures the point: it makes the warm-up runs and then the runs. To be called once.

    Every run is in the record before the next one starts. The verdict on the series is given by the reporting hook
    when the test function has returned.
    """
    from pytest_kubelb import judging
    from pytest_kubelb.settings import override

    config = request.config
    markers = [(mark.args, mark.kwargs) for mark in request.node.iter_markers("kubelb")]
    settings = override(config.stash[stash.SETTINGS], markers)

    def measure() -> Series:
        from pytest_kubelb import recording
        from pytest_kubelb.record.planned import BEGUN
        from pytest_kubelb.report import benchmark_bridge
        from pytest_kubelb.series import PointRuns

        item = config.stash[stash.PLANNED][request.node.nodeid].item
        try:
            recording.note(config.stash[stash.WRITER], BEGUN, {"item": item})
        except KubelbError as error:
            testbed.break_(error)
            testbed.in_order()
        if keeping := config.stash.get(stash.KEEPING, None):
            keeping.begin(judging.id_of(request.node))
        try:
            series = PointRuns(config, testbed, lb_point, settings).make()
        except KeyboardInterrupt:
            benchmark_bridge.interrupted(benchmark)
            raise
        request.node.stash[stash.SERIES] = series
        request.node.stash[stash.OWN_SETTINGS] = settings
        testbed.in_order()
        return series

    return measure


@pytest.fixture
def sweep(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Gives the function that judges all points of one backend together against --kubelb-baseline.

    A drop that is small everywhere is seen here first. To be used by a bench function of its own, which then has one
    item for each backend, after all points; without a baseline they are deselected.
    """
    from pytest_kubelb import sweeping

    backend: str = request.param
    return lambda: sweeping.judge(request.node, backend)


def _tell_through_capture(config: pytest.Config, line: str) -> None:
    """Print a line to the real standard error, which pytest has put aside; from a signal handler."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        to_stderr(line)


def _open(config: pytest.Config, stack: ExitStack, interrupts: Interrupts) -> HeldTestbed:
    """Open the testbed of the session, and its record, on `stack`. Raises KubelbError."""
    settings, points = config.stash[stash.SETTINGS], config.stash[stash.PLAN].each
    # Markers may name others than the settings do.
    tunings = tuple(dict.fromkeys(point.tuning for point in points))
    inventory, facts = stack.enter_context(inventory_of(settings, tunings))
    interrupts.remedy = remedy(settings, inventory)

    # Imported here: the lab imports them while it boots.
    from pytest_kubelb import recording
    from pytest_kubelb.holding import Wanted, hold
    from pytest_kubelb.record.appending import JsonLines
    from pytest_kubelb.record.session import new_session
    from pytest_kubelb.text.redaction import secrets_of_kubeconfig

    # What the end of the session needs, and beside the opening: a signal cannot break into the import of a thread, and
    # one that is broken off leaves numpy unusable.
    threading.Thread(
        target=import_module, args=("pytest_kubelb.report.summary",), name="kubelb-imports"
    ).start()

    resumed = config.stash.get(stash.RESUMING, None)
    if resumed is not None:
        resumed.require_same_testbed(facts)
        session, writer, holder = resumed.session, config.stash[stash.WRITER], resumed.holder
    else:
        session = new_session(config.rootpath, datetime.now(UTC))
        # Ended after the testbed was put back, by the plugin.
        writer, holder = (
            recording.begin(session, settings, facts, config.stash[stash.PLANNED].values()),
            session.id,
        )
        config.stash[stash.RECORD], config.stash[stash.WRITER] = session.record, writer
    kubeconfig = inventory.cluster.kubeconfig
    text = kubeconfig.read_text(encoding="utf-8", errors="replace")
    secrets = secrets_of_kubeconfig(text, kubeconfig.parent)
    writer.hide(secrets)
    progress = config.stash.get(stash.PROGRESS, None)
    unsupported = config.stash[stash.UNSUPPORTED] = {}

    def on_event(name: str, details: Mapping[str, object]) -> None:
        recording.note(writer, name, details)
        if name == "locked" and progress is not None:
            progress.waiting(f"held by {details['by']} since {details['since']}")
        if name == "preflight":
            config.stash[stash.PREFLIGHT] = details
        if name == "tuned" and isinstance(cannot := details["unsupported"], dict):
            unsupported[str(details["profile"]), str(details["host"])] = cannot

    known = config.stash[stash.BACKENDS]

    def host_facts(hosts: Hosts, names: Sequence[str]) -> Mapping[str, object]:
        found = config.hook.pytest_kubelb_host_facts(config=config, hosts=hosts, names=names)
        return ChainMap(*map(dict, found))

    again = resumed is not None and session.evidence.exists()
    evidence = stack.enter_context(JsonLines(session.evidence, "evidence file", again=again))
    evidence.hide(secrets)
    config.stash[stash.EVIDENCE] = evidence
    backends = tuple(dict.fromkeys(point.backend for point in points))
    wanted = Wanted(holder, backends, known, tunings, wait=settings.on_locked == "wait")
    listener = _artifacts(config, session.folder, secrets)
    ready = _preflight(settings, inventory, points, holder, on_event)
    held = stack.enter_context(hold(inventory, wanted, on_event, host_facts, listener, ready))
    if resumed is not None:
        resumed.require_same_testbed(held.facts)
    on_event("testbed", dict(held.facts))
    if settings.baseline is not None:
        from pytest_kubelb.resume import session as resuming

        resuming.compare(config, settings, session.record)
    return held


def _preflight(
    settings: Settings, inventory: Inventory, points: Sequence[Point], session: str, on_event: OnEvent
) -> Callable[[Hosts, Api], None]:
    """Give what checks an opened testbed for these points, and nothing where that is off."""
    if settings.preflight == "off":
        return lambda hosts, api: None  # noqa: ARG005
    from pytest_kubelb.preflight.session import require_ready
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.identity import identity_of

    wanted = Wanted.from_points(settings, inventory, points, identity_of(session))
    return lambda hosts, api: require_ready(hosts, api, wanted, on_event)


def _artifacts(
    config: pytest.Config, folder: Path, secrets: Collection[str]
) -> Callable[[Completed], None] | None:
    """Get ready to keep artifacts, and give who is to hear of commands on the hosts; None when none are kept."""
    when = config.stash[stash.SETTINGS].artifacts
    if when == "never":
        return None
    from pytest_kubelb.keeping import Keeping
    from pytest_kubelb.report.artifacts import Artifacts

    keeping = config.stash[stash.KEEPING] = Keeping(Artifacts(folder, when, secrets=secrets))
    return keeping.heard


def _tell_junit(config: pytest.Config, tell: Callable[[str, object], None]) -> None:
    """Give JUnit what the session is measured on, as far as it was recorded by now."""
    if not config.getoption("xmlpath", None):
        return
    from pytest_kubelb.record import fingerprint, levels
    from pytest_kubelb.record.reader import read_record
    from pytest_kubelb.report import junit

    known = levels.read(read_record(config.stash[stash.RECORD])).fingerprint
    for name, value in junit.suite_properties(fingerprint.told(known)):
        tell(name, value)
