"""Applying patches: JSON merge patch, strategic merge patch and JSON patch. Pure: values in, a new value out.

RFC 7396 and RFC 6902; strategic merge as in
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md,
with the merge keys of the kinds served here and without reordering (`$setElementOrder` is accepted and
ignored).
"""

import copy
from collections.abc import Callable
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.status import ApiError, bad_request

# Lists that strategic merge treats as maps: field name -> the keys that identify an item, first one present
# wins.
_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ports": ("containerPort", "port"),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey",),
    "hostAliases": ("ip",),
    "secrets": ("name",),
}
_PRIMITIVE_SETS = ("finalizers",)

Patch = Callable[[Any, Any], Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Merge patch in which lists with a merge key are merged item by item.

    Knows `$patch: delete|replace|merge`.
    """
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {name: value for name, value in result.items() if name in patch["$retainKeys"]}
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.split("/", 1)[1]
            result[field] = [item for item in result.get(field) or () if item not in value]
        elif name.startswith("$"):
            continue
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = _merged_field(name, result.get(name), value)
    return result


def _merged_field(name: str, old: Any, new: Any) -> Any:
    if not isinstance(new, list):
        return strategic_merge_patch(old, new)
    old = old if isinstance(old, list) else []
    if name in _PRIMITIVE_SETS:
        return [*old, *(item for item in new if item not in old)]
    return _merged_list(name, old, new)


def _merged_list(name: str, old: list[Any], new: list[Any]) -> list[Any]:
    items = [item for item in new if isinstance(item, dict)]
    key = next((k for k in _MERGE_KEYS.get(name, ()) if any(k in item for item in items)), None)
    if key is None or len(items) != len(new) or any(item.get("$patch") == "replace" for item in items):
        return [item for item in new if not (isinstance(item, dict) and item.get("$patch") == "replace")]
    result = list(old)
    for item in items:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        place = next(
            (i for i, have in enumerate(result) if isinstance(have, dict) and have.get(key) == item[key]),
            None,
        )
        if item.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(strategic_merge_patch({}, item))
        else:
            result[place] = strategic_merge_patch(result[place], item)
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902; raises 422 when an operation does not apply, 400 when it is none."""
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: KubeObject) -> Any:
    name, path = operation.get("op"), _pointer(operation.get("path"))
    if name in ("add", "replace", "test") and "value" not in operation:
        raise bad_request(f"error decoding patch: the operation {name} at {operation['path']} has no value")
    if name == "test":
        if _read(document, path) != operation["value"]:
            raise _does_not_apply()
        return document
    if name in ("move", "copy"):
        source = _pointer(operation.get("from"))
        value = copy.deepcopy(_read(document, source))
        if name == "move":
            document = _write(document, source, "remove", None)
        return _write(document, path, "add", value)
    if name in ("add", "replace", "remove"):
        return _write(document, path, name, operation.get("value"))
    raise bad_request(f"error decoding patch: Unexpected kind: {name}")


def _does_not_apply() -> ApiError:
    # The real server says no more either.
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def _pointer(text: object) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"error decoding patch: {text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(document: Any, path: list[str]) -> Any:
    for part in path:
        document = _child(document, part)
    return document


def _child(container: Any, part: str) -> Any:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list) and part.isdecimal() and int(part) < len(container):
        return container[int(part)]
    raise _does_not_apply()


def _write(document: Any, path: list[str], operation: str, value: Any) -> Any:
    if not path:
        return None if operation == "remove" else value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        _write_item(parent, last, operation, value)
    elif not isinstance(parent, dict):
        raise _does_not_apply()
    elif operation == "remove":
        _child(parent, last)
        del parent[last]
    else:  # to replace what is not there adds it: so does the real server's library, against RFC 6902
        parent[last] = value
    return document


def _write_item(items: list[Any], last: str, operation: str, value: Any) -> None:
    if operation == "add" and last == "-":
        items.append(value)
    elif operation == "add" and last.isdecimal() and int(last) <= len(items):
        items.insert(int(last), value)
    else:
        _child(items, last)
        if operation == "remove":
            del items[int(last)]
        elif operation == "replace":
            items[int(last)] = value
        else:
            raise _does_not_apply()


PATCHES: dict[str, Patch] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": strategic_merge_patch,
}


def patch_for(content_type: str) -> Patch:
    """Give the way to apply a body of this media type.

    Raises 415 for others, server-side apply among them.
    """
    found = PATCHES.get(content_type)
    if found is None:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return found
