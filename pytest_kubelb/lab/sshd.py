"""OpenSSH for the lab's hosts: ephemeral keys, sshd's configuration, and the ssh_config for clients.

Touches the state folder.

A host that is a namespace is reached by `sshd -i`, started inside it for each connection that comes through its door
(`doors`), so no port is opened anywhere. The load balancer's own kernel runs a listening sshd on the lab's LAN, which
has a door as well.
"""

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pytest_kubelb.lab.state import INSIDE
from pytest_kubelb.lab.topology import NODES

CLIENT_KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
SSH_CONFIG = "ssh_config"


def write_keys(state: Path) -> None:
    """Write the client's key, known_hosts, and for each host a key and an sshd_config; private keys are 0600."""
    client_public = _write_key(state / CLIENT_KEY)
    (state / "authorized_keys").write_text(client_public + "\n")
    known = []
    for node in NODES:
        # Under both names: OpenSSH and paramiko look a host up by its HostName, people by its alias.
        known.append(f"{node.name},{node.address} {_write_key(state / f'host_key_{node.name}')}")
        (state / f"sshd_config_{node.name}").write_text(_sshd_config(node.name))
    (state / KNOWN_HOSTS).write_text("\n".join(known) + "\n")


def ssh_config(state: Path, proxy_commands: Mapping[str, str]) -> str:
    """Give the ssh_config for a client; `proxy_commands` maps each host's name to the command that reaches its sshd."""
    blocks = [
        f"Host {node.name}\n  HostName {node.address}\n  ProxyCommand {proxy_commands[node.name]}\n"
        for node in NODES
        if node.name in proxy_commands
    ]
    common = (
        "Host *\n"
        "  User root\n"
        f"  IdentityFile {state / CLIENT_KEY}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {state / KNOWN_HOSTS}\n"
        "  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking yes\n"
        "  HostKeyAlgorithms ssh-ed25519\n"
        "  LogLevel ERROR\n"
    )
    return "\n".join([*blocks, common])


def inetd_command(node_name: str) -> list[str]:
    """Give the command that serves one connection on its standard input and output, on the host itself."""
    return ["/usr/sbin/sshd", "-i", "-f", str(INSIDE / f"sshd_config_{node_name}")]


def inside_anchor(anchor_pid: int) -> list[str]:
    """Give the command prefix that enters a host's namespaces through its anchor process."""
    return ["nsenter", "--target", str(anchor_pid), "--net", "--mount", "--uts", "--root", "--"]


def _write_key(path: Path) -> str:
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _sshd_config(node_name: str) -> str:
    return (
        f"HostKey {INSIDE / f'host_key_{node_name}'}\n"
        f"AuthorizedKeysFile {INSIDE / 'authorized_keys'}\n"
        "AuthenticationMethods publickey\n"
        "PermitRootLogin prohibit-password\n"
        "PidFile none\n"
        "PrintMotd no\n"
        # The state folder is readable by its owner alone; sshd's own check would also want every parent to be.
        "StrictModes no\n"
        "UseDNS no\n"
        "UsePAM no\n"
        "MaxSessions 64\n"
        "SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8\n"
    )
