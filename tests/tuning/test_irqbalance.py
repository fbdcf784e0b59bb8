"""irqbalance: seen, stopped and started again, as a bare process and by systemd.

The knob is refused in a network namespace, since it is the whole machine's; its script lines run here in a namespace of
processes, where no other irqbalance is. The program is a shell that bears its name, since the real one would move the
interrupts of this machine; `test_real_queues.py` has the knob as a whole. systemd cannot run in a namespace beside
another init: a stand-in for systemctl writes down what it is asked.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.backends.base import run_script
from pytest_kubelb.tuning import irqbalance, reading, script
from pytest_kubelb.tuning.answer import PATH_LINE, sections
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.reading import Reading

if TYPE_CHECKING:
    from .machine import Namespace

ARGV = ("/run/bin/irqbalance", "-c", "while :; do sleep 0.1; done", "--foreground", "a b")


@pytest.fixture
def installed(host: Namespace) -> Namespace:
    host.sh("mkdir /run/bin; cp /bin/dash /run/bin/irqbalance")
    host.prefix = ("env", f"PATH=/run/bin:{os.environ['PATH']}")
    return host


def seen(host: Namespace) -> Irqbalance:
    answer = sections(run_script(host, [PATH_LINE, irqbalance.QUESTION]))
    return irqbalance.parse(answer["irqbalance"], answer["irqbalance_there"])


def make(host: Namespace, state: str, before: Irqbalance) -> None:
    now = Reading({"irqbalance": ""}, frozenset(), first_namespace=True, irqbalance=seen(host))
    run_script(host, [PATH_LINE, *script.write_lines({"irqbalance": state}, now, before)])


def test_a_host_without_irqbalance_has_none(host: Namespace) -> None:
    found = seen(host)
    assert (found.state, found.argv) == ("absent", ())


def test_a_bare_process_is_ended_and_started_again_with_its_command_line(installed: Namespace) -> None:
    assert seen(installed).state == "stopped"
    make(installed, "running", Irqbalance(ARGV))
    before = seen(installed)
    assert before == Irqbalance(ARGV, installed=True)
    make(installed, "stopped", before)
    assert seen(installed) == Irqbalance(installed=True)
    make(installed, "running", before)
    assert seen(installed) == before


SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>/run/asked
case $1 in
start) setsid /run/bin/irqbalance -c 'while :; do sleep 0.1; done' >/dev/null 2>&1 </dev/null & ;;
stop) pkill -x irqbalance ;;
esac
"""


def test_where_systemd_has_the_service_systemd_starts_it(installed: Namespace) -> None:
    installed.run(["sh", "-c", "cat >/run/bin/systemctl; chmod 755 /run/bin/systemctl"], input=SYSTEMCTL)
    installed.sh("mkdir -p /run/systemd/system; touch /run/systemd/system/irqbalance.service")
    before = seen(installed)
    assert before == Irqbalance(by_systemd=True, installed=True)
    make(installed, "running", before)
    assert seen(installed).state == "running"
    assert installed.sh("cat /run/asked") == "start irqbalance.service\n"


def test_the_service_is_known_by_its_control_group_and_stopped_by_systemd() -> None:
    found = irqbalance.parse(["service", "argv", "/usr/sbin/irqbalance", "--foreground"], ["unit"])
    assert found == Irqbalance(("/usr/sbin/irqbalance", "--foreground"), by_systemd=True, installed=True)
    assert irqbalance.stop_command(found) == "$s systemctl stop irqbalance.service"
    # One that somebody started by hand beside the service's file is not systemd's to stop.
    assert not irqbalance.parse(["argv", "irqbalance"], ["unit"]).by_systemd


def test_nothing_but_irqbalance_is_ever_started_from_a_journal() -> None:
    assert Irqbalance.from_json(Irqbalance(ARGV).to_json()) == Irqbalance(ARGV)
    for argv in (["/bin/sh", "-c", "reboot"], ["irqbalance", 1], "irqbalance", None):
        with pytest.raises(ValueError, match="irqbalance"):
            Irqbalance.from_json({"argv": argv})


def test_the_question_of_a_reading_asks_for_it_on_whole_machines_only() -> None:
    lines = reading.question(reading.Subjects())
    at = lines.index(irqbalance.QUESTION)
    assert lines[at - 2 : at] == [
        "if [ -e /proc/sys/net/core/netdev_budget ]; then",
        'echo "@@first_namespace"',
    ]
