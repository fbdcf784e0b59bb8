"""Events told to another API server, from a thread of their own: nobody waits for them. Touches that server.

One that cannot be written is dropped, as a real component's is; each message is sent once per object.
"""

import queue
import secrets
import threading
from collections import OrderedDict

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.recorder import event_body
from pytest_kubelb.lab.api.remote.connection import Connection, path_of
from pytest_kubelb.lab.api.resources import EVENTS
from pytest_kubelb.lab.api.status import ApiError

_MOST_WAITING = 1000
_MOST_KNOWN = 10_000


class RemoteRecorder:
    """A `Recorder` whose Events go over a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: queue.Queue[tuple[str, KubeObject] | None] = queue.Queue(_MOST_WAITING)
        self._told: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._sender = threading.Thread(target=self._send_all, name="events", daemon=True)
        self._sender.start()

    def normal(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that went as it should."""
        self._record(component, about, "Normal", reason, message)

    def warning(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that did not."""
        self._record(component, about, "Warning", reason, message)

    def close(self) -> None:
        """Send what is waiting, then no more."""
        self._waiting.put(None)
        self._sender.join()
        self._connection.close()

    def _record(self, component: str, about: KubeObject, kind: str, reason: str, message: str) -> None:
        same = (about["metadata"]["uid"], reason, message)
        if same in self._told:
            return
        namespace = about["metadata"].get("namespace") or "default"
        name = f"{about['metadata']['name']}.{secrets.token_hex(8)}"
        try:
            self._waiting.put_nowait(
                (namespace, event_body(namespace, name, component, about, kind, reason, message))
            )
        except queue.Full:
            return
        self._told[same] = None
        if len(self._told) > _MOST_KNOWN:
            self._told.popitem(last=False)

    def _send_all(self) -> None:
        while (event := self._waiting.get()) is not None:
            namespace, body = event
            try:
                self._connection.send(
                    "POST", path_of(EVENTS, namespace), {"kind": "Event", "apiVersion": "v1", **body}
                )
            except ApiError:
                continue  # its namespace is going, or the server is: no reason to say it twice
