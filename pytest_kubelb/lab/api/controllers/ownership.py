"""Which objects a controller controls, and taking over those that nobody does. Touches the API."""

import hashlib
import json

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.object_table import ObjectTable
from pytest_kubelb.lab.api.objects import (
    KubeObject,
    controller_uid,
    is_deleting,
    key_of,
    labels_of,
    owner_reference,
    uid_of,
    with_metadata,
)
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.selectors import selector_of, selects

HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_HASH_LENGTH = 10


def controlled(api: ClusterApi, resource: Resource, owner: KubeObject) -> list[KubeObject]:
    """Give the objects that `owner` controls, with those it adopts: selected by it and controlled by nobody."""
    namespace, uid = owner["metadata"]["namespace"], uid_of(owner)
    selector = selector_of(owner["spec"]["selector"])
    found = []
    for obj in api.store.all(resource, namespace):
        controller = controller_uid(obj)
        if controller == uid:
            found.append(obj)
        elif controller is None and not is_deleting(obj) and selects(selector, labels_of(obj)):
            references = [*(obj["metadata"].get("ownerReferences") or ()), owner_reference(owner)]
            found.append(api.update(resource, with_metadata(obj, ownerReferences=references)))
    return found


def owner_key(store: ObjectTable, resource: Resource, obj: KubeObject) -> tuple[str, str] | None:
    """Namespace and name of the object of kind `resource` that controls `obj`, if there is one."""
    uid = controller_uid(obj)
    found = None if uid is None else store.by_uid(uid)
    return key_of(found[1]) if found is not None and found[0] == resource else None


def template_hash(template: KubeObject) -> str:
    """Ten characters that are the same for the same pod template.

    The value of the label `pod-template-hash`.
    """
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(HASH_ALPHABET[byte % len(HASH_ALPHABET)] for byte in digest[:_HASH_LENGTH])
