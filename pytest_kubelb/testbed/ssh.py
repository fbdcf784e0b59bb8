"""Open one OpenSSH connection as an ssh_config says. Touches ssh and the ProxyCommand it starts.

fabric reads the ssh_config and logs in. Done here, because its defaults are wrong for a benchmark: host
keys are checked on every hop, jump hosts are taken in the order written, and a ProxyCommand gets a real
socket (paramiko's own class spins on a dead one and never notices).
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Final

import fabric
import paramiko
from paramiko.hostkeys import InvalidHostKey

from pytest_kubelb.errors import ConfigError, TestbedError
from pytest_kubelb.testbed import ssh_config

# paramiko's thread logs tracebacks of connection errors that we report ourselves, in one sentence.
# (pytest 9 captures loggers that do not propagate as well, so they are silenced at the source.)
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

DEFAULT_CONNECT_TIMEOUT_S = 10
MOST_JUMPS: Final = 16
"""Jump hosts on the way to a host, and hosts whose ProxyJump names the next; each is a connection that stays open."""
_LONGEST_HOP: Final = 255  # a host name has at most 253 characters


def read_ssh_config(path: Path) -> fabric.Config:
    """Parse this file and what it includes; the user's and the system's ssh_config and fabric's own are not looked at.

    Raises ConfigError when it cannot be read or parsed.
    """
    try:
        parsed = paramiko.SSHConfig.from_text(ssh_config.read(path))
    except paramiko.ConfigParseError as error:
        raise ConfigError(
            f"ssh_config {path} cannot be read ({error}); give a readable OpenSSH client configuration"
        ) from error
    return fabric.Config(ssh_config=parsed, lazy=True)


class Link:
    """One open connection, its jump hosts and its ProxyCommand. `close` ends and reaps all of them."""

    def __init__(
        self,
        name: str,
        config: fabric.Config,
        *,
        user: str | None = None,
        via: Link | None = None,
        asked_by: tuple[str, ...] = (),
    ) -> None:
        """`asked_by` has the hosts whose ProxyJump led here, the one that is wanted first."""
        self.name = name
        self._config = config
        self._proxy: subprocess.Popen[bytes] | None = None
        self._proxy_stderr: IO[bytes] | None = None
        self._socket: socket.socket | None = None
        try:
            self.connection = fabric.Connection(
                name, user=user, config=config, gateway=False, forward_agent=False,
                connect_kwargs={"allow_agent": False, "look_for_keys": False},
            )  # fmt: skip
            self._via = via or self._jump((*asked_by, name))
            self._jumps: int = self._via._jumps + 1 if self._via is not None else 0
            if self._jumps > MOST_JUMPS:
                raise ValueError(f"its ProxyJump has more than {MOST_JUMPS} hosts")
        except (ValueError, AttributeError, paramiko.ConfigParseError) as error:  # invoke splits what is None
            raise ConfigError(
                f"ssh_config: what it says of the host {name} cannot be used ({brief(str(error))}); see its Port, its"
                " ProxyJump and its Match lines"
            ) from error

    @property
    def alive(self) -> bool:
        """Whether the connection still stands, as far as this end knows."""
        return bool(self.connection.is_connected)

    @property
    def transport(self) -> paramiko.Transport:
        """The open transport; only after `open`."""
        transport: paramiko.Transport = self.connection.transport
        return transport

    def _jump(self, asking: tuple[str, ...]) -> Link | None:
        hops = self.connection.ssh_config.get("proxyjump", "none")
        previous: Link | None = None
        if hops.lower() == "none":
            return None
        # Left to right, as OpenSSH goes; fabric 3.2 walks the list backwards and trusts any host key.
        for hop in hops.split(","):
            shorthand = fabric.connection.derive_shorthand(hop.strip().removeprefix("ssh://"))
            if shorthand["host"] in (self.name, self.connection.host):
                return None  # a wildcard Host block that names its own jump host
            if previous is None:  # the first hop alone is asked for jump hosts of its own
                _check_way((*asking, shorthand["host"] or ""))
            previous = Link(
                shorthand["host"], self._config, user=shorthand["user"], via=previous, asked_by=asking
            )
            if shorthand["port"] is not None:
                previous.connection.port = shorthand["port"]
        return previous

    def open(self) -> None:
        """Connect and log in. Raises TestbedError in one sentence; nothing is left open then."""
        connection = self.connection
        limit_s = connection.connect_timeout or DEFAULT_CONNECT_TIMEOUT_S
        connection.connect_timeout = limit_s
        try:
            connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self._trust_known_keys()
            self._choose_identities()
            connection.connect_kwargs |= {
                "banner_timeout": limit_s, "auth_timeout": limit_s, "channel_timeout": limit_s,
            }  # fmt: skip
            connection.connect_kwargs["sock"] = self._open_socket(limit_s)
            connection.open()
        except BaseException as error:
            sentence = self._sentence(error, limit_s)
            self.close()
            if sentence is None:
                raise
            raise TestbedError(sentence) from error

    def _open_socket(self, limit_s: float) -> socket.socket | paramiko.Channel | None:
        connection = self.connection
        if self._via is not None:
            self._via.open()
            return self._via.transport.open_channel(
                "direct-tcpip", (connection.host, int(connection.port)), ("", 0), timeout=limit_s
            )
        command = connection.ssh_config.get("proxycommand")
        if command is None:
            return None
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._proxy_stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            # Its own session: Ctrl-C must reach us, not the connections that undo what was done.
            self._proxy = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._proxy_stderr,
                start_new_session=True,
            )
        return ours

    def _trust_known_keys(self) -> None:
        connection = self.connection
        settings = connection.ssh_config
        known = paramiko.HostKeys()
        files: list[Path] = []
        try:
            files += _paths(settings.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
            files += _paths(settings.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts"))
            for path in files:
                if path.is_file():
                    known.load(str(path))
        except (ValueError, RuntimeError, OSError, InvalidHostKey) as error:
            raise TestbedError(
                f"host {self.name}: the known host keys cannot be read ({brief(str(error))}); see UserKnownHostsFile"
                " and GlobalKnownHostsFile in the ssh_config, and the lines of these files"
            ) from error
        port = int(connection.port)
        name = connection.host if port == paramiko.config.SSH_PORT else f"[{connection.host}]:{port}"
        wanted = settings.get("hostkeyalias", name)
        keys = known.lookup(wanted)
        if keys is None:
            looked_in = ", ".join(map(str, files)) or "no file"
            raise TestbedError(
                f"host {self.name}: no host key is known for {wanted!r} (looked in {looked_in});"
                f" verify the host's key and add it to one of them"
            )
        for kind, key in keys.items():
            connection.client.get_host_keys().add(name, kind, key)

    def _choose_identities(self) -> None:
        """Leave out identity files that do not exist, as OpenSSH does; paramiko would stop at the first."""
        files = [Path(file) for file in self.connection.connect_kwargs.get("key_filename", ())]
        present = [str(file) for file in files if file.is_file()]
        if not present:
            missing = f"none of {', '.join(map(str, files))} exists" if files else "there is no IdentityFile"
            raise TestbedError(
                f"host {self.name}: {missing}, and neither an agent nor other keys are tried; name the"
                " private key with IdentityFile in the ssh_config"
            )
        self.connection.connect_kwargs["key_filename"] = present

    def _sentence(self, error: BaseException, limit_s: float) -> str | None:
        """Say what went wrong while connecting; None when the error should travel as it is."""
        at = f"{self.connection.user}@{self.connection.host}:{self.connection.port}"
        match error:
            case paramiko.BadHostKeyException():
                return (
                    f"host {self.name}: {at} offers the host key {error.key.fingerprint}, known is"
                    f" {error.expected_key.fingerprint}; if the host was reinstalled, correct known_hosts"
                )
            case paramiko.PasswordRequiredException():
                return f"host {self.name}: the private key for {at} has a passphrase; give a key without one"
            case paramiko.AuthenticationException():
                keys = ", ".join(self.connection.connect_kwargs.get("key_filename", ()))
                return (
                    f"host {self.name}: {at} refused the key ({keys}); put its public half in"
                    " authorized_keys there"
                )
            case paramiko.SSHException() | OSError() | EOFError():
                said = self._proxy_said()
                return (
                    f"host {self.name}: no SSH connection to {at} within {limit_s} s"
                    f" ({brief(str(error) or type(error).__name__)}{said}); check that the host is up and"
                    f" that 'ssh {self.name}' works with the same ssh_config"
                )
        return None

    def _proxy_said(self) -> str:
        if self._proxy_stderr is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._proxy is not None:
                self._proxy.wait(0.2)  # what it has to say comes with its end
        self._proxy_stderr.seek(0)
        said = self._proxy_stderr.read(4096).decode(errors="replace").strip().splitlines()
        return f"; ProxyCommand said: {brief(said[-1])}" if said else ""

    def close(self) -> None:
        """End the connection, its jump hosts and its ProxyCommand. Safe to call twice."""
        transport = self.connection.client.get_transport()
        raw = getattr(transport, "sock", None) or self._socket
        if isinstance(raw, socket.socket):
            # paramiko's reader notices a closed socket only after its 0.1 s time-out, a shut one at once.
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
        self.connection.client.close()
        if self._socket is not None:
            self._socket.close()
        if self._proxy is not None:
            _end(self._proxy)
        if self._proxy_stderr is not None:
            self._proxy_stderr.close()
        self._proxy = self._socket = self._proxy_stderr = None
        if self._via is not None:
            self._via.close()


def _check_way(hosts: tuple[str, ...]) -> None:
    """Raise ValueError when hosts that name each other as jump hosts, the last one the next, lead to no end."""
    if hosts[-1] in hosts[:-1]:
        raise ValueError(f"its ProxyJump leads back to where it began: {', '.join(hosts)}")
    if len(hosts) > MOST_JUMPS + 1:
        raise ValueError(f"its ProxyJump leads over more than {MOST_JUMPS} hosts")
    if len(hosts[-1]) > _LONGEST_HOP:  # %h may have made it of itself
        raise ValueError(f"its ProxyJump names a host of {len(hosts[-1])} characters")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a ProxyCommand end by itself, now that its socket is shut; end it if it does not; reap it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        else:
            return
    process.wait()


def _paths(setting: str) -> list[Path]:
    names = [name for name in shlex.split(setting) if name.lower() != "none"]
    return [Path(name.replace("%d", "~", 1)).expanduser() for name in names]


def brief(text: str, limit: int = 200) -> str:
    """Put a text on one line of at most `limit` characters, for error sentences."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
