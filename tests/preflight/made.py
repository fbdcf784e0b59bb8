"""Inventories and answers for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb import settings
from pytest_kubelb.backends import BUILT_IN
from pytest_kubelb.preflight.answer import HostAnswer, sections
from pytest_kubelb.preflight.wanted import Wanted

if TYPE_CHECKING:
    from pathlib import Path

INVENTORY = """
[testbed]
name = "made"
ssh_config = "ssh_config"
[roles]
control_plane = ["k04"]
workers = ["k05", "k06", "k07", "k08", "k09", "k10"]
load_balancer = "k11"
benchmarker = "k12"
[cluster]
kubeconfig = "kubeconfig"
namespace = "bench"
[workload]
image = "nginx:1.22"
port = 80
[backends.ipvs]
vip = "192.168.0.111"
port = 8888
[backends.proxy]
cluster_ip = "10.254.0.10"
port = 80
via = "192.168.0.111"
[tuning.steered.load_balancer]
nic = "eth0"
rps = "all"
"""


def wanted(folder: Path, **options: str) -> Wanted:
    """Give what a session on the made testbed wants; `options` as an environment would give them."""
    file = folder / "kubelb.toml"
    file.write_text(INVENTORY)
    for name in ("ssh_config", "kubeconfig"):
        (folder / name).touch()
    layer = {key: settings.Given(text, "test", folder) for key, text in options.items()}
    resolved = settings.resolve([layer], search=[folder], known_backends=BUILT_IN, new_seed=0)
    return Wanted.from_settings(resolved, resolved.inventory)


def answered(host: str, printed: str, user: str = "root") -> HostAnswer:
    """Give an answer out of what the question would have printed."""
    return HostAnswer(host, user=user, parts=sections(printed))
