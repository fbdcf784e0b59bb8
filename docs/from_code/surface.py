"""The reference of what pytest sees: marker, fixtures, hooks, exit codes. Reads the package; starts pytest."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from docs.from_code.markdown import block, plain, table
from pytest_kubelb import fixtures as fixture_module
from pytest_kubelb import hookspecs

_MARKER = "@pytest.mark."
_MEANINGS = {
    pytest.ExitCode.OK: "every point that was judged passed",
    pytest.ExitCode.TESTS_FAILED: "a point failed: its runs do not repeat, it got slower, or it could not be measured",
    pytest.ExitCode.INTERRUPTED: "Ctrl-C, SIGTERM or SIGHUP: the testbed was put back, the runs are in the record",
    pytest.ExitCode.INTERNAL_ERROR: "a defect of pytest or of a plugin",
    pytest.ExitCode.USAGE_ERROR: "a mistake in an option, the inventory or a marker: nothing was touched",
    pytest.ExitCode.NO_TESTS_COLLECTED: "no point was selected",
}


def marker() -> str:
    """Give the marker's signature and its text, as `pytest --markers` prints them."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "pytest_kubelb.plugin",
        "-p",
        "no:cacheprovider",
        "--markers",
    ]
    with tempfile.TemporaryDirectory() as nowhere:
        printed = subprocess.run(
            command,
            cwd=nowhere,
            env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    line = next(line for line in printed.splitlines() if line.startswith(f"{_MARKER}kubelb"))
    signature, _, text = line.partition(": ")
    return f"{block(signature, 'python')}\n\n{plain(text[:1].upper() + text[1:])}"


def fixtures() -> str:
    """Give a section for each fixture: its scope and its docstring."""
    tree = ast.parse(inspect.getsource(fixture_module))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and _scope(node)]
    return "\n\n".join(
        f"## `{node.name}`\n\nScope: {_scope(node)}. Gives: `{_annotation(node)}`.\n\n{ast.get_docstring(node)}"
        for node in found
    )


def hooks() -> str:
    """Give a section for each hook: its signature, its docstring, and whether the first answer wins."""
    found = [value for name, value in vars(hookspecs).items() if name.startswith("pytest_kubelb_")]
    return "\n\n".join(
        f"## `{hook.__name__}`\n\n{block(f'def {hook.__name__}{_signature(hook)}', 'python')}\n\n"
        f"{inspect.getdoc(hook)} {_calling(hook)}"
        for hook in found
    )


def exit_codes() -> str:
    """Give a table of pytest's exit codes and what they mean for a session of benches."""
    rows = [
        [str(int(code)), f"`{code.name}`", _MEANINGS[code]] for code in pytest.ExitCode if code in _MEANINGS
    ]
    return table(["code", "pytest's name", "of a session of benches"], rows)


def _scope(node: ast.FunctionDef) -> str:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called) == "pytest.fixture":
            given = decorator.keywords if isinstance(decorator, ast.Call) else []
            return next((ast.literal_eval(each.value) for each in given if each.arg == "scope"), "function")
    return ""


def _annotation(node: ast.FunctionDef) -> str:
    written = ast.unparse(node.returns) if node.returns else "None"
    return written.removeprefix("Iterator[").removesuffix("]") if written.startswith("Iterator[") else written


def _signature(hook: object) -> str:
    signature = inspect.signature(hook)  # type: ignore[arg-type]  # a hookspec is a function
    return str(signature).replace("'", "")


def _calling(hook: object) -> str:
    asked = getattr(hook, "pytest_spec", {}) or {}
    return "The first answer that is not None counts." if asked.get("firstresult") else "All answers count."
