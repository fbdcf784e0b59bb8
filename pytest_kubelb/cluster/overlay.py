"""Read and set flannel's backend, vxlan or host-gw. Touches flannel's ConfigMap and DaemonSet.

What the configuration was before is kept on the ConfigMap itself, in an annotation that is set in the same request as
the first change and goes with the restoring: so `kubelb restore` finds it after a crash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.flannel import AS_PUBLISHED, Flannel
from pytest_kubelb.cluster.resources import CONFIG_MAPS, DAEMON_SETS, NODES, Json, Target
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from pytest_kubelb.cluster.client import Api

BACKEND_ANNOTATION = "flannel.alpha.coreos.com/backend-type"
BEFORE_ANNOTATION = "kubelb.dev/overlay-before"
RESTARTED_ANNOTATION = "kubelb.dev/restarted-at"
"""On the DaemonSet's template. Our own: without it the template is as it was, while kubectl's may have had a value."""


@dataclass(frozen=True)
class Changed:
    """What the annotation says: who changed the overlay, and what it was."""

    by: str
    """The session's identity, as its lock has it."""
    namespace: str
    """Where its workload and its Lease are."""
    since: str
    """ISO 8601, UTC."""
    configuration: str
    """Flannel's configuration before."""


class Overlay:
    """The pod network of one cluster; `restore` puts back what `set` found first."""

    def __init__(
        self, api: Api, flannel: Flannel = AS_PUBLISHED, *, identity: str = "", namespace: str = ""
    ) -> None:
        """`identity` and `namespace` are the session's, to be found by others; who only reads needs none."""
        self._api = api
        self._flannel = flannel
        self._identity = identity
        self._namespace = namespace
        self._changed: Changed | None = None

    def read(self) -> str:
        """Return flannel's backend type, `vxlan` for one. Raises TestbedError without flannel."""
        return backend_type(self._configuration()[0])

    def changed(self) -> Changed | None:
        """Give who changed the overlay and has not put it back; None for nobody, and without flannel.

        Raises TestbedError when the annotation is not understood.
        """
        item = self._api.find(CONFIG_MAPS, self._flannel.config_map, self._flannel.namespace)
        return _changed(item or {})

    def take_over(self, changed: Changed) -> None:
        """Have what a dead session changed, to `restore` it."""
        self._changed = changed

    def set(self, wanted: str, *, timeout_s: float = 120.0) -> None:
        """Change the backend type if it differs, and wait until every node says that it uses it.

        Raises TestbedError when another session has changed it and not put it back.
        """
        before, other = self._configuration()
        if other is not None and other.by != self._identity:
            raise TestbedError(
                f"the overlay is as {other.by} has set it since {other.since}: wait for its end, or run"
                " `kubelb restore` if it was killed"
            )
        after = with_backend_type(before, wanted)
        if backend_type(before) != wanted:
            if self._changed is None:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                self._changed = Changed(self._identity, self._namespace, now, before)
            kept = json.dumps(asdict(self._changed), separators=(",", ":"))
            self._write(after, kept)
            self._restart(datetime.now(UTC).isoformat(timespec="microseconds"))
        self._wait(wanted, timeout_s)

    def restore(self, *, timeout_s: float = 120.0) -> None:
        """Put back the configuration that the first `set` found, byte for byte."""
        if self._changed is None:
            return
        original = self._changed.configuration
        kept = json.dumps(asdict(self._changed), separators=(",", ":"))
        self._write(
            original, kept
        )  # kept until flannel follows: who is killed meanwhile can be restored as well
        self._restart(None)
        self._wait(backend_type(original), timeout_s)
        self._write(original, None)
        self._changed = None

    def _configuration(self) -> tuple[str, Changed | None]:
        item = self._api.find(CONFIG_MAPS, self._flannel.config_map, self._flannel.namespace)
        text = ((item or {}).get("data") or {}).get(Flannel.KEY)
        if text is None:
            raise TestbedError(
                f"the overlay cannot be read: ConfigMap {self._flannel.config_map} in namespace"
                f" {self._flannel.namespace} has no {Flannel.KEY!r}; only flannel is supported, whose names section"
                " [overlay] of the inventory may give"
            )
        return str(text), _changed(item or {})

    def _write(self, configuration: str, kept: str | None) -> None:
        flannel = self._flannel
        body: Json = {
            "metadata": {"annotations": {BEFORE_ANNOTATION: kept}},
            "data": {flannel.KEY: configuration},
        }
        self._api.patch(CONFIG_MAPS, flannel.config_map, body, flannel.namespace)

    def _restart(self, stamp: str | None) -> None:
        """Let flannel's pods be made anew; None gives the template back as it was before the first time."""
        template: Json = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_ANNOTATION: stamp}}}}}
        self._api.patch(DAEMON_SETS, self._flannel.daemon_set, template, self._flannel.namespace)

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
                    f" see the pods of DaemonSet {self._flannel.daemon_set} in namespace"
                    f" {self._flannel.namespace}"
                ) from error


def backend_type(configuration: str) -> str:
    """Read `Backend.Type` out of flannel's net-conf.json. Raises TestbedError when it is not there."""
    return str(_parsed(configuration)["Backend"]["Type"])


def with_backend_type(configuration: str, wanted: str) -> str:
    """Return the configuration with another backend type and everything else as it was."""
    parsed = _parsed(configuration)
    parsed["Backend"]["Type"] = wanted
    return json.dumps(parsed, indent=2) + "\n"


def _changed(item: Json) -> Changed | None:
    text = (item.get("metadata", {}).get("annotations") or {}).get(BEFORE_ANNOTATION)
    if text is None:
        return None
    try:
        fields = json.loads(text)
        found = Changed(**{name: fields[name] for name in ("by", "namespace", "since", "configuration")})
    except (ValueError, TypeError, KeyError, RecursionError):
        found = None
    if found is None or not all(isinstance(value, str) for value in asdict(found).values()):
        raise TestbedError(
            f"flannel's ConfigMap has the annotation {BEFORE_ANNOTATION}={text[:120]!r}, which is not understood;"
            " see who wrote it, and remove it by hand"
        )
    return found


def _parsed(configuration: str) -> Json:
    try:
        parsed = json_fields.decode(configuration)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("Backend"), dict) and "Type" in parsed["Backend"]:
        return parsed
    raise TestbedError(
        f"the overlay cannot be read: {Flannel.KEY} in flannel's ConfigMap has no Backend.Type"
        f" ({' '.join(configuration.split())[:120]!r}); repair flannel's configuration"
    )
