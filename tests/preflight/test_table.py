"""How checks are shown."""

from __future__ import annotations

import json

from pytest_kubelb.preflight.check import fail, ok, split_sentence, warning, worst
from pytest_kubelb.preflight.table import as_json, text

CHECKS = [
    ok("ssh", "k04", "logged in"),
    ok("ssh", "k05", "logged in"),
    warning("kube-proxy", "k11", "no trace of it", "see that it runs"),
    fail("wrk", "k12", "wrk 3.1", "install wrk 4.0"),
]


def test_failures_come_first_each_with_its_remedy_below_and_equal_rows_are_one() -> None:
    assert text(CHECKS, "rack", 1.23).splitlines() == [
        "check       where     verdict  found",
        "wrk         k12       fail     wrk 3.1",
        "                               -> install wrk 4.0",
        "kube-proxy  k11       warning  no trace of it",
        "                               -> see that it runs",
        "ssh         k04, k05  ok       logged in",
        "",
        "rack is not ready for a session: 1 failed, 1 warnings, 2 ok, in 1.2 s",
    ]


def test_warnings_leave_a_testbed_ready() -> None:
    assert text(CHECKS[:3], "rack", 0.1).endswith(
        "rack is ready for a session: 0 failed, 1 warnings, 2 ok, in 0.1 s\n"
    )
    assert worst(CHECKS[:3]) == "warning"
    assert worst([]) == "ok"


def test_json_has_every_check_by_itself() -> None:
    content = json.loads(as_json(CHECKS, "rack", "kubelb.toml", 1.2345))
    assert (content["schema_version"], content["verdict"], content["duration_s"]) == (1, "fail", 1.234)
    assert [each["where"] for each in content["checks"]] == ["k12", "k11", "k04", "k05"]
    assert content["checks"][0] == {
        "check": "wrk", "where": "k12", "found": "wrk 3.1", "verdict": "fail", "remedy": "install wrk 4.0",
    }  # fmt: skip


def test_a_sentence_is_split_into_what_is_wrong_and_what_to_do() -> None:
    assert split_sentence("host k05: no answer (a; b); check that it is up", "k05") == (
        "no answer (a; b)",
        "check that it is up",
    )
