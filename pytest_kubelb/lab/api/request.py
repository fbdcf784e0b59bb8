"""What a request asks for: its path and query as resource, verb and options. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from pytest_kubelb.lab.api.resources import NAMESPACES, SUBRESOURCE_VERBS, Resource, find_resource
from pytest_kubelb.lab.api.status import (
    ApiError,
    bad_request,
    invalid_options,
    method_not_allowed,
    no_such_resource,
    unsupported_value,
)

_NAMED_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True)
class ApiRequest:
    """One call of the API, as authorization and the handlers see it."""

    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    resource: Resource
    namespace: str
    """Empty for cluster-scoped resources and for lists over all namespaces."""
    name: str
    """Empty for collections."""
    subresource: str
    query: Mapping[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        """Give a boolean of the query, as Go's strconv.ParseBool takes it with "" as set."""
        return name in self.query and self.query[name] not in ("0", "f", "F", "false", "False", "FALSE")

    def number(self, name: str) -> int | None:
        """Give a count of the query, None when it is absent; raises 400 when it is none."""
        text = self.query.get(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdecimal()):
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    def version(self) -> int | None:
        """Give the resourceVersion of the query; None when it is absent. Raises 400, or 500, when it is no version."""
        text = self.query.get("resourceVersion", "")
        if text and not (text.isascii() and text.isdecimal()):
            why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
            if self.verb == "watch":  # the real server does not count this as a mistake of the client
                raise ApiError(500, "", f"resourceVersion: {why}")
            raise bad_request(f"invalid resource version: resourceVersion: {why}")
        return int(text) if text else None

    @property
    def dry_run(self) -> bool:
        """Whether the server is asked to check only; raises 422 for another value than All."""
        value = self.query.get("dryRun", "")
        if value not in ("", "All"):
            kind = f"{self.verb.capitalize()}Options"
            raise invalid_options(kind, [unsupported_value("dryRun", [value], ["All"])])
        return value == "All"


def parse_request(method: str, raw_path: str, query: Mapping[str, str]) -> ApiRequest:
    """Take a path of the resource API apart.

    `/api/v1/...` and `/apis/GROUP/VERSION/...`, then `RESOURCE[/NAME[/SUBRESOURCE]]` with
    `namespaces/NAMESPACE/` before it where the resource is namespaced.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

    Raises:
        ApiError: 404 when nothing is served there, 405 when not with this method.

    """
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    group, version, rest = (
        ("", parts[1:2], parts[2:]) if parts[0] == "api" else (parts[1:2], parts[2:3], parts[3:])
    )
    place = ("".join(group), "".join(version))
    namespace, rest = _namespace(rest)
    resource = find_resource(*place, rest[0]) if rest else None
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced) or not all(rest):
        raise no_such_resource()
    name, subresource = [*rest[1:], "", ""][:2]
    if resource.namespaced and name and not namespace:
        raise no_such_resource()
    if subresource and subresource not in resource.subresources:
        raise no_such_resource()
    verb = _verb(method, resource, named=bool(name), subresource=subresource)
    if verb == "create" and resource.namespaced and not namespace:
        raise method_not_allowed()
    request = ApiRequest(verb, resource, namespace, name, subresource, query)
    if verb in ("get", "list") and not subresource and request.flag("watch"):
        return ApiRequest("watch", resource, namespace, name, subresource, query)
    return request


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """Give the namespace and what follows it.

    `namespaces/NAME` itself, and its subresources, are the resource Namespace.
    """
    if len(rest) >= 3 and rest[0] == NAMESPACES.plural and rest[2] not in NAMESPACES.subresources:
        return rest[1], rest[2:]
    return "", rest


def _verb(method: str, resource: Resource, *, named: bool, subresource: str) -> str:
    if subresource:
        verb = "create" if method == "POST" else _NAMED_VERBS.get(method)
        allowed = SUBRESOURCE_VERBS[subresource]
    else:
        verb = (_NAMED_VERBS if named else _COLLECTION_VERBS).get(method)
        allowed = resource.verbs
    if verb is None or verb not in allowed:
        raise method_not_allowed()
    return verb
