"""kube-proxy's mode by the rules that a real one wrote, loaded into the kernel of a host made of namespaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import kube_proxy
from tests.tuning.conftest import host  # noqa: F401 - the fixture

if TYPE_CHECKING:
    from tests.tuning.machine import Namespace

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def rules(name: str) -> str:
    file = REFERENCE / name
    if not file.is_file():
        pytest.skip(f"the rules of a real kube-proxy are not beside the repository: {name}")
    return file.read_text()


def nat() -> str:
    """Give the one table that is asked for; the kernel may not have what the others need."""
    return (
        "*nat\n"
        + rules("kube-proxy-v1.36.2-iptables.txt").partition("*nat\n")[2].partition("COMMIT\n")[0]
        + "COMMIT\n"
    )


def load(there: Namespace, command: list[str], text: str) -> None:
    try:
        there.run(command, input=text)
    except (TestbedError, OSError) as error:
        pytest.skip(f"this kernel does not take kube-proxy's rules: {error}")


def test_a_host_without_kube_proxy_has_no_mode(host: Namespace) -> None:  # noqa: F811
    assert kube_proxy.mode(host) == ""


@pytest.mark.parametrize("program", ["iptables-nft-restore", "iptables-legacy-restore"])
def test_iptables_is_known_by_kube_proxys_chains(host: Namespace, program: str) -> None:  # noqa: F811
    load(host, [program], nat())
    assert kube_proxy.mode(host) == "iptables"


def test_nftables_is_known_by_kube_proxys_table(host: Namespace) -> None:  # noqa: F811
    load(host, ["nft", "-f", "-"], rules("kube-proxy-v1.36.2-nftables.txt"))
    assert kube_proxy.mode(host) == "nftables"


def test_ipvs_is_known_by_kube_proxys_interface_whatever_rules_there_are_besides(host: Namespace) -> None:  # noqa: F811
    load(host, ["iptables-nft-restore"], nat())
    load(host, ["ip", "link", "add", "kube-ipvs0", "type", "veth"], "")
    assert kube_proxy.mode(host) == "ipvs"


@pytest.mark.parametrize(
    ("said", "mode"), [(["iptables"], "iptables"), (["kubelb ipvs", "ipvs"], "ipvs"), (["?"], "")]
)
def test_only_a_mode_that_kube_proxy_has_is_believed(said: list[str], mode: str) -> None:
    assert kube_proxy.parse(said) == mode
