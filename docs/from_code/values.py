"""The reference of the values that fixtures and hooks hand out: fields with their types. Reads the package's source."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap

from docs.from_code.markdown import table
from pytest_kubelb.backends.base import Backend
from pytest_kubelb.cluster.endpoints import Endpoint
from pytest_kubelb.convergence import Target
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.matrix import Point
from pytest_kubelb.record.finding import Finding
from pytest_kubelb.record.sample import Sample, Series

_VALUES = (Target, Point, Endpoint, Series, Sample, WrkResult, Latency, SocketErrors, Finding)


def all_values() -> str:
    """Give a section for each value, and one for the methods of a backend."""
    return "\n\n".join([*map(_value, _VALUES), _backend()])


def _value(value: type) -> str:
    rows = [[f"`{name}`", f"`{kind}`", text] for name, kind, text in _fields(value)]
    return f"## `{value.__name__}`\n\n{inspect.getdoc(value)}\n\n{table(['field', 'type', 'what'], rows)}"


def _fields(value: type) -> list[tuple[str, str, str]]:
    """Give name, type and documentation of each dataclass field and property, in the order of the source."""
    known = {field.name for field in dataclasses.fields(value)}
    body = _class_body(value)
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in known:
            said = after.value if isinstance(after, ast.Expr) else None
            text = str(said.value) if isinstance(said, ast.Constant) else ""
            found.append((node.target.id, ast.unparse(node.annotation), text))
        elif isinstance(node, ast.FunctionDef) and any(
            ast.unparse(d) == "property" for d in node.decorator_list
        ):
            returned = ast.unparse(node.returns) if node.returns else ""
            found.append((node.name, returned, ast.get_docstring(node) or ""))
    return found


def _backend() -> str:
    methods = [
        node
        for node in _class_body(Backend)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    rows = []
    for node in methods:
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        duty = "yes" if "abstractmethod" in decorators else "no"
        name = f"{node.name}({ast.unparse(node.args).removeprefix('self').removeprefix('cls').lstrip(', ')})"
        rows.append([f"`{name}`", duty, " ".join((ast.get_docstring(node) or "").split())])
    head = f"## `Backend`\n\n{inspect.getdoc(Backend)} Class attributes: `name`, `url`."
    return f"{head}\n\n{table(['method', 'must be written', 'what'], rows)}"


def _class_body(value: type) -> list[ast.stmt]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(tree, ast.ClassDef), f"{value} is written as a class"  # noqa: S101 - for the type checker
    return tree.body
