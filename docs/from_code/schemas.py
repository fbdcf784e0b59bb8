"""The reference of the JSON files, from the JSON Schemas that the package ships. Reads those files."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from docs.from_code.markdown import table

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]


def all_schemas() -> str:
    """Give a section for each `report/*.schema.json`, later versions first: every field, its type and description."""
    folder = files("pytest_kubelb") / "report"
    found = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".schema.json")),
        key=lambda f: f.name,
        reverse=True,
    )
    return "\n\n".join(_section(file.name, json.loads(file.read_text(encoding="utf-8"))) for file in found)


def _section(name: str, schema: Schema) -> str:
    title, said = schema.get("title", name), schema.get("description", "")
    rows = [[f"`{path}`", kind, text] for path, kind, text in _fields(schema, schema, "", ())]
    head = f"## {title}\n\nFile: `pytest_kubelb/report/{name}`. {said}"
    return f"{head}\n\n{table(['field', 'type', 'what'], rows)}"


def _fields(
    schema: Schema, node: Schema, path: str, inside: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """Give path, type and description of all fields below `node`; a definition inside itself is not opened again."""
    resolved, name = _resolve(schema, node)
    if name in inside:
        return
    inside = (*inside, name) if name else inside
    required = set(resolved.get("required", ()))
    for key, child in resolved.get("properties", {}).items():
        below = f"{path}.{key}" if path else key
        target, _ = _resolve(schema, child)
        kind = _kind(schema, child) + ("" if key in required else ", may be absent")
        yield below, kind, str(child.get("description") or target.get("description") or "")
        yield from _fields(schema, child, below, inside)
    for alternative in (*resolved.get("anyOf", ()), *resolved.get("oneOf", ())):
        yield from _fields(schema, alternative, path, inside)
    if isinstance(resolved.get("items"), dict):
        yield from _fields(schema, resolved["items"], f"{path}[]", inside)
    if isinstance(resolved.get("additionalProperties"), dict):
        yield from _fields(schema, resolved["additionalProperties"], f"{path}.*", inside)


def _resolve(schema: Schema, node: Schema) -> tuple[Schema, str]:
    reference = str(node.get("$ref", ""))
    if not reference.startswith("#/"):
        return node, ""
    found: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found, reference


def _kind(schema: Schema, node: Schema) -> str:
    resolved, _ = _resolve(schema, node)
    if "const" in resolved:
        return f"`{json.dumps(resolved['const'])}`"
    if "enum" in resolved:
        return ", ".join(f"`{json.dumps(value)}`" for value in resolved["enum"])
    alternatives = (*resolved.get("anyOf", ()), *resolved.get("oneOf", ()))
    if alternatives:
        return " or ".join(dict.fromkeys(_kind(schema, each) for each in alternatives))
    kind = resolved.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if words == "array" and isinstance(resolved.get("items"), dict):
        return f"array of {_kind(schema, resolved['items'])}"
    return words
