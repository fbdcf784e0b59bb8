"""The `kubelb` command: finds its sub-commands in `commands/`. Touches what they touch."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_kubelb import __version__
from pytest_kubelb.errors import ConfigError, KubelbError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = ("lab", "import_", "history", "gate", "ab", "report", "evidence", "restore", "doctor", "init")
USAGE = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; give its exit code, or 1 (4 for a mistake in what was given) with one sentence."""
    arguments = parser().parse_args(argv)
    try:
        code = int(arguments.run(arguments) or 0)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain of it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KubelbError as error:
        print(f"kubelb: {error}", file=sys.stderr)
        return USAGE if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it does not return here either
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command line with all its sub-commands."""
    top = _Parser(prog="kubelb", description="Load-balancer benchmarks that prove they repeat.")
    top.add_argument("--version", action="version", version=f"kubelb {__version__}")
    groups = top.add_subparsers(required=True, metavar="COMMAND")
    for name in _COMMANDS:
        import_module(f"pytest_kubelb.commands.{name}").add(groups)
    return top
