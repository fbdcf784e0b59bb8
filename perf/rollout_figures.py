"""What the plugin adds to the time in which a cluster has scaled. Touches that cluster: one namespace of its own.

The cluster is the one of KUBELB_TEST_KUBECONFIG, with pods of the image KUBELB_TEST_IMAGE (nginx:1.27); where that is
not set, a lab, whose kubelet starts pods in milliseconds, so that it shows an upper bound and not what users wait for.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perf.figures import Figure
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.namespace import manifest as namespace_manifest
from pytest_kubelb.cluster.resources import DEPLOYMENTS, NAMESPACES
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.lab import launch

if TYPE_CHECKING:
    from collections.abc import Iterator

PODS: Final = 40
TIMEOUT_S: Final = 300.0


def rollout(rounds: int = 7) -> Iterator[Figure]:
    """Give the time until our scale to 40 pods returns over that of `kubectl rollout status` for the same, in turn."""
    if shutil.which("kubectl") is None:
        why: dict[str, object] = {"why": "kubectl is not installed: apt install kubernetes-client"}
        yield Figure("scale_over_kubectl_rollout", None, "ratio", at_most=1.1, details=why)
        return
    with _cluster() as (kubeconfig, which), Api(kubeconfig, on_event=print) as api:
        name = f"kubelb-perf-{os.getpid()}"
        namespace = api.create(NAMESPACES, namespace_manifest(name))
        try:
            workload = Workload(
                api, Manifest("perf", name, os.environ.get("KUBELB_TEST_IMAGE", "nginx:1.27"))
            )
            workload.deploy()
            kubectl = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", name]
            ours: list[float] = []
            theirs: list[float] = []
            for number in range(rounds + 1):  # the first pulls the image
                for mine in (True, False) if number % 2 else (False, True):
                    workload.scale(1, timeout_s=TIMEOUT_S)
                    seconds = _ours(workload) if mine else _theirs(api, name, kubectl)
                    if number:
                        (ours if mine else theirs).append(seconds)
            start_s = min(_timed([*kubectl, "version", "--client"]) for _ in range(3))
            workload.delete()
        finally:
            api.delete(NAMESPACES, namespace)
    details: dict[str, object] = {
        "cluster": which,
        "pods": PODS,
        "ours_s": [round(each, 2) for each in ours],
        "kubectl_s": [round(each, 2) for each in theirs],
        "start_of_kubectl_s": round(start_s, 2),
    }
    ratio = statistics.median(ours) / statistics.median(theirs)
    yield Figure("scale_over_kubectl_rollout", ratio, "ratio", at_most=1.1, details=details)


def _ours(workload: Workload) -> float:
    began = time.monotonic()
    workload.scale(PODS, timeout_s=TIMEOUT_S)
    return time.monotonic() - began


def _theirs(api: Api, namespace: str, kubectl: list[str]) -> float:
    began = time.monotonic()
    scale = {"spec": {"replicas": PODS}}
    api.patch(DEPLOYMENTS, "kubelb", scale, namespace, subresource="scale")
    subprocess.run(
        [*kubectl, "rollout", "status", "deployment/kubelb", f"--timeout={TIMEOUT_S:g}s"],
        capture_output=True,
        check=True,
    )
    return time.monotonic() - began


def _timed(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, capture_output=True, check=True)
    return time.monotonic() - began


@contextmanager
def _cluster() -> Iterator[tuple[Path, str]]:
    given = os.environ.get("KUBELB_TEST_KUBECONFIG")
    if given:
        yield Path(given), "KUBELB_TEST_KUBECONFIG"
        return
    lab = launch.start(tied=True)
    try:
        yield lab.kubeconfig, f"lab ({lab.facts.kernel})"
    finally:
        launch.stop(lab)
