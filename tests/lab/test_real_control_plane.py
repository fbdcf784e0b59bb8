"""The lab on real programs of Kubernetes: where KUBEBUILDER_ASSETS holds them; skipped, with that reason, where not.

The first lab runs all that are there, the second etcd and kube-apiserver alone, as `setup-envtest` brings them: there
the lab's own controllers, scheduler and kube-proxy do the rest on the real API.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config

from pytest_kubelb import holding
from pytest_kubelb.cli import main
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import cluster as lab_cluster
from pytest_kubelb.lab import launch
from pytest_kubelb.lab.real_control_plane.components import (
    API_SERVER,
    ETCD,
    NEEDED,
    PROXY,
    VARIABLE,
    Programs,
    describe,
    find_programs,
)
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts
from tests.lab.api.cluster import deployment, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.holding import HeldTestbed
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.lab.requirements import Kernel

BACKENDS = {"ipvs": "pytest_kubelb.backends.ipvs:Ipvs", "proxy": "pytest_kubelb.backends.proxy:Proxy"}
WANTED = holding.Wanted("test-real-control-plane", ("ipvs", "proxy"), BACKENDS)


@pytest.fixture(scope="module")
def programs() -> Programs:
    found = find_programs()
    if found is None:
        pytest.skip(f"{VARIABLE} does not name a folder with {' and '.join(NEEDED)}")
    return found


@pytest.fixture(scope="module", params=["all programs", "etcd and kube-apiserver"])
def lab(
    request: pytest.FixtureRequest,
    programs: Programs,
    lab_kernel: Kernel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lab]:
    """A lab of its own: the one of the session is started without looking at this module."""
    folder = programs.folder
    if request.param != "all programs":
        folder = tmp_path_factory.mktemp("assets")
        for name in NEEDED:
            Path(folder, name).symlink_to(programs.path(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, VARIABLE, str(folder))
        started = launch.start(None, lab_kernel, tied=True)
    yield started
    launch.stop(started)


@pytest.fixture(scope="module")
def held(lab: Lab) -> Iterator[HeldTestbed]:
    with holding.hold(inventory.load(lab.inventory), WANTED, lambda *_: None) as testbed:
        yield testbed


def test_the_status_names_each_component_with_its_version_or_as_emulated(
    lab: Lab, programs: Programs, request: pytest.FixtureRequest
) -> None:
    lines = dict(line.split(maxsplit=1) for line in describe(lab.folder))
    everything = "all programs" in request.node.name
    for name, version in programs.versions.items():
        real = everything or name in NEEDED
        if name == PROXY and lab.facts.kernel == "qemu":
            real = False  # its guest does not see this machine's files
        assert lines[name] == (version if real else "emulated")
    assert lines["kubelet"] == "emulated"


@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
@pytest.mark.parametrize("pods", [1, 12, 3])
def test_every_pod_answers_through_the_load_balancer(held: HeldTestbed, backend: str, pods: int) -> None:
    # Convergence proves it: exactly these endpoints, each answering by its own address.
    target = held.convergence.converge(Point(backend, pods, "vxlan"))
    assert len(target.endpoints) == pods


def test_the_overlay_is_changed_through_the_api(held: HeldTestbed) -> None:
    for overlay in ("host-gw", "vxlan"):
        target = held.convergence.converge(Point("proxy", 2, overlay))
        assert len(target.endpoints) == 2


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_what_a_deployment_owns_goes_with_it_or_is_let_go(lab: Lab, policy: str) -> None:
    new_client: Any = config.new_client_from_config
    with new_client(str(lab.kubeconfig)) as made:
        apps: Any = client.AppsV1Api(made)  # its types would have models where JSON will do
        name = f"owner-{policy.lower()}"
        apps.create_namespaced_deployment(lab_cluster.NAMESPACE, deployment(name, replicas=2))

        def sets() -> Any:
            return apps.list_namespaced_replica_set(lab_cluster.NAMESPACE, label_selector=f"app={name}").items

        until(lambda: [rs.status.ready_replicas for rs in sets()] == [2])
        apps.delete_namespaced_deployment(name, lab_cluster.NAMESPACE, propagation_policy=policy)
        if policy == "Orphan":
            until(lambda: sets()[0].metadata.owner_references is None)
            assert sets()[0].status.ready_replicas == 2
            apps.delete_namespaced_replica_set(sets()[0].metadata.name, lab_cluster.NAMESPACE)
        until(lambda: not sets())


def test_a_dead_api_server_is_named_with_its_log(
    programs: Programs, lab_kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ETCD).symlink_to(programs.path(ETCD))
    broken = tmp_path / API_SERVER
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec echo Kubernetes v0.0.1\necho "no luck today"; exit 3\n'
    )
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(TestbedError, match=r"kube-apiserver ended with exit code 3.*no luck today"):
        launch.stop(launch.start(None, lab_kernel, tied=True))


def test_status_and_down_of_a_lab_by_hand_leave_no_process(
    programs: Programs,
    lab_kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if launch.find() is not None:
        pytest.skip("a lab is up on this machine by hand: not ours to end")
    monkeypatch.setenv(VARIABLE, str(programs.folder))
    started = launch.start(launch.BY_HAND, lab_kernel, tied=False)
    namespace = Path(f"/proc/{started.facts.init_pid}/ns/pid").readlink()
    assert any(API_SERVER in command for command in commands_in(namespace))
    assert main(["lab", "status"]) == 0
    assert programs.versions[API_SERVER] in capsys.readouterr().out
    assert main(["lab", "down"]) == 0
    assert commands_in(namespace) == []
    assert not started.folder.exists()


def commands_in(pid_namespace: Path) -> list[str]:
    """The command lines of what runs in a PID namespace, as this machine sees it; one that has ended has none."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/pid").readlink() == pid_namespace:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended
            continue
    return [command for command in found if command]


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[Hosts]:
    with Hosts(lab.ssh_config, inventory.load(lab.inventory).roles.hosts) as opened:
        yield opened


def test_the_rules_of_the_service_are_on_the_load_balancer(held: HeldTestbed, hosts: Hosts) -> None:
    target = held.convergence.converge(Point("proxy", 4, "vxlan"))
    saved = hosts["k11"].run(["iptables-save", "-t", "nat"]).stdout.splitlines()
    jumps = [line for line in saved if line.startswith("-A KUBE-SVC") and '"kubelb/kubelb' in line]
    named = {line.split(" -> ")[1].split(":")[0] for line in jumps if " -> " in line}
    assert named == {endpoint.ip for endpoint in target.endpoints}
