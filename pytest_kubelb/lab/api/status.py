"""The errors of the API, as the Status objects a real kube-apiserver answers with. Touches nothing.

Wording, reasons and codes follow k8s.io/apimachinery/pkg/api/errors and pkg/util/validation/field of v1.36.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_kubelb.lab.api.objects import KubeObject

if TYPE_CHECKING:
    from pytest_kubelb.lab.api.resources import Resource


class ApiError(Exception):
    """An answer that is not a success. `status` is its body, `code` its HTTP status."""

    def __init__(self, code: int, reason: str, message: str, details: KubeObject | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def status(self) -> KubeObject:
        """The metav1.Status that goes to the client."""
        body: KubeObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return {**body, "code": self.code}


class UndecodableError(ApiError):
    """400: the JSON cannot become an object of its kind; `why` alone is what a patch is told."""

    def __init__(self, title: str, why: str) -> None:
        super().__init__(400, "BadRequest", f"{title}: {why}")
        self.why = why


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong with one field of an object."""

    reason: str
    field: str
    message: str


def _details(resource: "Resource", name: str) -> KubeObject:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {field: value for field, value in details.items() if value}


def not_found(resource: "Resource", name: str) -> ApiError:
    """404: the object is not there."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def no_such_resource() -> ApiError:
    """404: the path names no resource that is served."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: "Resource", name: str) -> ApiError:
    """409: there is an object of that name."""
    return ApiError(
        409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name)
    )


def conflict(resource: "Resource", name: str, why: str | None = None) -> ApiError:
    """409: the object is not the one, or not the version, that the request expects."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def precondition_failed(resource: "Resource", name: str, why: str) -> ApiError:
    """409: a DELETE names another object or version; the server writes the kind where others have the plural."""
    details = {"name": name, "group": resource.group, "kind": resource.kind}
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {kind} "{name}": {why}'
    return ApiError(409, "Conflict", message, {field: value for field, value in details.items() if value})


def forbidden(resource: "Resource", name: str, why: str) -> ApiError:
    """403: this object may not be written or read, by policy or for want of a permission."""
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name))


def invalid(resource: "Resource", name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks the rules of its kind, each broken one a cause."""
    return invalid_kind(resource.kind, resource.group, name, causes)


def invalid_options(kind: str, causes: Sequence[Cause]) -> ApiError:
    """422: the options of a request (ListOptions, DeleteOptions …) break their rules."""
    return invalid_kind(kind, "meta.k8s.io", "", causes)


def invalid_patch(patched: object, error: UndecodableError) -> ApiError:
    """422: what a patch made of an object cannot become one."""
    made = json.dumps(patched, separators=(",", ":"), ensure_ascii=False)
    return invalid_kind("", "", "", [invalid_value("patch", made, error.why)])


def invalid_kind(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 for what is no resource of its own; kind and group may be empty, as the real server leaves them."""
    # A cause that is there twice is said once, as ErrorList.ToAggregate does.
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    fields = {"name": name, "group": group, "kind": kind}
    details: KubeObject = {field: value for field, value in fields.items() if value}
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    title = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{title} "{name}" is invalid: {listed}', details)


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or one that nobody was given."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    """405: the resource is there, the verb is not."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def expired(message: str) -> ApiError:
    """410: the version asked for is older than what is remembered."""
    return ApiError(410, "Expired", message)


def _as_go_orders(value: object) -> object:
    """Give maps of texts, labels for one, in the order of their keys; structs keep that of their fields."""
    if isinstance(value, dict):
        ordered = {name: _as_go_orders(item) for name, item in value.items()}
        return dict(sorted(ordered.items())) if all(isinstance(v, str) for v in value.values()) else ordered
    return [_as_go_orders(item) for item in value] if isinstance(value, list) else value


def _shown(value: object) -> str:
    return json.dumps(_as_go_orders(value), separators=(",", ":"), ensure_ascii=False, default=str)


def invalid_value(field: str, value: object, why: str) -> Cause:
    """Give a field whose value is not allowed."""
    return Cause("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {why}")


def required_value(field: str, why: str = "") -> Cause:
    """Give a field that is missing."""
    return Cause("FieldValueRequired", field, f"Required value: {why}" if why else "Required value")


def unsupported_value(field: str, value: object, supported: Sequence[str]) -> Cause:
    """Give a field whose value is not one of a set."""
    listed = ", ".join(_shown(item) for item in supported)
    return Cause(
        "FieldValueNotSupported", field, f"Unsupported value: {_shown(value)}: supported values: {listed}"
    )


def duplicate_value(field: str, value: object) -> Cause:
    """Give a field whose value must be unique and is not."""
    return Cause("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")


def not_found_value(field: str, value: object) -> Cause:
    """Give a field that names something that is not there."""
    return Cause("FieldValueNotFound", field, f"Not found: {_shown(value)}")


def forbidden_value(field: str, why: str) -> Cause:
    """Give a field that may not be set or changed."""
    return Cause("FieldValueForbidden", field, f"Forbidden: {why}")


def success(resource: "Resource", obj: KubeObject) -> dict[str, Any]:
    """Give the Status that confirms a deletion."""
    details = {**_details(resource, obj["metadata"]["name"]), "uid": obj["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
