"""Fixtures: each test gets a namespace of its own on the API server under test, and leaves nothing in it."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, Manifest
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    NODES,
    PODS,
    SERVICES,
    Json,
    Resource,
    Target,
)
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.cluster.workload import Workload
from tests.lab.api.cluster import cluster

from .raw import Raw
from .subject import (
    ACCOUNTS,
    BINDINGS,
    KUBECONFIG,
    NAMESPACE,
    ROLES,
    LabSubject,
    RealSubject,
    Subject,
    may,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES = Resource("", "v1", "namespaces")
QUOTAS = Resource("", "v1", "resourcequotas")
OURS = {"kubelb.dev/test": "contract"}
"""The label of a namespace that this suite made."""

_KINDS = (DEPLOYMENTS, SERVICES, PODS, CONFIG_MAPS, LEASES, QUOTAS, BINDINGS, ROLES, ACCOUNTS)
_GONE_WITHIN_S = 120.0


@dataclass(frozen=True)
class Contract:
    """An API server, a namespace that is empty but for what every namespace has, and our client."""

    subject: Subject
    namespace: str
    api: Api
    raw: Raw
    events: list[str]
    """What our client reported."""

    def manifest(self, session: str = "s1", image: str | None = None, name: str = "kubelb") -> Manifest:
        return Manifest(session, self.namespace, image or self.subject.image, name=name)

    def workload(self, session: str = "s1", image: str | None = None, name: str = "kubelb") -> Workload:
        return Workload(self.api, self.manifest(session, image, name))

    def scale(self, workload: Workload, pods: int) -> int:
        """Scale and give how many endpoints are ready."""
        return len(workload.scale(pods, timeout_s=self.subject.pods_within_s))

    def names(self, resource: Resource) -> list[str]:
        """Give the names of the objects of a kind."""
        return [item["metadata"]["name"] for item in self.api.list(Target(resource, self.namespace))["items"]]


@pytest.fixture(scope="session", params=["lab", "cluster"] if KUBECONFIG in os.environ else ["lab"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Give the lab's API server, then the cluster that KUBELB_TEST_KUBECONFIG names, if it names one."""
    folder = tmp_path_factory.mktemp("contract")
    if request.param == "cluster":
        yield RealSubject(folder)
        return

    def authorize(user: str, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        return lab.authorize(user, verb, group, resource, subresource, namespace)

    with cluster(folder, authorize) as running:
        lab = LabSubject(running, folder)
        yield lab


@pytest.fixture(scope="session")
def admin(subject: Subject) -> Iterator[Api]:
    """Give our client with the administrator's credentials, for what is around the tests."""
    with Api(subject.kubeconfig, on_event=print) as api:
        yield api


@pytest.fixture(scope="session")
def lacks_controllers(admin: Api) -> str:
    """Say why nothing follows from a Deployment here; empty where something does."""
    # Made by the controllers in every namespace, and in no other way.
    found = admin.find(CONFIG_MAPS, "kube-root-ca.crt", os.environ.get(NAMESPACE, "default"))
    return "" if found is not None else "no controller-manager runs here: a Deployment gets no ReplicaSet"


@pytest.fixture(scope="session")
def lacks_pods(admin: Api, lacks_controllers: str) -> str:
    """Say why no pod can run here; empty where one can, or where these credentials may not look."""
    if not may(admin, "list", NODES, ""):
        return lacks_controllers
    ready = [
        node
        for node in admin.list(Target(NODES))["items"]
        for condition in node.get("status", {}).get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return lacks_controllers or ("" if ready else "no node is ready here: no pod can run")


@pytest.fixture(scope="session")
def namespaces_go(admin: Api, lacks_controllers: str) -> Iterator[list[str]]:
    """Wait at the end until the namespaces that were made are gone."""
    made: list[str] = []
    yield made
    for name in made:
        found = admin.find(NAMESPACES, name)
        if found is not None:
            admin.delete(NAMESPACES, found)

    left: set[str] = set(made)

    def judge(state: State) -> bool | None:
        left.intersection_update(state[0] if state[0] is not None else made)
        return True if not left else None

    if lacks_controllers:  # nobody empties them here, and the server keeps them for ever
        return
    with Watcher(admin, [Target(NAMESPACES, labels=_selector(OURS))]) as watcher:
        try:
            watcher.wait_for(judge, _GONE_WITHIN_S)
        except TimeoutError:
            pytest.fail(f"still there after {_GONE_WITHIN_S:g} s: namespaces {', '.join(sorted(left))}")


@contextmanager
def namespace_of_our_own(admin: Api, made: list[str], labels: dict[str, str] | None = None) -> Iterator[str]:
    """Make a namespace, ready for pods, and have it deleted; nobody waits for its end before the session's."""
    require(admin, ("create", NAMESPACES, ""), ("delete", NAMESPACES, ""))
    name = f"kubelb-contract-{secrets.token_hex(4)}"
    found = admin.create(NAMESPACES, {"metadata": {"name": name, "labels": {**OURS, **(labels or {})}}})
    made.append(name)
    try:
        yield name
    finally:
        admin.delete(NAMESPACES, found)


def wait_for_account(admin: Api, namespace: str) -> None:
    """Wait for the account that pods run as: one that comes too early is refused."""
    with Watcher(admin, [Target(ACCOUNTS, namespace, fields="metadata.name=default")]) as watcher:
        watcher.wait_for(lambda state: bool(state[0]) or None, 30)


@pytest.fixture
def namespace(admin: Api, lacks_controllers: str, namespaces_go: list[str]) -> Iterator[str]:
    """Give a namespace for one test: a new one, or that of KUBELB_TEST_NAMESPACE, emptied of what the test made."""
    given = os.environ.get(NAMESPACE)
    with ExitStack() as stack:
        if given is None:
            given = stack.enter_context(namespace_of_our_own(admin, namespaces_go))
        else:
            _refuse_a_session_of_others(admin, given)
            stack.callback(_remove_new, admin, given, _uids(admin, given))
        if not lacks_controllers:
            wait_for_account(admin, given)
        yield given


@pytest.fixture
def contract(subject: Subject, namespace: str) -> Iterator[Contract]:
    events: list[str] = []
    with Api(subject.kubeconfig, on_event=events.append) as api, Raw(subject.kubeconfig) as raw:
        yield Contract(subject, namespace, api, raw, events)


@pytest.fixture
def controllers(lacks_controllers: str) -> None:
    """Skip the test where nothing follows from a Deployment."""
    if lacks_controllers:
        pytest.skip(lacks_controllers)


@pytest.fixture
def pods(lacks_pods: str) -> None:
    """Skip the test where no pod can run."""
    if lacks_pods:
        pytest.skip(lacks_pods)


def _selector(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _refuse_a_session_of_others(admin: Api, namespace: str) -> None:
    ours = f"{MANAGED_BY_LABEL}={MANAGER}"
    found = [
        f"{resource.plural} {item['metadata']['name']}"
        for resource in (DEPLOYMENTS, SERVICES, LEASES)
        for item in admin.list(Target(resource, namespace, labels=ours))["items"]
    ]
    if found:
        pytest.fail(f"namespace {namespace} has {', '.join(found)} of a session; choose another {NAMESPACE}")


def _uids(admin: Api, namespace: str) -> dict[str, tuple[Resource, Json]]:
    found: dict[str, tuple[Resource, Json]] = {}
    for resource in _KINDS:
        try:
            items = admin.list(Target(resource, namespace))["items"]
        except ApiError as error:
            if error.status not in (403, 404):  # what may not be listed cannot have been made either
                raise
            continue
        found |= {item["metadata"]["uid"]: (resource, item) for item in items}
    return found


def _remove_new(admin: Api, namespace: str, before: dict[str, tuple[Resource, Json]]) -> None:
    for uid, (resource, item) in _uids(admin, namespace).items():
        if uid not in before:
            admin.delete(resource, item)

    # Pods of a test that failed must not be counted by the next one.
    def judge(state: State) -> bool | None:
        known = [objects for objects in state if objects is not None]
        uids = {item["metadata"]["uid"] for objects in known for item in objects.values()}
        return True if len(known) == len(state) and uids <= set(before) else None

    with Watcher(admin, [Target(PODS, namespace), Target(SERVICES, namespace)]) as watcher:
        watcher.wait_for(judge, _GONE_WITHIN_S)
