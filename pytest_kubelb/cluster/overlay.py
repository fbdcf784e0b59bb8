"""Read and set flannel's backend, vxlan or host-gw. Touches flannel's ConfigMap and DaemonSet.

Source of the names: https://github.com/flannel-io/flannel/blob/master/Documentation/kube-flannel.yml
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.resources import CONFIG_MAPS, DAEMON_SETS, NODES, Json, Target
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from pytest_kubelb.cluster.client import Api

NAMESPACE = "kube-flannel"
CONFIG_MAP = "kube-flannel-cfg"
DAEMON_SET = "kube-flannel-ds"
KEY = "net-conf.json"
BACKEND_ANNOTATION = "flannel.alpha.coreos.com/backend-type"
RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt"


class Overlay:
    """The pod network of one cluster; `restore` puts back what `set` found first."""

    def __init__(self, api: Api, *, namespace: str = NAMESPACE) -> None:
        self._api = api
        self._namespace = namespace
        self._original: str | None = None

    def read(self) -> str:
        """Return flannel's backend type, `vxlan` for one. Raises TestbedError without flannel."""
        return backend_type(self._configuration())

    def set(self, wanted: str, *, timeout_s: float = 120.0) -> None:
        """Change the backend type if it differs, and wait until every node says that it uses it."""
        before = self._configuration()
        after = with_backend_type(before, wanted)
        if backend_type(before) != wanted:
            if self._original is None:
                self._original = before
            self._apply(after)
        self._wait(wanted, timeout_s)

    def restore(self, *, timeout_s: float = 120.0) -> None:
        """Put back the configuration that the first `set` found, byte for byte."""
        if self._original is None:
            return
        if self._configuration() != self._original:
            self._apply(self._original)
        self._wait(backend_type(self._original), timeout_s)
        self._original = None

    def _configuration(self) -> str:
        item = self._api.find(CONFIG_MAPS, CONFIG_MAP, self._namespace)
        text = ((item or {}).get("data") or {}).get(KEY)
        if text is None:
            raise TestbedError(
                f"the overlay cannot be read: ConfigMap {CONFIG_MAP} in namespace {self._namespace} has no"
                f" {KEY!r}; only flannel is supported, leave the overlay out for other networks"
            )
        return str(text)

    def _apply(self, configuration: str) -> None:
        self._api.patch(CONFIG_MAPS, CONFIG_MAP, {"data": {KEY: configuration}}, self._namespace)
        restarted = {RESTARTED_ANNOTATION: datetime.now(UTC).isoformat(timespec="microseconds")}
        template: Json = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
        self._api.patch(DAEMON_SETS, DAEMON_SET, template, self._namespace)

    def _wait(self, wanted: str, timeout_s: float) -> None:
        behind: dict[str, str] = {}

        def judge(state: State) -> bool | None:
            (nodes,) = state
            if nodes is None:
                return None
            said = {
                name: node["metadata"]["annotations"][BACKEND_ANNOTATION]
                for name, node in nodes.items()
                if BACKEND_ANNOTATION in (node["metadata"].get("annotations") or {})
            }
            behind.clear()
            behind.update({name: kind for name, kind in said.items() if kind != wanted})
            return True if said and not behind else None

        with Watcher(self._api, [Target(NODES)]) as watcher:
            try:
                watcher.wait_for(judge, timeout_s)
            except TimeoutError as error:
                still = ", ".join(f"{name} says {kind}" for name, kind in sorted(behind.items())[:5])
                raise TestbedError(
                    f"overlay {wanted}: after {timeout_s:g} s {still or f'no node has {BACKEND_ANNOTATION}'};"
                    f" see the pods of DaemonSet {DAEMON_SET} in namespace {self._namespace}"
                ) from error


def backend_type(configuration: str) -> str:
    """Read `Backend.Type` out of flannel's net-conf.json. Raises TestbedError when it is not there."""
    return str(_parsed(configuration)["Backend"]["Type"])


def with_backend_type(configuration: str, wanted: str) -> str:
    """Return the configuration with another backend type and everything else as it was."""
    parsed = _parsed(configuration)
    parsed["Backend"]["Type"] = wanted
    return json.dumps(parsed, indent=2) + "\n"


def _parsed(configuration: str) -> Json:
    try:
        parsed = json.loads(configuration)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("Backend"), dict) and "Type" in parsed["Backend"]:
        return parsed
    raise TestbedError(
        f"the overlay cannot be read: {KEY} in ConfigMap {CONFIG_MAP} has no Backend.Type"
        f" ({' '.join(configuration.split())[:120]!r}); repair flannel's configuration"
    )
