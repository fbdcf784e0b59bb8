"""What flannel's objects are called in a cluster. Pure: touches nothing.

The defaults are those of https://github.com/flannel-io/flannel/blob/master/Documentation/kube-flannel.yml; other
installers, k3s and older manifests in kube-system among them, use others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final


@dataclass(frozen=True)
class Flannel:
    """Where flannel's configuration is, and what runs it."""

    namespace: str = "kube-flannel"
    config_map: str = "kube-flannel-cfg"
    daemon_set: str = "kube-flannel-ds"
    KEY: ClassVar[str] = "net-conf.json"
    """The entry of the ConfigMap that flanneld reads."""


AS_PUBLISHED: Final = Flannel()
"""The names of flannel's own manifest."""
