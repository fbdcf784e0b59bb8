"""The objects that are deployed, and the real nginx with the configuration in them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.testbed.workload_spec import Toleration

if TYPE_CHECKING:
    from pathlib import Path

POD_TMP = "/tmp/"  # noqa: S108 - in the pod, where it is an emptyDir
MANIFEST = Manifest("s1", "bench", "nginx:1.22")


def test_everything_carries_the_three_labels_and_selects_by_session() -> None:
    deployment, service = MANIFEST.deployment(), MANIFEST.service()
    labels = {
        "app.kubernetes.io/name": "kubelb",
        "app.kubernetes.io/managed-by": "pytest-kubelb",
        "kubelb.dev/session": "s1",
    }
    template = deployment["spec"]["template"]
    assert deployment["metadata"]["labels"] == service["metadata"]["labels"] == labels
    assert template["metadata"]["labels"] == labels
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"]["kubelb.dev/session"] == "s1"


def test_the_pod_meets_the_restricted_pod_security_standard() -> None:
    """The controls of https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    pod = MANIFEST.deployment()["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] != 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {one["name"] for one in pod["securityContext"]["sysctls"]} == {
        "net.ipv4.ip_unprivileged_port_start"
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("emptyDir" in volume for volume in pod["volumes"])
    (container,) = pod["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "hostPort" not in container["ports"][0]


def test_pods_spread_over_hosts_and_are_asked_every_second_whether_they_are_ready() -> None:
    pod = MANIFEST.deployment()["spec"]["template"]["spec"]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    probe = pod["containers"][0]["readinessProbe"]
    assert (probe["periodSeconds"], probe["httpGet"]["port"]) == (1, 80)


def test_the_service_has_the_address_and_port_asked_for() -> None:
    assert "clusterIP" not in MANIFEST.service()["spec"]
    spec = Manifest("s1", "bench", "x", 8080, 80, cluster_ip="10.254.0.10").service()["spec"]
    assert spec["clusterIP"] == "10.254.0.10"
    assert (spec["ports"][0]["port"], spec["ports"][0]["targetPort"]) == (80, 8080)


def test_a_port_above_1023_needs_no_sysctl() -> None:
    pod = Manifest("s1", "bench", "x", 8080).deployment()["spec"]["template"]["spec"]
    assert "sysctls" not in pod["securityContext"]


def test_pods_ask_for_little_and_go_anywhere_unless_they_are_told() -> None:
    pod = MANIFEST.deployment()["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}}
    assert not {"affinity", "nodeSelector", "tolerations"} & pod.keys()


def test_pods_ask_for_what_the_inventory_says_and_go_where_it_says() -> None:
    manifest = Manifest(
        "s1",
        "bench",
        "nginx:1.27",
        nodes=("k05", "k06"),
        requests=(("cpu", "1"),),
        limits=(("memory", "64Mi"),),
        node_selector=(("disk", "ssd"),),
        tolerations=(Toleration("dedicated", "Equal", "bench"), Toleration(operator="Exists")),
    )
    pod = manifest.deployment()["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "64Mi"}}
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [
        {"key": "dedicated", "operator": "Equal", "value": "bench"},
        {"operator": "Exists"},
    ]
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert [term["matchFields"][0]["values"] for term in terms["nodeSelectorTerms"]] == [["k05"], ["k06"]]
    assert hash(manifest) is not None


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt install nginx-light")
def test_nginx_answers_with_the_address_it_was_reached_at_and_keeps_the_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    container = Manifest("s1", "bench", "x", port).deployment()["spec"]["template"]["spec"]["containers"][0]
    configuration = container["env"][0]["value"].replace(POD_TMP, f"{tmp_path}/")
    start = container["command"][2].replace(POD_TMP, f"{tmp_path}/")
    with subprocess.Popen(
        ["/bin/sh", "-c", start], env={"NGINX_CONF": configuration, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    ) as nginx:
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    answer = urllib.request.urlopen(f"http://127.0.0.2:{port}/x", timeout=5)
                    break
                except OSError:
                    time.sleep(0.02)
            with answer:
                assert answer.read() == b"127.0.0.2\n"
        finally:
            nginx.terminate()
