"""What tuning says of its hosts around runs: which of them it has to ask itself, and whom it names."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .machine import Namespace

pytestmark = pytest.mark.skipif(
    shutil.which("ethtool") is None or not Path("/sys/class/net/lo/queues/rx-0/rps_cpus").exists(),
    reason="needs ethtool, and a kernel with RPS",
)

STEERED = Knobs(nic="eth0", rps=Spread(parse("0")))
QUEUE = "/sys/class/net/eth0/queues/rx-1/rps_cpus"


@dataclass(frozen=True)
class Read:
    """A reading that somebody else has made."""

    settings: Mapping[str, str]


@pytest.fixture
def tuner(host: Namespace) -> Tuner:
    return Tuner({"k11": host}, "session-1", lambda *_: None)


def apply(tuner: Tuner, knobs: Knobs) -> Read:
    return Read(tuner.apply(Profile("p", {"k11": knobs}))["k11"].settings)


def sentence(tuner: Tuner, reading: Read | None = None) -> str:
    (finding,) = tuner.drifts({"k11": reading} if reading else {})
    assert (finding.signal, finding.effect, finding.unit) == ("tuning_drift", "contaminated", "settings")
    return finding.sentence


def test_a_host_that_was_read_and_is_as_it_was_set_is_not_asked(host: Namespace, tuner: Tuner) -> None:
    read = apply(tuner, STEERED)
    before = len(host.trips)
    assert tuner.drifts({"k11": read}) == ()
    assert len(host.trips) == before


def test_channels_which_no_evidence_reads_are_asked_for(host: Namespace, tuner: Tuner) -> None:
    read = apply(tuner, Knobs(nic="eth0", channels={"rx": 2, "tx": 2}))
    unread = Read({name: value for name, value in read.settings.items() if not name.startswith("channels")})
    assert tuner.drifts({"k11": unread}) == ()
    host.sh("ethtool -L eth0 rx 3")
    assert "channels eth0 rx is 3 and was set to 2" in sentence(tuner, unread)


def test_a_host_whose_evidence_is_not_read_is_asked(host: Namespace, tuner: Tuner) -> None:
    apply(tuner, STEERED)
    assert tuner.drifts({}) == ()
    host.sh(f"echo 0 >{QUEUE}")
    assert "rps_cpus eth0 rx-1 is none and was set to 0 (mask 1)" in sentence(tuner)


def test_what_is_gone_has_drifted(host: Namespace, tuner: Tuner) -> None:
    apply(tuner, STEERED)
    host.sh("ethtool -L eth0 rx 1")
    assert "rps_cpus eth0 rx-1 is gone and was set to 0 (mask 1)" in sentence(tuner)


def test_what_was_different_and_is_right_again_is_told_all_the_same(tuner: Tuner) -> None:
    read = apply(tuner, STEERED)
    assert "rps_cpus eth0 rx-1 is none" in sentence(
        tuner, Read({**read.settings, "rps_cpus eth0 rx-1": "none"})
    )


def test_a_host_that_does_not_answer_keeps_no_drift_from_being_told(host: Namespace, tuner: Tuner) -> None:
    read = apply(tuner, STEERED)
    host.shell = ("false",)
    assert "rps_cpus eth0 rx-1 is none" in sentence(
        tuner, Read({**read.settings, "rps_cpus eth0 rx-1": "none"})
    )
    with pytest.raises(TestbedError, match="k11"):
        tuner.drifts({})
    host.shell = ("sh",)


def test_a_program_that_sets_knobs_is_named(host: Namespace, tuner: Tuner) -> None:
    apply(tuner, STEERED)
    host.sh(f"cp $(command -v sleep) /run/tuned; (/run/tuned 60 >/dev/null 2>&1 &); echo 0 >{QUEUE}")
    assert sentence(tuner).endswith("tuned runs there and sets such knobs; stop it for the measurement")


def test_a_restore_by_somebody_else_is_named(host: Namespace, tuner: Tuner) -> None:
    apply(tuner, STEERED)
    host.sh(f"rm -r /run/kubelb-undo; echo 0 >{QUEUE}")
    assert "undo journal is gone too: `kubelb restore` was run" in sentence(tuner)
