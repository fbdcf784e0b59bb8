"""What the name of an imported file says: backend, run index, label, copy or not. Pure: text in, values out.

The original names its logs `<lvs|proxy>_<label>_<run index>.log`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN_WORDS: Final[Mapping[str, str]] = {
    "lvs": "ipvs",
    "ipvs": "ipvs",
    "proxy": "proxy",
    "clusterip": "proxy",
}
"""A word in a name, and the backend it means."""
_WORD: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_BACKEND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SUFFIX: Final = re.compile(r"(?i:\.(?:log|txt|out|csv|bak|bk|old|orig|save|copy|[0-9]{1,3})|~)$")
_COPY: Final = re.compile(r"(?i:(?:^|[^a-z])(?:bak|bk|backup|old|orig|save|copy)(?:[^a-z]|$)|~$)")
_PODS: Final = re.compile(r"(?i:(?:^|[^a-z])pods?(?:num)?[_-]?([0-9]{1,4})(?:[^0-9]|$))")


@dataclass(frozen=True)
class FileName:
    """What one name says; None for what it does not."""

    backend: str | None
    index: int | None
    """The run index."""
    label: str
    """What is left between backend and index: it tells set-ups within one folder from each other."""
    pods: int | None
    stem: str
    """The name without its suffixes: a log, its table and its copies share it."""
    copy: bool
    """Whether it is called a backup copy."""
    table: bool
    """Whether it is called a CSV table."""


def read_name(name: str, folders: Sequence[str], words: Mapping[str, str]) -> FileName:
    """Read a file's name; `folders` are those above it, the nearest first, asked when it names no backend.

    `words` are further words with the backend they mean; they count before `KNOWN_WORDS`.
    """
    stem = name
    while (shorter := _SUFFIX.sub("", stem)) not in (stem, ""):
        stem = shorter
    known = {**KNOWN_WORDS, **words}
    backend, used = None, ""
    for text in (stem, *folders):
        backend, used = _backend(text, known, words)
        if backend is not None:
            break
    match = re.fullmatch(r"(.*)[_.-]([0-9]{1,3})", stem)
    rest = stem if match is None else match[1]
    pods = _PODS.search(stem)
    return FileName(
        backend=backend,
        index=None if match is None else int(match[2]),
        label=_without(rest, used),
        pods=int(pods[1]) if pods is not None and int(pods[1]) else None,
        stem=stem,
        copy=_COPY.search(name) is not None or any(_COPY.search(folder) for folder in folders),
        table=re.search(r"(?i:\.csv)", name) is not None,
    )


def parse_words(texts: Sequence[str]) -> dict[str, str]:
    """Read `WORD=BACKEND` texts. Raises ConfigError with the rule."""
    words = {}
    for text in texts:
        word, equals, backend = text.partition("=")
        if not equals or not _WORD.fullmatch(word):
            raise ConfigError(
                f"--backend-from {text!r} is not WORD=BACKEND: write a word of a file's or folder's name, made of "
                "letters and digits, and the backend it means, like lvstun=ipvs."
            )
        words[word.lower()] = parse_backend(backend, "--backend-from")
    return words


def parse_backend(text: str, option: str) -> str:
    """Give a backend's or overlay's name as it is. Raises ConfigError with the rule."""
    if not _BACKEND.fullmatch(text):
        raise ConfigError(
            f"{option} {text!r} is not allowed: a name is made of lower-case letters, digits and dashes, begins with "
            "a letter and has at most 32 characters."
        )
    return text


def _backend(text: str, known: Mapping[str, str], first: Mapping[str, str]) -> tuple[str | None, str]:
    """Give the backend that a word in `text` means, and that word; words of the user's own count first."""
    found = [word for word in _WORD.findall(text) if word.lower() in known]
    found.sort(key=lambda word: word.lower() not in first)
    return (known[found[0].lower()], found[0]) if found else (None, "")


def _without(text: str, word: str) -> str:
    """Take the backend's word away, so that both backends of one set-up have the same label."""
    words = re.split(r"[^A-Za-z0-9]+", text)
    if word in words:
        words.remove(word)
    return "_".join(word for word in words if word)
