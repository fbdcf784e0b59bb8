"""Section [workload] of an inventory: what is read, and how each mistake is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.testbed.section import Section
from pytest_kubelb.testbed.workload_spec import DEFAULT_REQUESTS, Toleration, WorkloadSpec, parse_workload

DIGEST = "sha256:" + "0123456789abcdef" * 4


def read(**table: object) -> WorkloadSpec:
    return parse_workload(
        Section(Path("kubelb.toml"), "workload", {"image": "nginx:1.27", "port": 80, **table})
    )


def refused(sentence: str, **table: object) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"kubelb.toml: workload{sentence}")):
        read(**table)


def test_image_and_port_are_enough() -> None:
    spec = read()
    assert spec == WorkloadSpec("nginx:1.27", 80)
    assert spec.requests == DEFAULT_REQUESTS
    assert spec.facts() == {"image": "nginx:1.27", "port": 80}


@pytest.mark.parametrize(
    "image",
    [
        "nginx:1.22",
        "nginxinc/nginx-unprivileged:1.27-alpine",
        f"nginx@{DIGEST}",
        f"registry.example.org:5000/team_a/nginx.web__x:v1@{DIGEST}",
        "localhost/nginx:_x",
    ],
)
def test_an_image_has_a_tag_or_a_digest(image: str) -> None:
    assert read(image=image).image == image


@pytest.mark.parametrize(
    "image",
    ["nginx", "nginx:", "Nginx:1", "nginx@sha256:abc", "nginx:1 22", "/nginx:1", "a//b:1", "nginx:-x", "-nginx:1",
     "https://registry/nginx:1", "registry.example.org:5000/nginx", "user:word@registry/nginx:1", 7],
)  # fmt: skip
def test_another_image_is_refused(image: object) -> None:
    refused(f".image is {image!r}: allowed is an image with a tag or a digest", image=image)


def test_requests_and_limits_are_quantities() -> None:
    spec = read(
        resources={
            "requests": {"cpu": "250m", "example.org/nic": 1},
            "limits": {"memory": "1.5Gi", "hugepages-2Mi": "4Mi"},
        }
    )
    assert dict(spec.requests) == {"cpu": "250m", "memory": "16Mi", "example.org/nic": "1"}
    assert dict(spec.limits) == {"memory": "1.5Gi", "hugepages-2Mi": "4Mi"}
    assert spec.facts()["limits"] == dict(spec.limits)


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        ({"request": {}}, "request is an unknown key (did you mean requests?): allowed is requests, limits."),
        ({"requests": {"mem": "1Gi"}}, "requests.mem is an unknown key (did you mean memory?): allowed is cpu,"),
        ({"requests": {"cpu": "10M i"}}, "requests.cpu is '10M i': allowed is a Kubernetes quantity of 0 or more"),
        ({"requests": {"memory": "16K"}}, "requests.memory is '16K': allowed is a Kubernetes quantity"),
        ({"requests": {"memory": "16mi"}}, "requests.memory is '16mi': allowed is a Kubernetes quantity"),
        ({"limits": {"cpu": "-1"}}, "limits.cpu is '-1': allowed is a Kubernetes quantity of 0 or more"),
        ({"limits": {"cpu": True}}, "limits.cpu is True: allowed is a Kubernetes quantity"),
        ({"limits": {"cpu": "5m"}}, "limits.cpu is '5m': allowed is at least what is requested, '10m'."),
        ({"requests": "10m"}, "requests is '10m': allowed is a section [workload.resources.requests]."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_resources_is_told(resources: dict[str, Any], sentence: str) -> None:
    refused(f".resources.{sentence}", resources=resources)


def test_node_selector_and_tolerations_are_read() -> None:
    taint = {"key": "dedicated", "value": "bench", "effect": "NoSchedule"}
    spec = read(
        node_selector={"disk": "ssd", "example.org/rack": ""}, tolerations=[taint, {"operator": "Exists"}]
    )
    assert dict(spec.node_selector) == {"disk": "ssd", "example.org/rack": ""}
    assert spec.tolerations == (
        Toleration("dedicated", "Equal", "bench", "NoSchedule"),
        Toleration(operator="Exists"),
    )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"node_selector": {"-disk": "ssd"}}, ".node_selector.-disk is no label: allowed is the key of a label"),
        ({"node_selector": {"disk": 1}}, ".node_selector.disk is 1: allowed is the value of a label"),
        ({"node_selector": {"disk": "a b"}}, ".node_selector.disk is 'a b': allowed is the value of a label"),
        ({"node_selector": "disk"}, ".node_selector is 'disk': allowed is a section [workload.node_selector]."),
        ({"tolerations": {"key": "x"}}, ".tolerations is {'key': 'x'}: allowed is a list of tables"),
        ({"tolerations": [{"keey": "x"}]}, ".tolerations[0].keey is an unknown key (did you mean key?)"),
        ({"tolerations": [{"value": "x"}]}, ".tolerations[0].key is missing: allowed is the key of a taint"),
        ({"tolerations": [{"key": "a", "operator": "In"}]}, ".tolerations[0].operator is 'In': allowed is Equal,"),
        ({"tolerations": [{"key": "a", "effect": "Never"}]}, ".tolerations[0].effect is 'Never': allowed is NoSch"),
        (
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            ".tolerations[0].value is 'b': allowed is none with operator",
        ),
        ({"imgae": "x"}, ".imgae is an unknown key (did you mean image?): allowed is image, port, resources,"),
    ],
)  # fmt: skip
def test_a_mistake_in_where_pods_go_is_told(table: dict[str, Any], sentence: str) -> None:
    refused(sentence, **table)


_anything = st.recursive(
    st.integers() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "value", "operator", "effect", "requests", "limits", "cpu"])
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(key=st.sampled_from(["image", "resources", "node_selector", "tolerations"]), value=_anything)
def test_any_value_is_read_or_refused_with_a_sentence(key: str, value: object) -> None:
    try:
        spec = read(**{key: value})
    except ConfigError as error:
        said = str(error)
    else:
        assert hash(spec) is not None
        return
    assert said.startswith("kubelb.toml: workload.")
