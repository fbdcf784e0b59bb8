"""Turn what the Kubernetes API or the way to it answers into one sentence. Touches nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.cluster.resources import Target


class ApiError(TestbedError):
    """The cluster refused a request (`status` is the HTTP status) or gave no answer (`status` is 0)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


_REMEDIES = {
    400: "this is a defect of the plugin or of the cluster's API",
    404: "see whether someone deleted it, and whether the namespace exists",
    409: "someone else changed or made it at the same time; see who uses this namespace",
    410: "ask again from the start",
    422: "change the value that the message names in the inventory",
    429: "the API server is overloaded; try again later",
}


def message_of(body: bytes) -> str:
    """Return the message in a Kubernetes Status object, or the start of whatever text came instead."""
    text = body.decode(errors="replace").strip()
    try:
        status = json_fields.decode(text)
    except ValueError:
        status = None
    said = status.get("message") if isinstance(status, dict) else text
    return " ".join(str(said or "no message").split())[:300]


def refused(verb: str, target: Target, status: int, body: bytes, credentials: str) -> ApiError:
    """Make the error of an answer that is not 2xx; `credentials` says which kubeconfig and context asked."""
    said = message_of(body)
    asked = f"kubernetes: {verb} {target}"
    if status == 401:
        sentence = f"{asked}: the credentials of {credentials} are not accepted (401: {said}); renew them"
    elif status == 403:
        group = target.resource.group or '""'
        sentence = (
            f"{asked}: forbidden for {credentials} (403: {said}); allow verb {verb!r} on resource"
            f" {target.rbac_name!r} of API group {group} in its Role, unless it is a quota or policy"
        )
    else:
        remedy = _REMEDIES.get(status, "see the API server's log")
        sentence = f"{asked} failed with status {status} ({said}); {remedy}"
    return ApiError(sentence, status)


def unreachable(verb: str, target: Target, error: Exception, credentials: str) -> ApiError:
    """Make the error of a request that got no answer."""
    said = " ".join(str(error).split())[:300] or type(error).__name__
    return ApiError(
        f"kubernetes: {verb} {target}: no answer from the API server of {credentials} ({said}); check that"
        " 'kubectl version' works with the same kubeconfig and context",
        0,
    )


@contextmanager
def as_described(what: str) -> Iterator[None]:
    """Raise TestbedError when `what`, which is read in this block, is not made as the API's reference describes it.

    Objects come decoded and are looked into where they are used: what answers need not be a Kubernetes API.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise TestbedError(
            f"kubernetes: {what} cannot be read ({type(error).__name__}: {str(error)[:200]}); see that the kubeconfig "
            "leads to the API server of a cluster"
        ) from error
