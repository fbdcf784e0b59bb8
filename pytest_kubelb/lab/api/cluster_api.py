"""The API as the controllers and the node agent use it, wherever it is served. Touches nothing.

`Registry` is the one that is served from this process, `remote.RemoteApi` the one of another API server. The
controllers do not know which they have.
"""

from collections.abc import Callable
from typing import Protocol

from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.object_table import ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import Resource


class ClusterApi(Protocol):
    """Reading from a table that follows every change, and writing by the rules of each kind.

    A write is in the table, and told to its subscribers, when it returns. Every method raises ApiError with the
    code and the words of the API server: 409 when the object has changed since it was read, 403 for a quota …
    """

    @property
    def store(self) -> ObjectTable:
        """The objects there are."""

    def read(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Give an object as it is now, were the table behind the server; raises 404."""

    def create(self, resource: Resource, namespace: str, body: KubeObject) -> KubeObject:
        """Create an object."""

    def replace(self, resource: Resource, namespace: str, name: str, body: KubeObject) -> KubeObject:
        """Replace all of an object but its status; checked against the version that `body` carries, if any."""

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Callable[[KubeObject], KubeObject]
    ) -> KubeObject:
        """Replace an object by what `change` makes of it, whatever its version is by then."""

    def update(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Write a changed copy of an object of the table, its status left out."""

    def write_status(self, resource: Resource, obj: KubeObject, status: KubeObject) -> None:
        """Set the status of `obj` whatever its version is by now; nothing when it is gone or made anew."""

    def bind(self, pod: KubeObject, node: str) -> KubeObject:
        """Give the pod to a node."""

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions
    ) -> tuple[KubeObject, bool]:
        """Delete an object, or begin to; gives the object and whether it is gone already."""

    def finalize(self, namespace: str) -> None:
        """Let a Namespace go that is being deleted and is empty."""
