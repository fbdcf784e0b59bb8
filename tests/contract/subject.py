"""The API servers that the suite is run against. Touches the one that KUBELB_TEST_KUBECONFIG names, and files it makes.

Both kinds give the same: an administrator's kubeconfig, and kubeconfigs of accounts with few rights.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import Json, Resource
from pytest_kubelb.lab.api.kubelet import PodFailure
from tests.lab.api.cluster import until

if TYPE_CHECKING:
    from tests.lab.api.cluster import Cluster

KUBECONFIG = "KUBELB_TEST_KUBECONFIG"
IMAGE = "KUBELB_TEST_IMAGE"
NAMESPACE = "KUBELB_TEST_NAMESPACE"

ACCOUNTS = Resource("", "v1", "serviceaccounts")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings")
REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")

Rule = dict[str, list[str]]
"""A rule of a Role: apiGroups, resources, verbs, and resourceNames where it has them."""

NO_SUCH_IMAGE = "kubelb.invalid/none:1"
"""An image that no registry has: nothing below .invalid has an address (RFC 2606)."""


class Subject(ABC):
    """One API server under test."""

    kubeconfig: Path
    """Of an administrator."""
    image: str
    """What pods run: nginx, listening where its configuration says."""
    pods_within_s: float
    """How long pods may take until they are ready; a first pull of the image included."""

    @abstractmethod
    def account(self, api: Api, namespace: str, rules: list[Rule]) -> Path:
        """Make an account that may do in `namespace` what `rules` say and nothing else; gives its kubeconfig."""

    def stranger(self, folder: Path) -> Path:
        """Give the kubeconfig of somebody with a token that nobody was given."""
        return _kubeconfig_with(self.kubeconfig, {"token": "nobodys-token"}, "stranger", folder)


class LabSubject(Subject):
    """The lab's API server with its controllers, in a thread of this process, with a kubelet that starts nothing."""

    def __init__(self, running: Cluster, folder: Path) -> None:
        self.kubeconfig = running.kubeconfig
        self.image = "nginx:1.22"
        self.pods_within_s = 20.0
        self._running = running
        self._folder = folder
        running.kubelet.failures[NO_SUCH_IMAGE] = PodFailure("ErrImagePull", f"{NO_SUCH_IMAGE}: no such host")
        self._rules: dict[str, tuple[str, list[Rule]]] = {}

    def account(self, api: Api, namespace: str, rules: list[Rule]) -> Path:  # noqa: ARG002 - as the base has it
        """Give out one more token; `authorize` looks its rules up."""
        number = len(self._rules)
        user, token = _user(namespace), f"token-of-account-{number}"
        self._rules[user] = (namespace, rules)
        self._running.run(lambda: self._running.tokens.update({token: user}))
        return _kubeconfig_with(self.kubeconfig, {"token": token}, f"account-{number}", self._folder)

    def authorize(
        self, user: str, verb: str, group: str, resource: str, subresource: str, namespace: str
    ) -> bool:
        """Decide as RBAC would; the administrator may do all."""
        if user not in self._rules:
            return True
        within, rules = self._rules[user]
        name = f"{resource}/{subresource}" if subresource else resource
        return namespace == within and any(
            group in rule["apiGroups"] and name in rule["resources"] and verb in rule["verbs"]
            for rule in rules
        )


class RealSubject(Subject):
    """The cluster that KUBELB_TEST_KUBECONFIG leads to."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = Path(os.environ[KUBECONFIG]).absolute()
        self.image = os.environ.get(IMAGE, "nginx:1.22")
        self.pods_within_s = 300.0
        self._folder = folder

    def account(self, api: Api, namespace: str, rules: list[Rule]) -> Path:
        """Make a ServiceAccount, its Role, and a token for ten minutes."""
        name = "kubelb-contract"
        kinds = (ACCOUNTS, ROLES, BINDINGS)
        require(api, *(("create", each, namespace) for each in kinds))
        api.create(ACCOUNTS, {"metadata": {"name": name}}, namespace)
        try:
            api.create(ROLES, {"metadata": {"name": name}, "rules": rules}, namespace)
        except ApiError as error:
            if error.status != 404:
                raise
            pytest.skip("this API server serves no Roles: nobody can be given few rights")
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": ROLES.group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        api.create(BINDINGS, binding, namespace)
        request = {"spec": {"expirationSeconds": 600}}
        token = Resource("", "v1", f"serviceaccounts/{name}/token")
        answer = api.create(token, request, namespace)
        made = _kubeconfig_with(self.kubeconfig, {"token": answer["status"]["token"]}, name, self._folder)
        _wait_until_known(made, namespace, rules[0])
        return made


def require(api: Api, *rights: tuple[str, Resource, str]) -> None:
    """Skip the test unless the administrator of the cluster may do this: verb, resource, namespace ("" is any)."""
    for verb, resource, namespace in rights:
        if not may(api, verb, resource, namespace):
            where = f" in namespace {namespace}" if namespace else ""
            pytest.skip(f"{api.credentials} may not {verb} {resource.plural}{where}")


def may(api: Api, verb: str, resource: Resource, namespace: str) -> bool:
    """Ask with a SelfSubjectAccessReview whether these credentials may do this."""
    asked = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
    answer = api.create(REVIEWS, {"spec": {"resourceAttributes": asked}})
    return bool(answer["status"]["allowed"])


def _wait_until_known(kubeconfig: Path, namespace: str, rule: Rule) -> None:
    """Wait until a server that learns of accounts and Roles by watching has learned of these."""

    def known() -> bool:
        resource = Resource(rule["apiGroups"][0], "v1", rule["resources"][0])
        try:
            return may(api, rule["verbs"][0], resource, namespace)
        except ApiError as error:
            if error.status != 401:
                raise
            return False

    with Api(kubeconfig, on_event=print) as api:
        until(known, timeout_s=30)


def _user(namespace: str) -> str:
    return f"system:serviceaccount:{namespace}:kubelb-contract"


def _kubeconfig_with(admin: Path, credentials: Json, name: str, folder: Path) -> Path:
    """Write a kubeconfig that asks the server of the administrator's with other credentials."""
    content: Any = yaml.safe_load(admin.read_text())
    wanted = content["current-context"]
    (context,) = (each["context"] for each in content["contexts"] if each["name"] == wanted)
    (server,) = (each for each in content["clusters"] if each["name"] == context["cluster"])
    authority = server["cluster"].get("certificate-authority")
    if authority is not None:  # as kubectl reads it: beside the kubeconfig
        server["cluster"]["certificate-authority"] = str(admin.parent / authority)
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [server],
        "contexts": [{"name": name, "context": {"cluster": server["name"], "user": name}}],
        "users": [{"name": name, "user": credentials}],
    }
    path = folder / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(made))
    return path
