"""What a JSON merge patch must say to make one object of another. Pure. RFC 7396."""

from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject


def difference(before: KubeObject, after: KubeObject) -> KubeObject:
    """Give the patch: changed values, and null for what is to go. Lists are replaced as a whole."""
    patch: dict[str, Any] = {name: None for name in before if name not in after and before[name] is not None}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = difference(old, value)
            if inner:
                patch[name] = inner
        elif value != old:
            patch[name] = value
    return patch
