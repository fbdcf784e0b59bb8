"""Who may do what: bearer tokens, the seam for RBAC, and SelfSubjectAccessReviews. Touches nothing."""

from collections.abc import Callable, Mapping
from hmac import compare_digest

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.request import ApiRequest
from pytest_kubelb.lab.api.resources import SELF_SUBJECT_ACCESS_REVIEWS
from pytest_kubelb.lab.api.status import ApiError, forbidden, invalid_kind, invalid_value, unauthorized

Authorize = Callable[[str, str, str, str, str, str], bool]
"""`authorize(user, verb, group, resource, subresource, namespace)`; strings are empty where there is none."""


def allow_all(user: str, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:  # noqa: ARG001 -- an Authorize
    """Give the administrator's permissions for everybody who has a token."""
    return True


def authenticated_user(tokens: Mapping[str, str], authorization: str) -> str:
    """Give the user of an Authorization header, by `tokens` (token -> user); raises 401."""
    scheme, _, given = authorization.partition(" ")
    user = None
    for (
        token,
        name,
    ) in tokens.items():  # all of them, in constant time each: the answer's timing tells nothing
        if compare_digest(token.encode(), given.strip().encode(errors="replace")):
            user = name
    if scheme.lower() != "bearer" or user is None:
        raise unauthorized()
    return user


def check_access(authorize: Authorize, user: str, request: ApiRequest) -> None:
    """Raise 403, in the words of a real server, unless the user may do this."""
    resource = request.resource
    if resource == SELF_SUBJECT_ACCESS_REVIEWS:  # system:basic-user lets everybody ask
        return
    if authorize(user, request.verb, resource.group, resource.plural, request.subresource, request.namespace):
        return
    raise denied(user, request)


def denied(user: str, request: ApiRequest) -> ApiError:
    """Give the 403 for a request that a user may not make."""
    what = (
        f"{request.resource.plural}/{request.subresource}" if request.subresource else request.resource.plural
    )
    scope = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    group = request.resource.group
    why = f'User "{user}" cannot {request.verb} resource "{what}" in API group "{group}" {scope}'
    return forbidden(request.resource, request.name, why)


def access_review(authorize: Authorize, user: str, body: object) -> KubeObject:
    """Answer a SelfSubjectAccessReview; raises 422 when it asks nothing."""
    spec = (body.get("spec") or {}) if isinstance(body, dict) else {}
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if isinstance(asked, dict):
        fields = ("verb", "group", "resource", "subresource", "namespace")
        allowed = authorize(user, *(str(asked.get(field) or "") for field in fields))
    elif isinstance(path, dict):
        allowed = True  # discovery, health and version are for everybody
    else:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = invalid_value("spec.resourceAttributes", None, why)
        raise invalid_kind("", SELF_SUBJECT_ACCESS_REVIEWS.group, "", [cause])
    return {
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed},
    }
