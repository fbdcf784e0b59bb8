"""The Deployment and the Service of the workload, as JSON objects. Pure.

nginx answers every request with its own pod IP (12-14 bytes) and keeps connections open. The pod meets the
restricted Pod Security Standard (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_kubelb.testbed.workload_spec import DEFAULT_REQUESTS

if TYPE_CHECKING:
    from pytest_kubelb.cluster.resources import Json
    from pytest_kubelb.testbed.workload_spec import Pairs, Toleration

NAME_LABEL = "app.kubernetes.io/name"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
SESSION_LABEL = "kubelb.dev/session"
APP = "kubelb"
MANAGER = "pytest-kubelb"

# $server_addr is the address the connection came in at: the pod's own, whatever was asked for.
_NGINX_CONF = """\
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {{
    listen {port} backlog=4096;
    location / {{ return 200 "$server_addr\\n"; }}
  }}
}}
"""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the workload is made of; `session` is the id of the session that owns it."""

    session: str
    namespace: str
    image: str
    port: int = 80
    """The port nginx listens on."""
    service_port: int | None = None
    """The Service's port; None is the same as nginx's."""
    name: str = APP
    """Of Deployment and Service; two workloads of one session differ in it."""
    cluster_ip: str | None = None
    """The Service's address; None lets the cluster choose."""
    nodes: tuple[str, ...] = ()
    """The nodes that may take the pods; empty is every node that would."""
    requests: Pairs = DEFAULT_REQUESTS
    limits: Pairs = ()
    node_selector: Pairs = ()
    tolerations: tuple[Toleration, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything we make."""
        return {NAME_LABEL: self.name, MANAGED_BY_LABEL: MANAGER, SESSION_LABEL: self.session}

    @property
    def selector(self) -> dict[str, str]:
        """The labels that pick out exactly the pods of this session and name."""
        return {NAME_LABEL: self.name, SESSION_LABEL: self.session}

    def service(self) -> Json:
        """Return the Service: a ClusterIP that leads to the pods' port."""
        spec: Json = {
            "type": "ClusterIP",
            "selector": self.selector,
            "ports": [
                {
                    "name": "http",
                    "port": self.service_port or self.port,
                    "protocol": "TCP",
                    "targetPort": self.port,
                }
            ],
        }
        if self.cluster_ip is not None:
            spec["clusterIP"] = self.cluster_ip
        return {"apiVersion": "v1", "kind": "Service", "metadata": self._metadata(), "spec": spec}

    def deployment(self) -> Json:
        """Return the Deployment, at 0 replicas: pods come with the first scale."""
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata(),
            "spec": {
                "replicas": 0,
                "revisionHistoryLimit": 0,
                "selector": {"matchLabels": self.selector},
                "template": {"metadata": {"labels": self.labels}, "spec": self._pod_spec()},
            },
        }

    def _metadata(self) -> Json:
        return {"name": self.name, "namespace": self.namespace, "labels": self.labels}

    def _pod_spec(self) -> Json:
        security: Json = {
            "runAsNonRoot": True,
            "runAsUser": 101,
            "runAsGroup": 101,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        if self.port < 1024:
            # A safe sysctl, allowed under restricted: it replaces CAP_NET_BIND_SERVICE.
            security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
        return {
            **self._placement(),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": security,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": self.selector},
                }
            ],
            "containers": [self._container()],
            "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}],
        }

    def _placement(self) -> Json:
        """Give where the pods may go; what is not restricted is left out."""
        found: Json = {}
        if self.nodes:
            # By the nodes' names and not by their label kubernetes.io/hostname, which may be another. The API takes one
            # name per term, and terms are alternatives.
            terms = [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}
                for name in self.nodes
            ]
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            found["affinity"] = {"nodeAffinity": required}
        if self.node_selector:
            found["nodeSelector"] = dict(self.node_selector)
        if self.tolerations:
            found["tolerations"] = [
                {key: value for key, value in dataclasses.asdict(each).items() if value}
                for each in self.tolerations
            ]
        return found

    def _resources(self) -> Json:
        found: Json = {"requests": dict(self.requests)}
        return {**found, "limits": dict(self.limits)} if self.limits else found

    def _container(self) -> Json:
        # The configuration travels in the environment: no ConfigMap to own, clean up and have rights for.
        start = 'printf %s "$NGINX_CONF" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g "daemon off;"'
        return {
            "name": "nginx",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", start],
            "env": [{"name": "NGINX_CONF", "value": _NGINX_CONF.format(port=self.port)}],
            "ports": [{"name": "http", "containerPort": self.port, "protocol": "TCP"}],
            "readinessProbe": {
                "httpGet": {"path": "/", "port": self.port},
                "periodSeconds": 1,
                "timeoutSeconds": 1,
            },
            "resources": self._resources(),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod, an emptyDir of its own
        }
