"""Targets that read files: records, evidence, reports, marks, imported logs, inventories, ssh_config, kubeconfig.

Touches a scratch folder of its own, in which each input is a file.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.evidence import tables
from pytest_kubelb.evidence.delta import HostDelta
from pytest_kubelb.record import exported, levels, marks, reader, sources
from pytest_kubelb.record.evidence_file import read_evidence
from pytest_kubelb.record.frame import load as load_frame
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.record.lines import line_to_json
from pytest_kubelb.report import json_report
from pytest_kubelb.report.formats import FORMATS, Reports
from pytest_kubelb.report.html.build import build
from pytest_kubelb.report.session_text import render
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.ssh import Link, read_ssh_config
from pytest_kubelb.text.redaction import redacted, redacted_fields, secrets_of_kubeconfig
from tests.fuzz.target import Target
from tests.load.classic_text import REAL_OUTPUT
from tests.preflight.made import INVENTORY
from tests.report import sessions
from tests.report.html import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.record.lines import Line

_COUNT = itertools.count()


@cache
def scratch() -> Path:
    """Give a folder that is removed at the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix="kubelb-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def in_a_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Feed a file of this name, alone in its folder; what is left of it is removed."""

    def feed(data: bytes) -> object:
        folder = scratch() / str(next(_COUNT))
        folder.mkdir()
        try:
            file = folder / name
            file.write_bytes(data)
            return read(file)
        finally:
            shutil.rmtree(folder)

    return feed


def _text_of(lines: list[Line]) -> bytes:
    return "".join(json.dumps(line_to_json(line)) + "\n" for line in lines).encode()


def _short(lines: list[Line]) -> list[Line]:
    """Leave out most runs: an input is changed in one place of many."""
    return [line for number, line in enumerate(lines) if number < 8 or number % 5 == 0]


RECORDS = (
    _text_of(_short(sessions.session_lines())),
    _text_of(sessions.session_lines()),
    _text_of(_short(sessions.hostile_lines("x"))),
)


def _report() -> bytes:
    folder = scratch() / "seed"
    folder.mkdir(exist_ok=True)
    source = sessions.source_of(Path(tempfile.mkdtemp(dir=folder)), sessions.session_lines())
    return json.dumps(json_report.build_of(source.lines())).encode()


def _evidence() -> bytes:
    folder = Path(tempfile.mkdtemp(dir=scratch()))
    return (
        b"\n".join(
            made.session(folder / "session", runs=2, pods=(1,))
            .with_name("evidence.jsonl")
            .read_bytes()
            .splitlines()[:2]
        )
        + b"\n"
    )


def _read_record(file: Path) -> object:
    levels.read(reader.read_record(file))
    return sources.find(file.parent)


def _every_report(file: Path) -> object:
    """Read a record and write all formats of it."""
    source = sources.Source(file, named=True)
    reports = Reports([source])
    told = render(reports.sessions, 80)
    if not told.replace("\n", "").isprintable():
        raise AssertionError(f"this would be printed to a terminal: {told!r}")
    for name in FORMATS:
        if name not in ("parquet", "html"):
            reports.write(name, file.parent / f"out.{name}")
    load_frame(file)
    return len(list(file.parent.iterdir()))


def _html(file: Path) -> object:
    Reports([sources.Source(file, named=True)]).write("html", file.parent / "out.html")
    return None


def _shown_evidence(file: Path) -> object:
    """Show what hosts counted beside a record that is right: the tables of `kubelb evidence`, and the page."""
    record = file.with_name("record.jsonl")
    record.write_bytes(_right_record())
    build([record], file.with_name("out.html"))
    for line in read_evidence(file):
        for told in line.hosts.values():
            tables.seed_tables(HostDelta.from_json(told))
    return None


@cache
def _right_record() -> bytes:
    return made.session(Path(tempfile.mkdtemp(dir=scratch())) / "session", runs=2, pods=(1,)).read_bytes()


def _read_deltas(file: Path) -> object:
    return [HostDelta.from_json(each) for line in read_evidence(file) for each in line.hosts.values()]


def _imported(file: Path) -> object:
    return import_paths([file.parent], {}, Choices(into=file.parent, backend="ipvs", pods=4, dry_run=True))


def _ssh_config(file: Path) -> object:
    """Read the file, and make the connections of two hosts without opening them."""
    if b"match" in file.read_bytes().lower():
        return None  # `Match exec` runs a command, as the manual of ssh_config says: nobody should fuzz that
    config = read_ssh_config(file)
    return [Link(name, config.clone()) for name in ("k11", "k12")]


def _known_hosts(file: Path) -> object:
    """Read the known host keys, as the first thing that opening does; nothing listens on port 1."""
    key = file.with_name("id")
    key.touch()
    config = file.with_name("ssh_config")
    config.write_text(
        f"Host k11\n HostName 127.0.0.1\n Port 1\n User root\n IdentityFile {key}\n HostKeyAlias k11\n"
        f" UserKnownHostsFile {file}\n GlobalKnownHostsFile none\n"
    )
    Link("k11", read_ssh_config(config)).open()
    return None


def _kubeconfig(file: Path) -> object:
    secrets_of_kubeconfig(file.read_text(errors="replace"))
    with Api(file, on_event=lambda _: None) as api:
        return api.credentials


def _redacted(data: bytes) -> object:
    text = data.decode(errors="replace")
    redacted_fields({"said": text})
    return redacted(text, ["s3cr3t-t0ken-of-the-lab"])


LOG = (
    f"podnum=4\nStart time: 1493771765\nwrk -c800 -t40 -d1s http://10.0.0.1:8888/\n{REAL_OUTPUT}"
    "End time: 1493771766\n"
)
CSV = "# of pods,# of requests/s,cpu,start\n1,40000.5,8,1493771765\n2,41k,8,2017-05-03T00:36:05Z\n"
SSH_CONFIG = (
    "Host k11 k12\n  HostName 127.0.0.1\n  Port 2222\n  User root\n  IdentityFile id_ed25519\n  ProxyJump bob@gate:22\n"
    "  UserKnownHostsFile known_hosts\n  HostKeyAlias k11\n  ProxyCommand nc %h %p\n  ConnectTimeout 3\n"
)
KNOWN_HOSTS = (
    b"k11,k12 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
    b"@revoked |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA\n# a comment\n"
)
KUBECONFIG = (
    "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters:\n- name: lab\n  cluster:\n"
    '    server: "https://127.0.0.1:6443"\n    insecure-skip-tls-verify: true\n'
    "contexts:\n- name: lab\n  context: {cluster: lab, user: lab}\n"
    "users:\n- name: lab\n  user: {token: s3cr3t-t0ken-of-the-lab}\n"
)


def targets() -> list[Target]:
    """Give the targets of this module."""
    packaged = [
        files("pytest_kubelb.lab").joinpath("inventory.toml").read_bytes(),
        INVENTORY.encode(),
    ]
    return [
        Target("record.jsonl", in_a_file("record.jsonl", _read_record), RECORDS),
        Target("record.jsonl to reports", in_a_file("record.jsonl", _every_report), RECORDS, slow=True),
        Target("record.jsonl to HTML", in_a_file("record.jsonl", _html), RECORDS, slow=True),
        Target(
            "evidence.jsonl",
            in_a_file("evidence.jsonl", _read_deltas),
            (_evidence(),),
            (KubelbError, ValueError),
        ),
        Target(
            "evidence.jsonl, shown",
            in_a_file("evidence.jsonl", _shown_evidence),
            (_evidence(),),
            (KubelbError, ValueError),
            slow=True,
        ),
        Target(
            "JSON report",
            in_a_file(
                "r.json", lambda file: [levels.read(exported.read_report(file)), sources.find(file.parent)]
            ),
            (_report(),),
        ),
        Target(
            "marks.json",
            in_a_file(marks.MARKS, lambda file: marks.read(file.parent)),
            (b'{"schema_version": 1, "tags": ["v1", "good"], "pinned": true}\n',),
        ),
        Target("imported log", in_a_file("ipvs_a_1.log", _imported), (LOG.encode(), REAL_OUTPUT.encode())),
        Target("imported table", in_a_file("ipvs_a_1.csv", _imported), (CSV.encode(),)),
        Target("inventory", in_a_file("kubelb.toml", inventory.load), tuple(packaged)),
        Target("ssh_config", in_a_file("ssh_config", _ssh_config), (SSH_CONFIG.encode(),)),
        Target("known_hosts", in_a_file("known_hosts", _known_hosts), (KNOWN_HOSTS,)),
        Target("kubeconfig", in_a_file("kubeconfig", _kubeconfig), (KUBECONFIG.encode(),)),
        Target(
            "text to redact",
            _redacted,
            (KUBECONFIG.encode(), b"curl -H 'Authorization: Bearer abc' https://u:p@h/"),
        ),
    ]
