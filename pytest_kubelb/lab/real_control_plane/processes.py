"""The command lines of the control plane's programs. Touches the folder it is given; starts nothing.

All listen inside the lab's network namespace, which has no other user: etcd on loopback and without keys, the
API server on the lab's LAN as well, where kube-proxy reaches it.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pytest_kubelb.lab.api.credentials import Credentials, write_kubeconfig
from pytest_kubelb.lab.real_control_plane.components import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    PROXY,
    SCHEDULER,
    Programs,
)
from pytest_kubelb.lab.topology import LAN, LOAD_BALANCER, POD_RANGE, SERVICE_RANGE

API_PORT = 6443
LAN_ADDRESS = LAN.network_address + 1
"""That of the holder's bridge (see `nodes.make_lan`)."""

_ETCD = "http://127.0.0.1:2379"
# Without kubelets nobody says that a node is alive but its object, once; and nothing else shall write while wrk runs.
_NODE_PATIENCE = "8760h"


@dataclass(frozen=True)
class Files:
    """What the programs read and write, in a folder that is seen from inside the lab only and goes with it."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """For the programs beside the API server."""
        return self.folder / "kubeconfig"

    @property
    def kubeconfig_of_hosts(self) -> Path:
        """For programs on the lab's hosts."""
        return self.folder / "kubeconfig-lan"

    def write(self, credentials: Credentials) -> None:
        """Write keys, tokens and kubeconfigs, readable by their owner alone."""
        self.folder.mkdir(mode=0o700)
        for name, text in (
            ("server.pem", credentials.server_pem),
            ("ca.pem", credentials.ca_pem),
            ("tokens.csv", f'{credentials.token},kubelb,kubelb,"system:masters"\n'),
            ("service-accounts.pem", _private_key()),
        ):
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_text(text)
        write_kubeconfig(self.kubeconfig, f"https://127.0.0.1:{API_PORT}", credentials)
        write_kubeconfig(self.kubeconfig_of_hosts, f"https://{LAN_ADDRESS}:{API_PORT}", credentials)


def etcd(programs: Programs, files: Files) -> list[str]:
    """Give the command line of etcd: one member, in memory, so that nothing is worth a sync."""
    return [
        programs.path(ETCD),
        f"--data-dir={files.folder / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:0",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(programs: Programs, files: Files) -> list[str]:
    """Give the command line of kube-apiserver."""
    # Nodes are tainted when they are made, until a node-lifecycle-controller has looked at them; where there is none,
    # nor one that makes the ServiceAccounts, these two would wait for ever.
    disabled = ["TaintNodesByCondition", *([] if CONTROLLER_MANAGER in programs else ["ServiceAccount"])]
    folder = files.folder
    return [
        programs.path(API_SERVER),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={LAN_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={folder / 'server.pem'}",
        f"--tls-private-key-file={folder / 'server.pem'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        f"--disable-admission-plugins={','.join(disabled)}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.pem'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.pem'}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--profiling=false",
        f"--cert-dir={folder}",
    ]


def controller_manager(programs: Programs, files: Files) -> list[str]:
    """Give the command line of kube-controller-manager."""
    return [
        programs.path(CONTROLLER_MANAGER),
        f"--kubeconfig={files.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={files.folder / 'service-accounts.pem'}",
        f"--root-ca-file={files.folder / 'ca.pem'}",
        f"--node-monitor-grace-period={_NODE_PATIENCE}",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--profiling=false",
    ]


def scheduler(programs: Programs, files: Files) -> list[str]:
    """Give the command line of kube-scheduler."""
    return [
        programs.path(SCHEDULER),
        f"--kubeconfig={files.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--profiling=false",
    ]


def proxy(programs: Programs, files: Files) -> list[str]:
    """Give the command line of kube-proxy on the load balancer."""
    return [
        programs.path(PROXY),
        f"--kubeconfig={files.kubeconfig_of_hosts}",
        f"--hostname-override={LOAD_BALANCER.name}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_RANGE}",
        # The lab has set conntrack's size for this host already.
        "--conntrack-max-per-core=0",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
    ]


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
