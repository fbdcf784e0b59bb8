"""A real OpenSSH server for the tests: `sshd -i` as the ProxyCommand, with keys made for one test."""

from __future__ import annotations

import dataclasses
import getpass
import os
import shlex
import shutil
import subprocess
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or "sshd"


@dataclasses.dataclass(frozen=True)
class OpenSSH:
    """The files of one server: hosts `h1` … `h4` of the ssh_config are all this machine."""

    folder: Path

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def make_key(self, name: str) -> str:
        """Make an ed25519 key pair; the public line without its comment."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return " ".join(path.with_suffix(".pub").read_text().split()[:2])

    def sshd(self) -> str:
        return shlex.join([SSHD, "-i", "-f", str(self.folder / "sshd_config")])

    def write_ssh_config(self, *, proxy: str | None = None, extra: str = "") -> None:
        self.ssh_config.write_text(
            f"Host *\n  User {getpass.getuser()}\n  HostName machine.test\n  Port 22\n"
            f"  IdentityFile {self.folder / 'user'}\n  UserKnownHostsFile {self.known_hosts}\n"
            f"  GlobalKnownHostsFile none\n  ProxyCommand {proxy or self.sshd()}\n{extra}"
        )


def prepare(folder: Path) -> OpenSSH:
    """Write all files. sshd run by root insists on its empty privilege separation folder."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = OpenSSH(folder)
    (folder / "home").mkdir()
    host_key = server.make_key("host")
    (folder / "authorized_keys").write_text(server.make_key("user") + "\n")
    (folder / "sshd_config").write_text(
        f"HostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxSessions 50\n"
        "LogLevel QUIET\nPrintMotd no\nPidFile none\n"
        # An empty home: the login user's own shell start-up files are no part of what is tested.
        f"SetEnv HOME={folder / 'home'}\n"
    )
    server.known_hosts.write_text(f"machine.test {host_key}\n")
    server.write_ssh_config()
    return server
