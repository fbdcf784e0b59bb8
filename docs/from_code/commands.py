"""The reference of the `kubelb` command, from its argument parsers. Touches nothing."""

from __future__ import annotations

import argparse

from docs.from_code.markdown import block, plain, table
from pytest_kubelb import cli


def all_commands() -> str:
    """Give a section for each sub-command: usage, what it does, its arguments."""
    return "\n\n".join(_sections(cli.parser(), "kubelb", ""))


def _sections(parser: argparse.ArgumentParser, name: str, summary: str) -> list[str]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    sections = [] if inner and name == "kubelb" else [_section(parser, name, summary)]
    for group in inner:
        summaries = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for word, sub in group.choices.items():
            sections += _sections(sub, f"{name} {word}", summaries.get(word, ""))
    return sections


def _section(parser: argparse.ArgumentParser, name: str, summary: str) -> str:
    level = "##" if name.count(" ") == 1 else "###"
    said = plain(parser.description or f"{summary[:1].upper()}{summary[1:]}.")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    rows = [[_form(action), _text(parser, action)] for action in parser._actions if _is_told(action)]
    parts = [f"{level} `{name}`", said, block(_wrapped(usage), "text")]
    return "\n\n".join([*parts, table(["argument", "what"], rows)] if rows else parts)


def _is_told(action: argparse.Action) -> bool:
    return not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)


def _form(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    if not action.option_strings:
        return f"`{metavar}`"
    named = ", ".join(action.option_strings)
    shown = "|".join(map(str, action.choices)) if action.choices else metavar.upper()
    return f"`{named}`" if action.nargs == 0 else f"`{named} {shown}`"


def _text(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return plain(parser._get_formatter()._expand_help(action)) if action.help else ""


def _wrapped(usage: str, width: int = 92) -> str:
    lines, line = [], ""
    for piece in usage.replace(" [", "\n[").split("\n"):
        if line and len(line) + len(piece) > width:
            lines.append(line)
            line = "    "
        line += piece if line in ("", "    ") else f" {piece}"
    return "\n".join([*lines, line])
