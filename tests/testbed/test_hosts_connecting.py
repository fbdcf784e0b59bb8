"""Opening connections to a real sshd: host keys, keys, jump hosts, and what each failure says."""

from __future__ import annotations

import logging
import shlex
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError, TestbedError
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.ssh import MOST_JUMPS, Link, read_ssh_config

from .openssh import OpenSSH, prepare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> OpenSSH:
    return prepare(tmp_path)


def failure(server: OpenSSH) -> str:
    with Hosts(server.ssh_config, ["h1"]) as hosts, pytest.raises(TestbedError) as caught:
        hosts.connect(["h1"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_changed_host_key_is_refused(server: OpenSSH) -> None:
    server.known_hosts.write_text(f"machine.test {server.make_key('other')}\n")
    assert "offers the host key SHA256:" in failure(server)


def test_an_unknown_host_key_is_refused_and_not_learnt(server: OpenSSH) -> None:
    server.known_hosts.write_text("")
    assert "no host key is known for 'machine.test' (looked in " in failure(server)
    assert server.known_hosts.read_text() == ""


def test_a_host_key_is_found_under_its_alias(server: OpenSSH) -> None:
    key = server.known_hosts.read_text().split(" ", 1)[1]
    server.known_hosts.write_text(f"alias.test {key}")
    server.write_ssh_config(extra="  HostKeyAlias alias.test\n")
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        assert hosts["h1"].run(["echo", "yes"]).stdout == "yes\n"


def test_a_refused_key_names_user_host_and_key(server: OpenSSH) -> None:
    (server.folder / "authorized_keys").write_text("")
    said = failure(server)
    assert "@machine.test:22 refused the key" in said
    assert str(server.folder / "user") in said


def test_a_missing_identity_file_is_named(server: OpenSSH) -> None:
    (server.folder / "user").unlink()
    assert f"none of {server.folder / 'user'} exists" in failure(server)


def test_a_broken_proxy_command_is_reported_with_its_own_words(server: OpenSSH) -> None:
    server.write_ssh_config(proxy="/nonexistent/proxy --to %h")
    said = failure(server)
    assert said.startswith("host h1: no SSH connection to ")
    assert "ProxyCommand said: " in said
    assert "/nonexistent/proxy" in said


def test_a_proxy_command_that_says_nothing_costs_one_time_out(server: OpenSSH) -> None:
    server.write_ssh_config(proxy="sleep 60", extra="  ConnectTimeout 1\n")
    assert "no SSH connection to" in failure(server)


def test_a_closed_port_is_reported_with_its_address(server: OpenSSH) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    key = server.known_hosts.read_text().split(" ", 1)[1]
    server.known_hosts.write_text(f"[127.0.0.1]:{port} {key}")
    server.ssh_config.write_text(
        f"Host h1\n  HostName 127.0.0.1\n  Port {port}\n  User nobody\n"
        f"  IdentityFile {server.folder / 'user'}\n  UserKnownHostsFile {server.known_hosts}\n"
    )
    assert f"no SSH connection to nobody@127.0.0.1:{port} within 10 s" in failure(server)


def test_a_jump_host_is_used_and_its_host_key_is_checked_too(
    server: OpenSSH, caplog: pytest.LogCaptureFixture
) -> None:
    # The target is a port where nobody speaks SSH: the jump host says so.
    key = server.known_hosts.read_text().split(" ", 1)[1]
    server.known_hosts.write_text(f"machine.test,127.0.0.1 {key}[127.0.0.1]:1 {key}")
    target = (
        f"Host h1\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump jump\n  ProxyCommand none\n"
        f"  UserKnownHostsFile {server.known_hosts}\n  IdentityFile {server.folder / 'user'}\n"
    )
    server.write_ssh_config()
    server.ssh_config.write_text(target + server.ssh_config.read_text())
    with caplog.at_level(logging.DEBUG, "paramiko"):
        assert "no SSH connection to" in failure(server)
    assert "Authentication (publickey) successful" in caplog.text
    server.known_hosts.write_text(f"[127.0.0.1]:1 {key}")
    assert "host jump: no host key is known for 'machine.test'" in failure(server)


def test_commands_run_through_a_jump_host_on_the_host_behind_it(server: OpenSSH) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key = server.known_hosts.read_text().split(" ", 1)[1]
    server.known_hosts.write_text(f"machine.test {key}[127.0.0.1]:{port} {key}")
    server.write_ssh_config()
    server.ssh_config.write_text(
        f"Host h1\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump jump\n  ProxyCommand none\n"
        + server.ssh_config.read_text()
    )
    listening = [shlex.split(server.sshd())[0], "-D", "-e", "-f", str(server.folder / "sshd_config")]
    with subprocess.Popen([*listening, "-o", f"ListenAddress=127.0.0.1:{port}"]) as sshd:
        try:
            wait_for_port(port)
            with Hosts(server.ssh_config, ["h1"]) as hosts:
                said = hosts["h1"].run(["sh", "-c", 'echo "$SSH_CONNECTION"']).stdout
        finally:
            sshd.terminate()
    assert said.split()[3] == str(port)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on port {port}"
            time.sleep(0.01)
        else:
            return


def test_an_unreadable_ssh_config_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^ssh_config .*/none cannot be read"):
        Hosts(tmp_path / "none", ["h1"])


def test_every_host_that_cannot_be_reached_is_named_at_once(server: OpenSSH) -> None:
    server.known_hosts.write_text("")
    with (
        Hosts(server.ssh_config, ["h1", "h2"]) as hosts,
        pytest.raises(TestbedError, match=r"host h1.*host h2"),
    ):
        hosts.connect(["h1", "h2"])


def links(folder: Path, text: str) -> Link:
    file = folder / "ssh_config"
    file.write_text(text)
    return Link("h0", read_ssh_config(file))


def test_jump_hosts_that_name_each_other_are_an_error_with_the_round(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leads back to where it began: h0, h1, h2, h0"):
        links(tmp_path, "".join(f"Host h{n}\n ProxyJump bob@h{(n + 1) % 3}:22\n" for n in range(3)))
    with pytest.raises(ConfigError, match=r"more than 16 hosts|characters"):
        links(tmp_path, "Host *\n ProxyJump %h.a%h\n")


@pytest.mark.parametrize("in_one_line", [False, True])
def test_a_way_over_too_many_jump_hosts_is_an_error(tmp_path: Path, in_one_line: bool) -> None:
    def way(jumps: int) -> str:
        if in_one_line:
            return f"Host h0\n ProxyJump {','.join(f'h{n + 1}' for n in range(jumps))}\n"
        return "".join(f"Host h{n}\n ProxyJump h{n + 1}\n" for n in range(jumps))

    link: Link | None = links(tmp_path, way(MOST_JUMPS))
    names = []
    while link is not None:
        names.append(link.name)
        link = link._via
    assert len(names) == MOST_JUMPS + 1
    for jumps in (MOST_JUMPS + 1, 2000):
        with pytest.raises(ConfigError, match="more than 16 hosts"):
            links(tmp_path, way(jumps))


def test_a_jump_host_of_all_hosts_is_not_reached_through_itself(tmp_path: Path) -> None:
    link = links(tmp_path, "Host *\n ProxyJump gate\n")
    assert link._via is not None
    assert (link._via.name, link._via._via) == ("gate", None)
