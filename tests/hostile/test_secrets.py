"""What is secret stays where it is: a real session in a lab, with planted secrets, and everything that it leaves.

Kubeconfig, ssh_config, environment, image and what a host says each have one of their own.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import launch, requirements
from pytest_kubelb.record.appending import JsonLines
from pytest_kubelb.text.redaction import REDACTED, may_hold_secrets, redacted, redacted_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab

PASSWORD = "planted-in-a-proxycommand"  # noqa: S105 - planted
IMAGE_PASSWORD = "planted-before-a-registry"  # noqa: S105 - planted
ENVIRONMENT = "planted-in-the-environment"
SAID = "planted-in-what-a-host-says"
FORMATS = ("json", "markdown", "html", "csv", "openmetrics")
# Encoded, since pytest shows the lines of a test that fails, and the arguments of what it called.
BENCH = f"""
def test_rps(wrk, testbed):
    wrk()
    says = "{base64.b64encode(f"Authorization: Bearer {SAID}".encode()).decode()}"
    testbed.held.load._host.run(["sh", "-c", f"echo {{says}} | base64 -d >&2; exit 3"])
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    try:
        kernel = requirements.choose_kernel(os.environ.get("KUBELB_LAB_KERNEL", "auto"))
        requirements.check(kernel)
    except TestbedError as error:
        pytest.skip(f"this machine cannot run a lab: {error}")
    started = launch.start(None, kernel, tied=True)
    yield started
    launch.stop(started)


@pytest.fixture(scope="module")
def token(lab: Lab) -> str:
    return str(yaml.safe_load(lab.kubeconfig.read_text())["users"][0]["user"]["token"])


@pytest.fixture(scope="module")
def rootdir(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Path:
    """A project with an inventory of its own, which leads to the lab by files with secrets."""
    folder = tmp_path_factory.mktemp("project")
    config = lab.ssh_config.read_text().replace("ProxyCommand ", f"ProxyCommand env PASSWORD={PASSWORD} ")
    assert PASSWORD in config
    testbed = folder / "testbed"
    testbed.mkdir()
    (testbed / "ssh_config").write_text(config)
    (testbed / "kubeconfig").write_text(lab.kubeconfig.read_text())
    (testbed / "kubelb.toml").write_text(lab.inventory.read_text())
    (folder / "test_rps.py").write_text(BENCH)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def run(rootdir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    options = ["-p", "no:cacheprovider", "--kubelb-runs=1", "--kubelb-pods=1", "--kubelb-backend=ipvs"]
    reports = [f"--kubelb-{name}=out/report.{name}" for name in FORMATS]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *reports, "--junit-xml=out/junit.xml", *words],
        cwd=rootdir,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={
            **os.environ,
            "REGISTRY_TOKEN": ENVIRONMENT,
            "KUBELB_INVENTORY": "testbed/kubelb.toml",
            "NO_PROXY": "127.0.0.1",
            "HTTPS_PROXY": f"http://bob:{ENVIRONMENT}@127.0.0.1:1/",
        },
    )


def test_nothing_that_a_session_leaves_or_says_has_a_secret(rootdir: Path, token: str) -> None:
    done = run(rootdir, "--kubelb-artifacts=always", "--log-level=DEBUG", "--verbose")
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert "ended with exit code 3" in done.stdout, "what the host said is not shown"
    searched = [path for path in rootdir.rglob("*") if path.is_file() and path.parent.name != "testbed"]
    names = {path.name for path in searched}
    assert names >= {"record.jsonl", "evidence.jsonl", "commands.txt", "wrk.txt", "junit.xml"}
    assert names >= {f"report.{name}" for name in FORMATS}
    told = {str(path.relative_to(rootdir)): path.read_text(errors="replace") for path in searched}
    told |= {"stdout": done.stdout, "stderr": done.stderr}
    for secret in (token, PASSWORD, ENVIRONMENT, SAID):
        assert [name for name, text in told.items() if secret in text] == [], f"{secret} is in these"
    assert REDACTED in told["out/junit.xml"]


def test_a_proxycommand_that_fails_tells_its_words_but_no_secret(rootdir: Path) -> None:
    file = rootdir / "testbed" / "ssh_config"
    before = file.read_text()
    says = f"  ProxyCommand sh -c \"echo 'cannot log in with --password={PASSWORD} here' >&2; exit 1\""
    lines = [says if "ProxyCommand" in line else line for line in before.splitlines()]
    file.write_text("\n".join(lines))
    try:
        done = run(rootdir, "--kubelb-artifacts=never")
    finally:
        file.write_text(before)
    assert "cannot log in with" in done.stdout, done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    for path in rootdir.rglob("*"):
        if path.is_file() and path.parent.name != "testbed":
            assert PASSWORD not in path.read_text(errors="replace"), path


def test_an_image_with_a_password_is_refused_without_saying_it(rootdir: Path) -> None:
    file = rootdir / "testbed" / "kubelb.toml"
    before = file.read_text()
    image = f"bob:{IMAGE_PASSWORD}@registry.example.com/nginx:1.22"
    file.write_text(before.replace('image = "nginx:1.22"', f'image = "{image}"'))
    try:
        done = run(rootdir, "--kubelb-plan")
    finally:
        file.write_text(before)
    assert f"workload.image is 'bob:{REDACTED}@registry.example.com" in done.stderr
    assert IMAGE_PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("bob:hunter2@registry.example.com/a/b:1", f"bob:{REDACTED}@registry.example.com/a/b:1"),
        ("bob:hunter2@localhost:5000/nginx", f"bob:{REDACTED}@localhost:5000/nginx"),
        (
            "registry.example.com:5000/nginx:1.22@sha256:abc",
            "registry.example.com:5000/nginx:1.22@sha256:abc",
        ),
        ("root@10.0.0.1:22 refused the key", "root@10.0.0.1:22 refused the key"),
    ],
)
def test_a_registry_s_password_in_the_name_of_an_image_is_taken_out(image: str, shown: str) -> None:
    assert redacted(image) == shown


def test_the_record_hides_what_it_is_told_to_and_what_looks_like_a_secret(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "record.jsonl", "record") as lines:
        lines.append({"said": "token: abcdefgh", "a plain word that is known": 1})
        lines.hide(["a plain word that is known"])
        lines.append(
            {"said": ['it said "a plain word that is known"'], "password": {"of": ["bob"], "length": 3}}
        )
    first, second = (tmp_path / "record.jsonl").read_text().splitlines()
    assert first == f'{{"said":"token: {REDACTED}","a plain word that is known":1}}'
    assert second == (
        f'{{"said":["it said \\"{REDACTED}\\""],"password":{{"of":["{REDACTED}"],"length":3}}}}'
    )


def test_an_error_has_no_secret_and_cannot_ring_or_move_the_cursor() -> None:
    error = TestbedError("k11 said \x1b[2J\x07 --token=abcdefghijkl\r\nand more")
    assert str(error) == f"k11 said \\x1b[2J\\x07 --token={REDACTED}\\r\\nand more"


def test_counters_that_are_named_like_secrets_stay() -> None:
    counted = {"MPTcpExt.MPJoinNoTokenFound": 3, "Tcp": {"Cookies": [1, 2.5]}}
    assert redacted_fields(counted) == counted


@pytest.mark.parametrize(
    "around", ["", "a line of 99 %", "a line of 99 \N{DEGREE SIGN}"], ids=["bare", "ascii", "other"]
)
@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer abcdefgh1234", "Set-Cookie: a=12345678", "API_KEY=12345678", "client-key-data: 12345678",
        "-----BEGIN PRIVATE KEY-----", "PASSWD=12345678", "my_Secret: 12345678", "http://a:12345678@b/",
        "eyJabcde.abcde.a",
        "to\N{KELVIN SIGN}en: 12345678", "\N{LATIN SMALL LETTER LONG S}ecret: 12345678",
    ],
)  # fmt: skip
def test_whatever_a_pattern_takes_for_a_secret_is_looked_at(said: str, around: str) -> None:
    text = f"{around} {said} {around}"
    assert REDACTED in redacted(text)
    assert may_hold_secrets(text)
    assert redacted(around) == around
    assert not may_hold_secrets(around)
