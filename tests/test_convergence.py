"""From one point to the next: which steps, in which order.

The parts are fakes that note what is asked of them, because the steps are what is tested; that the steps do what
they are called is tested with the parts themselves, and all together in a lab (tests/lab/test_lab.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pytest_kubelb.backends.base import Backend
from pytest_kubelb.cluster.endpoints import Endpoint
from pytest_kubelb.convergence import HOST_HEADER, Convergence
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed.hosts import Completed, Host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.cluster.overlay import Overlay
    from pytest_kubelb.cluster.workload import Workload
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory


class FakeTestbed:
    """All parts' common memory: the steps in their order, what answers now, and which step is to fail."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.answering: tuple[str, ...] = ()
        self.failing: str | None = None
        self.generation = 0

    def note(self, step: str) -> None:
        self.steps.append(step)
        if step == self.failing:
            raise TestbedError(f"{step} failed")

    def taken(self) -> list[str]:
        """Give the steps since the last time."""
        steps, self.steps = self.steps, []
        return steps


class FakeWorkload:
    def __init__(self, testbed: FakeTestbed) -> None:
        self.testbed = testbed

    def scale(self, pods: int, *, timeout_s: float) -> tuple[Endpoint, ...]:
        assert timeout_s > 0
        self.testbed.note(f"scale {pods}")
        if pods == 0:
            self.testbed.generation += 1  # pods made after this are others
        made = self.testbed.generation
        return tuple(Endpoint(f"172.16.61.{2 + pod}", f"pod-{made}-{pod}", "k05") for pod in range(pods))


class FakeOverlay:
    def __init__(self, testbed: FakeTestbed) -> None:
        self.testbed = testbed

    def set(self, overlay: str) -> None:
        self.testbed.note(f"overlay {overlay}")


class FakeBackend(Backend):
    def __init__(self, name: str, testbed: FakeTestbed) -> None:
        self.called, self.testbed = name, testbed
        self.follows = name == "proxy"
        self.url = f"http://{name}.test/"

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> FakeBackend:
        raise NotImplementedError

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        self.testbed.note(f"program {self.called} {len(endpoints)}")
        self.testbed.answering = tuple(endpoint.ip for endpoint in endpoints)

    def activate(self) -> None:
        self.testbed.note(f"activate {self.called}")

    def clear(self) -> None:
        raise NotImplementedError


class FakeBenchmarker(Host):
    """Answers the proof as curl does when the load balancer takes turns."""

    def __init__(self, testbed: FakeTestbed) -> None:
        self.name, self.testbed = "k12", testbed

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002, ARG002 - the signature of Host.run
        timeout_s: float = 20.0,  # noqa: ARG002
        check: bool = True,  # noqa: ARG002
        root: bool = False,  # noqa: ARG002
    ) -> Completed:
        assert f"Host: {HOST_HEADER}" in argv
        self.testbed.note(f"prove {argv[-1].partition('?')[0]}")
        answers = "".join(f"{address}\n;200\n" for address in self.testbed.answering)
        return Completed("k12", "curl", answers, "", 0, 0.0)


@pytest.fixture
def testbed() -> FakeTestbed:
    return FakeTestbed()


@pytest.fixture
def converged() -> list[tuple[Point, Mapping[str, float]]]:
    """What was told of each convergence."""
    return []


@pytest.fixture
def convergence(testbed: FakeTestbed, converged: list[tuple[Point, Mapping[str, float]]]) -> Convergence:
    return Convergence(
        FakeBenchmarker(testbed),
        cast("Workload", FakeWorkload(testbed)),
        cast("Overlay", FakeOverlay(testbed)),
        lambda name: testbed.note(f"tune {name}"),
        {name: FakeBackend(name, testbed) for name in ("ipvs", "proxy")},
        lambda point, seconds: converged.append((point, seconds)),
    )


FIRST = Point("ipvs", 2, "vxlan")
PROVE_IPVS, PROVE_PROXY = "prove http://ipvs.test/", "prove http://proxy.test/"


def test_the_first_point_takes_every_step_and_the_proof_is_the_last(
    convergence: Convergence, testbed: FakeTestbed
) -> None:
    convergence.converge(FIRST)
    assert testbed.taken() == [
        "overlay vxlan",
        "tune none",
        "scale 2",
        "program ipvs 2",
        "activate ipvs",
        PROVE_IPVS,
    ]


def test_the_target_says_where_to_send_the_load_and_who_is_behind_it(convergence: Convergence) -> None:
    target = convergence.converge(FIRST)
    assert (target.point, target.url, target.host_header) == (FIRST, "http://ipvs.test/", HOST_HEADER)
    assert [endpoint.ip for endpoint in target.endpoints] == ["172.16.61.2", "172.16.61.3"]


def test_the_same_point_again_is_only_proved(convergence: Convergence, testbed: FakeTestbed) -> None:
    convergence.converge(FIRST)
    testbed.taken()
    convergence.converge(FIRST)
    assert testbed.taken() == [PROVE_IPVS]


@pytest.mark.parametrize(
    ("point", "steps"),
    [
        (Point("ipvs", 4, "vxlan"), ["scale 4", "program ipvs 4", PROVE_IPVS]),
        (Point("ipvs", 1, "vxlan"), ["scale 1", "program ipvs 1", PROVE_IPVS]),
        (
            Point("ipvs", 2, "host-gw"),
            ["scale 0", "overlay host-gw", "scale 2", "program ipvs 2", PROVE_IPVS],
        ),
        (Point("ipvs", 2, "vxlan", "rps"), ["tune rps", PROVE_IPVS]),
        (Point("proxy", 2, "vxlan"), ["program proxy 2", "activate proxy", PROVE_PROXY]),
        (
            Point("proxy", 3, "host-gw"),
            ["scale 0", "overlay host-gw", "scale 3", "program proxy 3", "activate proxy", PROVE_PROXY],
        ),
    ],
)
def test_only_what_differs_is_changed(
    convergence: Convergence, testbed: FakeTestbed, point: Point, steps: list[str]
) -> None:
    convergence.converge(FIRST)
    testbed.taken()
    convergence.converge(point)
    assert testbed.taken() == steps


def test_a_backend_that_was_programmed_for_these_pods_before_is_only_activated(
    convergence: Convergence, testbed: FakeTestbed
) -> None:
    convergence.converge(FIRST)
    convergence.converge(Point("proxy", 2, "vxlan"))
    testbed.taken()
    convergence.converge(FIRST)
    assert testbed.taken() == ["activate ipvs", PROVE_IPVS]


def test_a_backend_that_missed_a_change_of_pods_is_programmed_when_its_turn_comes(
    convergence: Convergence, testbed: FakeTestbed
) -> None:
    convergence.converge(FIRST)
    convergence.converge(Point("proxy", 4, "vxlan"))
    testbed.taken()
    convergence.converge(Point("ipvs", 4, "vxlan"))
    assert testbed.taken() == ["program ipvs 4", "activate ipvs", PROVE_IPVS]


def test_a_new_pass_makes_its_pods_anew_and_programs_every_backend_again(
    convergence: Convergence, testbed: FakeTestbed
) -> None:
    before = convergence.converge(FIRST)
    convergence.converge(Point("proxy", 2, "vxlan"))
    testbed.taken()
    after = convergence.converge(Point("ipvs", 2, "vxlan", provisioning=2))
    first = ["scale 0", "overlay vxlan", "tune none", "scale 2"]
    assert testbed.taken() == [*first, "program ipvs 2", "activate ipvs", PROVE_IPVS]
    assert {endpoint.pod for endpoint in before.endpoints}.isdisjoint(each.pod for each in after.endpoints)
    convergence.converge(Point("proxy", 2, "vxlan", provisioning=2))
    assert testbed.taken() == ["program proxy 2", "activate proxy", PROVE_PROXY]


@pytest.mark.parametrize(
    "failing", ["overlay host-gw", "tune rps", "scale 4", "program proxy 4", "activate proxy", PROVE_PROXY]
)
def test_after_an_error_in_any_step_every_step_is_done_again(
    convergence: Convergence, testbed: FakeTestbed, failing: str
) -> None:
    convergence.converge(FIRST)
    testbed.failing = failing
    with pytest.raises(TestbedError, match=f"{failing} failed"):
        convergence.converge(Point("proxy", 4, "host-gw", "rps"))
    assert testbed.taken()[-1] == failing
    testbed.failing = None
    convergence.converge(FIRST)
    steps = testbed.taken()
    assert steps[:-6] in ([], ["scale 0"])  # pods that are there may be of the overlay before
    assert steps[-6:] == [
        "overlay vxlan",
        "tune none",
        "scale 2",
        "program ipvs 2",
        "activate ipvs",
        PROVE_IPVS,
    ]


def test_what_is_doubted_is_made_anew_and_doubted_once(
    convergence: Convergence, converged: list[tuple[Point, Mapping[str, float]]]
) -> None:
    assert not convergence.doubt()  # nothing is taken for granted yet
    convergence.converge(FIRST)
    assert convergence.doubt()
    assert not convergence.doubt()
    convergence.converge(FIRST)
    assert {"overlay_s", "tune_s", "scale_s", "program_s", "activate_s"} <= set(converged[1][1])


def test_a_point_that_failed_is_not_told_as_converged(
    convergence: Convergence, testbed: FakeTestbed, converged: list[tuple[Point, Mapping[str, float]]]
) -> None:
    testbed.failing = "activate ipvs"
    with pytest.raises(TestbedError):
        convergence.converge(FIRST)
    assert converged == []


def test_what_is_told_has_the_seconds_of_the_steps_that_were_taken_and_no_others(
    convergence: Convergence, converged: list[tuple[Point, Mapping[str, float]]]
) -> None:
    second = Point("ipvs", 3, "vxlan")
    convergence.converge(FIRST)
    convergence.converge(second)
    assert [point for point, _ in converged] == [FIRST, second]
    assert list(converged[0][1]) == ["overlay_s", "tune_s", "scale_s", "program_s", "activate_s", "prove_s"]
    assert list(converged[1][1]) == ["scale_s", "program_s", "prove_s"]
    assert all(seconds >= 0 for seconds in converged[0][1].values())


def test_after_fewer_pods_the_one_that_kube_proxy_follows_with_is_asked_once_more(
    convergence: Convergence, testbed: FakeTestbed
) -> None:
    convergence.converge(Point("proxy", 3, "vxlan"))
    testbed.taken()
    convergence.converge(Point("ipvs", 1, "vxlan"))
    assert testbed.taken().count(PROVE_IPVS) == 1, "its table was read back"
    convergence.converge(Point("proxy", 1, "vxlan"))
    assert testbed.taken().count(PROVE_PROXY) == 2
    convergence.converge(Point("proxy", 1, "vxlan"))
    assert testbed.taken().count(PROVE_PROXY) == 1
