"""The audit of what is installed: pip-audit against an advisory service on loopback, which speaks OSV's protocol."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
FOUND = {
    "id": "PYSEC-2026-1",
    "summary": "made up",
    "details": "made up",
    "aliases": ["CVE-2026-0001"],
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.6"}]}],
            "versions": ["3.1.0"],
        }
    ],
}
REQUIREMENTS = "jinja2==3.1.0\nmarkupsafe==2.1.5\n"


class Advisories(BaseHTTPRequestHandler):
    """Knows of one vulnerability, in jinja2."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [FOUND]} if asked["package"]["name"] == "jinja2" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def audit(folder: Path, service: str) -> subprocess.CompletedProcess[str]:
    """Audit two pinned packages, without installing them."""
    if importlib.util.find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed (dependency group audit)")
    pinned = folder / "requirements.txt"
    pinned.write_text(REQUIREMENTS)
    words = [
        f"--requirement={pinned}",
        "--no-deps",
        "--disable-pip",
        "--vulnerability-service=osv",
        f"--osv-url={service}",
    ]
    words += [f"--cache-dir={folder}"]
    return subprocess.run(
        [sys.executable, AUDIT, *words], capture_output=True, text=True, check=False, timeout=120
    )


def judged(report: dict[str, Any], waived: dict[str, str]) -> tuple[list[str], list[str], int]:
    spec = importlib.util.spec_from_file_location("audit", AUDIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: tuple[list[str], list[str], int] = module.judged(report, waived)
    return found


def test_a_known_vulnerability_fails(tmp_path: Path, service: str) -> None:
    done = audit(tmp_path, service)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "jinja2 3.1.0: PYSEC-2026-1, fixed in 3.1.6: update it" in done.stdout
    assert "2 packages looked up, 0 not known" in done.stdout


def test_a_service_that_cannot_be_reached_is_said_and_fails_nothing(tmp_path: Path) -> None:
    done = audit(tmp_path, "http://127.0.0.1:1/v1/query")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("not audited: ")


REPORT = {
    "dependencies": [
        {
            "name": "a",
            "version": "1",
            "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}],
        },
        {"name": "b", "skip_reason": "not found"},
    ]
}


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_a_waiver_by_id_or_alias_lets_it_pass_and_says_why(name: str) -> None:
    failing, said, looked_up = judged(REPORT, {name: "only its XML parser, which nothing here calls"})
    assert failing == []
    assert looked_up == 1
    assert said[0] == "waived: a 1: PYSEC-1, fixed in 2: only its XML parser, which nothing here calls"


def test_a_waiver_that_nothing_needs_is_said() -> None:
    failing, said, _ = judged(REPORT, {"CVE-9": "of before"})
    assert len(failing) == 1
    assert "no package has CVE-9 any more: delete its waiver" in said
