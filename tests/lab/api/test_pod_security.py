"""The Pod Security Standards by level: what each one lets through; the wording is tested by the contract tests."""

from typing import Any

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.lab.api.pod_security import ENFORCE, level_causes, why_insecure

OURS = Manifest("s1", "bench", "nginx:1.22").deployment()["spec"]["template"]
BARE = {"containers": [{"name": "a", "image": "nginx"}, {"name": "b", "image": "nginx"}]}


def why(level: str | None, spec: dict[str, Any]) -> str | None:
    labels = {} if level is None else {ENFORCE: level}
    return why_insecure({"metadata": {"name": "bench", "labels": labels}}, {"spec": spec})


@pytest.mark.parametrize("level", [None, "privileged", "baseline", "restricted"])
def test_our_pods_pass_at_every_level(level: str | None) -> None:
    assert why(level, OURS["spec"]) is None


def test_a_bare_pod_passes_below_restricted_and_each_container_is_named_there() -> None:
    for level in (None, "privileged", "baseline"):
        assert why(level, BARE) is None
    said = str(why("restricted", BARE))
    assert said.startswith(
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (containers "a", "b"'
    )
    assert (
        'runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true)' in said
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hostNetwork": True}, "host namespaces (hostNetwork=true)"),
        (
            {"containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
            'hostPort (container "a" uses hostPort 80)',
        ),
        (
            {"containers": [{"name": "a", "securityContext": {"privileged": True}}]},
            'privileged (container "a" must not set securityContext.privileged=true)',
        ),
    ],
)
def test_what_reaches_the_host_is_refused_from_baseline_on(spec: dict[str, Any], said: str) -> None:
    assert why("privileged", spec) is None
    assert why("baseline", spec) == f'violates PodSecurity "baseline:latest": {said}'


def test_a_container_that_takes_back_what_the_pod_promises_is_refused() -> None:
    container = {**OURS["spec"]["containers"][0]}
    container["securityContext"] = {**container["securityContext"], "runAsNonRoot": False, "runAsUser": 0}
    said = str(why("restricted", {**OURS["spec"], "containers": [container]}))
    assert 'runAsNonRoot != true (container "nginx" must not set securityContext.runAsNonRoot=false)' in said
    assert 'runAsUser=0 (container "nginx" must not set runAsUser=0)' in said


def test_a_level_that_there_is_not_is_named() -> None:
    (cause,) = level_causes({"metadata": {"labels": {ENFORCE: "odd"}}})
    assert cause.message == 'Invalid value: "odd": must be one of privileged, baseline, restricted'
    assert list(level_causes({"metadata": {"labels": {ENFORCE: "baseline"}}})) == []
