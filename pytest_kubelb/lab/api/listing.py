"""Answers to list: selection, versions and pages.

Touches nothing but the snapshots it keeps for later pages.
"""

import base64
import binascii
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator

from pytest_kubelb.lab.api.objects import KubeObject, labels_of
from pytest_kubelb.lab.api.request import ApiRequest
from pytest_kubelb.lab.api.selectors import fields_match, parse_field_selector, parse_label_selector, selects
from pytest_kubelb.lab.api.status import (
    ApiError,
    Cause,
    bad_request,
    expired,
    forbidden_value,
    invalid_options,
    unsupported_value,
)
from pytest_kubelb.lab.api.store import Store

_MOST_SNAPSHOTS = 32


def matcher(request: ApiRequest) -> Callable[[KubeObject], bool]:
    """Whether an object is among those that the request asks for: namespace, name and both selectors.

    Raises 400.
    """
    labels = parse_label_selector(request.query.get("labelSelector", ""))
    fields = parse_field_selector(request.resource, request.query.get("fieldSelector", ""))

    def matches(obj: KubeObject) -> bool:
        metadata = obj["metadata"]
        return (
            (not request.namespace or metadata.get("namespace") == request.namespace)
            and (not request.name or metadata["name"] == request.name)
            and selects(labels, labels_of(obj))
            and fields_match(fields, obj)
        )

    return matches


def check_list_options(request: ApiRequest) -> None:
    """Raise 422 for options that do not go together.

    Source: ValidateListOptions of k8s.io/apimachinery/pkg/apis/meta/internalversion/validation, v1.36.
    """
    query = request.query
    watching, initial = request.verb == "watch", "sendInitialEvents" in query
    causes = list(_match_causes(query.get("resourceVersionMatch", ""), request, initial=initial and watching))
    if initial and not watching:
        causes.append(forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if causes:
        raise invalid_options("ListOptions", causes)


def _match_causes(match: str, request: ApiRequest, *, initial: bool) -> Iterator[Cause]:
    field, version = "resourceVersionMatch", request.query.get("resourceVersion", "")
    if request.verb == "watch":
        if match and not initial:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            yield forbidden_value(field, why)
        if initial and not match:
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            yield forbidden_value(field, why)
        if match and match != "NotOlderThan":
            yield unsupported_value(field, match, ["NotOlderThan"])
    elif match:
        if not version:
            yield forbidden_value(
                field, "resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        if "continue" in request.query:
            yield forbidden_value(field, "resourceVersionMatch is forbidden when continue is provided")
        if match not in ("Exact", "NotOlderThan"):
            yield unsupported_value(field, match, ["Exact", "NotOlderThan", ""])
        elif match == "Exact" and version == "0":
            yield forbidden_value(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


class Lister:
    """Answers list requests on one store.

    A list in pages is cut from one snapshot, so that its pages agree.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, tuple[int, list[KubeObject]]] = OrderedDict()

    def answer(self, request: ApiRequest) -> KubeObject:
        """Give the list object.

        Raises:
            ApiError: 400 for a selector or token that cannot be read, 410 for a page or an exact
                version that is forgotten, 504 for a version that has not been yet.

        """
        check_list_options(request)
        limit, token = request.number("limit"), request.query.get("continue", "")
        if token:
            version, items = self._rest(token)
        else:
            self._check_version(request)
            matches = matcher(request)
            version, items = (
                self._store.version,
                [obj for obj in self._store.all(request.resource) if matches(obj)],
            )
        metadata: KubeObject = {"resourceVersion": str(version)}
        if limit and len(items) > limit:
            metadata |= {
                "continue": self._keep(version, items[limit:]),
                "remainingItemCount": len(items) - limit,
            }
            items = items[:limit]
        bare = [
            {field: value for field, value in item.items() if field not in ("kind", "apiVersion")}
            for item in items
        ]
        return {
            "kind": f"{request.resource.kind}List",
            "apiVersion": request.resource.api_version,
            "metadata": metadata,
            "items": bare,
        }

    def _check_version(self, request: ApiRequest) -> None:
        version, current = request.version(), self._store.version
        if version is not None and version > current:
            details = {
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            }
            raise ApiError(
                504, "Timeout", f"Timeout: Too large resource version: {version}, current: {current}", details
            )
        if request.query.get("resourceVersionMatch") == "Exact" and version is not None:
            try:
                unchanged = not self._store.changes_since(request.resource, version)
            except ApiError:
                unchanged = False
            if not unchanged:
                raise expired("The resourceVersion for the provided list is too old.")

    def _keep(self, version: int, items: list[KubeObject]) -> str:
        name = secrets.token_urlsafe(8)
        self._snapshots[name] = (version, items)
        while len(self._snapshots) > _MOST_SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return base64.urlsafe_b64encode(
            json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": name}).encode()
        ).decode()

    def _rest(self, token: str) -> tuple[int, list[KubeObject]]:
        try:
            content = json.loads(base64.urlsafe_b64decode(token.encode()))
            name = str(content["start"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise bad_request("invalid continue token: continue key is not valid") from None
        if name not in self._snapshots:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter."
            )
        return self._snapshots[name]
