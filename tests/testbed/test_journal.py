"""The undo journal: its line, its place, and who may be believed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.backends.base import run_script
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal
from tests.tuning.conftest import host  # noqa: F401 - the fixture

if TYPE_CHECKING:
    from tests.tuning.machine import Namespace

LINE = journal.NAMESPACE_LINE


def made(session: str = "20260101T101010-1", **payload: object) -> journal.Journal:
    return journal.opened(session, journal.TUNING, "k11", payload)


def write(there: Namespace, left: journal.Journal) -> None:
    run_script(there, [LINE, *journal.write_lines(left)], stdin=journal.encode(left))


def listing(there: Namespace) -> journal.Listing:
    return journal.parse_listing(run_script(there, [LINE, *journal.LIST_LINES]).splitlines()[1:])


def test_what_was_written_is_listed_and_can_be_removed(host: Namespace) -> None:  # noqa: F811
    first, second = made("s-1", settings={"a": "é'\"$(reboot)\n"}), made("s-2")
    for each in (first, second, replace(first, payload={"settings": {"b": "2"}})):
        write(host, each)
    assert listing(host) == journal.Listing((replace(first, payload={"settings": {"b": "2"}}), second))
    for each in (first, second, second):
        run_script(host, [LINE, *journal.remove_lines(each)])
    assert listing(host) == journal.Listing()
    assert host.sh("ls /run") == "sshd\n"


def test_two_of_one_kind_and_session_are_told_apart_by_their_subject(host: Namespace) -> None:  # noqa: F811
    both = [journal.opened("s-1", journal.IPVS, "k11", {}, f"10.0.0.1-{port}") for port in (80, 81)]
    for each in both:
        write(host, each)
    assert listing(host) == journal.Listing(tuple(both))
    run_script(host, [LINE, *journal.remove_lines(both[0])])
    assert listing(host) == journal.Listing((both[1],))


def test_the_journal_is_the_first_line_and_the_rest_is_for_who_comes_after_it(host: Namespace) -> None:  # noqa: F811
    left = made("s-1", big="x" * 50_000)
    printed = run_script(
        host, [LINE, *journal.write_lines(left), "cat"], stdin=f"{journal.encode(left)}-A\n-a\n"
    )
    assert printed == "-A\n-a\n"
    assert listing(host) == journal.Listing((left,))


def test_what_the_load_generator_left_is_listed_from_its_own_folder_where_it_is_ours(host: Namespace) -> None:  # noqa: F811
    host.sh("mount -t tmpfs -o mode=1777 tmpfs /tmp")
    left = journal.opened("s-1", journal.LOAD, "k12", {"folder": "/tmp/kubelb.s-1.00000000"})  # noqa: S108 - a name, nothing is made
    for name in ("s-1.00000000", "s-2.00000000"):
        line = journal.encode(left)
        script = f"mkdir /tmp/kubelb.{name}; cat >/tmp/kubelb.{name}/{journal.file_name(left)}"
        host.run(["sh", "-c", f"{LINE}; {script}"], input=line)
    host.sh(
        "chown -R 65534 /tmp/kubelb.s-2.00000000; ln -s /tmp/kubelb.s-1.00000000 /tmp/kubelb.s-3.00000000"
    )
    assert listing(host) == journal.Listing((left,))


def test_hosts_that_share_run_see_their_own_journals_only(host: Namespace) -> None:  # noqa: F811
    write(host, made())
    assert len(listing(host).journals) == 1
    other = [*host.enter, "unshare", "--net", "sh", "-c", "\n".join([LINE, *journal.LIST_LINES])]
    host.run(["sh", "-c", "true"])
    printed = host.run(other[len(host.enter) :]).stdout
    assert printed == "@@journals\n"


def test_a_folder_of_another_user_is_told_and_its_content_is_not_read(host: Namespace) -> None:  # noqa: F811
    write(host, made("s-1"))
    host.sh("chown -R 65534 /run/kubelb-undo/s-1; mkdir /run/real; ln -s /run/real /run/kubelb-undo/s-2")
    found = listing(host)
    assert found.journals == ()
    assert found.foreign == ("/run/kubelb-undo/s-1", "/run/kubelb-undo/s-2")
    with pytest.raises(TestbedError, match="the journal of another user's session"):
        journal.refuse("k11", found, "s-3")


def test_a_journal_is_not_written_into_a_folder_that_somebody_else_put_there(host: Namespace) -> None:  # noqa: F811
    host.sh("mkdir -p -m 1777 /run/kubelb-undo; mkdir /run/real; ln -s /run/real /run/kubelb-undo/s-1")
    with pytest.raises(TestbedError, match="the undo journal cannot be written"):
        write(host, made("s-1"))
    assert host.sh("ls /run/real") == ""


def test_a_file_that_is_no_journal_is_told_and_refused(host: Namespace) -> None:  # noqa: F811
    write(host, made("s-1"))
    host.sh("for f in /run/kubelb-undo/s-1/*; do echo '{' >$f; done")
    (problem,) = listing(host).broken
    assert problem.startswith("/run/kubelb-undo/s-1/tuning-")
    with pytest.raises(TestbedError, match="is no JSON"):
        journal.refuse("k11", listing(host), "s-1")


def test_the_session_s_own_journal_is_no_leftover() -> None:
    journal.refuse("k11", journal.Listing((made("s-1"),)), "s-1")
    with pytest.raises(TestbedError, match=r"tuning of session s-1 from .*`kubelb restore`"):
        journal.refuse("k11", journal.Listing((replace(made("s-1"), process=1),)), "s-1")
    with pytest.raises(TestbedError, match=r"tuning of session s-1 from .*, begun 20.*: .*`kubelb restore`"):
        journal.refuse("k11", journal.Listing((made("s-1"),)), "s-2")


def test_a_running_session_is_told_from_one_that_was_killed() -> None:
    ours = made()
    assert ours.process == os.getpid()
    assert journal.is_running(ours)
    assert not journal.is_running(replace(ours, started=ours.started + 1))  # another process of that number
    assert not journal.is_running(replace(ours, controller="elsewhere"))
    assert not journal.is_running(replace(ours, process=2**22 + 1))


@pytest.mark.parametrize("session", ["", "..", "a/b", "a b", "-x", "x" * 101])
def test_a_session_whose_name_is_no_file_name_is_refused(session: str) -> None:
    with pytest.raises(ValueError, match="cannot name a journal"):
        made(session)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
def test_a_journal_is_one_line_that_gives_it_back(settings: dict[str, str]) -> None:
    line = journal.encode(made(settings=settings))
    assert line.count("\n") == 1
    assert journal.decode(line).payload == {"settings": settings}


@given(
    st.one_of(
        st.text(max_size=60),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=3).map(json.dumps),
    )
)
def test_any_other_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no J|is no journal|lacks"):
        journal.decode(text)


@pytest.mark.parametrize(
    "change",
    [
        {"session": "../x"},
        {"kind": "a b"},
        {"process": "1"},
        {"payload": []},
        {"host": "a\nb"},
        {"subject": "a/b"},
        {"subject": 1},
        {"schema_version": 2},
    ],
)
def test_a_field_that_is_odd_is_refused(change: dict[str, object]) -> None:
    fields = json.loads(journal.encode(made())) | change
    with pytest.raises(ValueError, match=r"lacks|names session|as its subject|schema_version"):
        journal.decode(json.dumps(fields))
