"""Secrets do not survive, whoever wrote them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.text.redaction import REDACTED, redacted, secrets_of_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAABG5vbmUAAAA\n-----END OPENSSH PRIVATE KEY-----"
)
TOKEN = "s3cr3t-t0ken-of-the-lab"  # noqa: S105 - planted
KUBECONFIG = f"""
apiVersion: v1
clusters: [{{name: lab, cluster: {{server: "https://127.0.0.1:6443"}}}}]
users:
- name: lab
  user: {{token: "{TOKEN}", client-key-data: "{base64.b64encode(KEY.encode()).decode()}"}}
"""


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"said {KEY} and more", "AAAABG5vbmUAAAA"),
        (KEY.partition("-----END")[0], "AAAABG5vbmUAAAA"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        (f"curl -H 'Authorization: Bearer {TOKEN}' https://x", TOKEN),
        (f"authorization=bearer {TOKEN}", TOKEN),
        (f"curl -H 'Authorization: {TOKEN}' https://x", TOKEN),
        (f"curl -H 'Authorization: Negotiate {TOKEN}' https://x", TOKEN),
        (f'{{"Authorization": "AWS4-HMAC-SHA256 Credential=a/b, Signature={TOKEN}"}}', TOKEN),
        (f"wrk -H 'Cookie: theme=dark; session={TOKEN}' http://x", TOKEN),
        (f"Set-Cookie: session={TOKEN}; Path=/", TOKEN),
        (f'{{"said": "{{\\"Cookie\\": \\"a={TOKEN}\\"}}"}}', TOKEN),
        (f"kubectl --token={TOKEN} get pods", TOKEN),
        (f"kubectl --token {TOKEN} get pods", TOKEN),
        (f"    token: {TOKEN}\n", TOKEN),
        (f'{{"token": "{TOKEN}", "a": 1}}', TOKEN),
        (f'{{"said": "{{\\"token\\": \\"{TOKEN}\\"}}"}}', TOKEN),
        (f"password: {TOKEN}", TOKEN),
        (f"KUBELB_SECRET={TOKEN} wrk", TOKEN),
        ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg"),
        ("eyJhbGciOiJSUzI1.eyJpc3MiOiJr.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("https://user:hunter2@registry.local/", "hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redacted(text)
    assert REDACTED in redacted(text)


def test_what_is_known_to_be_secret_is_taken_out_wherever_it_stands() -> None:
    known = secrets_of_kubeconfig(KUBECONFIG)
    assert redacted(f"x{TOKEN}y", known) == f"x{REDACTED}y"
    assert "AAAABG5vbmUAAAA" not in redacted("one line of it: AAAABG5vbmUAAAA", known)


def test_tokens_and_keys_in_files_that_the_kubeconfig_names_are_known(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n")
    text = "users: [{user: {tokenFile: token}}, {user: {client-key: key}}, {user: {tokenFile: none}}]"
    known = secrets_of_kubeconfig(text, tmp_path)
    assert TOKEN in known
    assert len(known) == 2
    assert secrets_of_kubeconfig(text) == frozenset()


@pytest.mark.parametrize("text", ["", "[", "users: 4", "users: [4]", "users: [{user: {token: 4}}]", "a: b"])
def test_what_is_no_kubeconfig_has_no_secrets(text: str) -> None:
    assert secrets_of_kubeconfig(text) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "wrk -t40 -c800 -d60s -s /tmp/kubelb.x/report.lua -H 'Host: kubelb.test' http://192.168.0.111:8888/",
        "k11$ ipvsadm --restore  # exit code 0, 0.004 s",
        '{"kind":"evidence","run":0,"hosts":{"k11":{"counters":{"TcpExt.TCPSynRetrans":3}}}}',
        "Requests/sec:  40000.00",
        "-H 'Authorization:' -H 'Cookie:' http://x",
        "authorization and cookies were not asked for",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@given(st.text(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12))
def test_a_known_secret_never_survives(text: str, secret: str) -> None:
    assert secret not in redacted(f"{text}{secret}{text}", [secret])


@pytest.mark.parametrize(
    "piece", ["x", "eyJ", "a-", "://", "token", " ", "-----BEGIN PRIVATE KEY", "bearer "]
)
def test_a_megabyte_of_anything_is_read_through(piece: str) -> None:
    """With a pattern that looks back at every character this would take hours."""
    redacted(piece * (2**20 // len(piece)))
