"""Keys and kubeconfig: ephemeral, for loopback, for their owner alone."""

import ssl
import stat
from pathlib import Path

import pytest
import yaml

from pytest_kubelb.lab.api.credentials import new_credentials, server_ssl_context, write_kubeconfig


def test_the_kubeconfig_is_readable_by_its_owner_alone_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("old")
    path.chmod(0o644)
    credentials = new_credentials()
    write_kubeconfig(path, "https://127.0.0.1:1234", credentials, context="lab", namespace="kubelb")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["kubeconfig"]
    written = yaml.safe_load(path.read_text())
    assert written["users"][0]["user"]["token"] == credentials.token
    assert written["contexts"][0]["context"]["namespace"] == "kubelb"
    assert written["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1234"


def test_no_secret_is_in_the_representation() -> None:
    credentials = new_credentials()
    assert credentials.token not in repr(credentials)
    assert "PRIVATE KEY" not in repr(credentials)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_certificate_is_accepted_for_loopback_by_strict_checks_and_for_nothing_else(name: str) -> None:
    credentials = new_credentials()
    client = ssl.create_default_context(cadata=credentials.ca_pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    handshake(client, server_ssl_context(credentials), name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server_ssl_context(credentials), "192.168.0.104")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server_ssl_context(new_credentials()), name)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """Give a TLS handshake in memory; raises what the client finds wrong."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[object] = set()
    for _ in range(6):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(side)
    assert len(done) == 2
