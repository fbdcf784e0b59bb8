"""Take secrets out of texts and JSON values before they are kept or shown. Reads files that a kubeconfig names.

Two nets: what is known to be secret, wherever it stands, and what looks like a secret, whoever wrote it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

REDACTED: Final = "[redacted]"
_FEWEST_CHARACTERS: Final = 8
"""Shorter words are no secrets that could be told from other words; a line of a key is 64 or more."""
_LONGEST_KEY: Final = 1 << 16
_NAME: Final = r"(?:token|password|passwd|secret|client[-_]key[-_]data|private[-_]key|api[-_]?key|credential)"
# Every repetition is bounded: these run over megabytes that others wrote.
_FIELD: Final = re.compile(
    r"token|passw(?:or)?d|secret|credential|(?:private|api|client)[-_]?key", re.IGNORECASE
)
_SUSPICIOUS: Final = (
    "private key", "authorization", "cookie", "bearer", "eyj", "token", "passw", "secret", "credential", "@",
    *(f"{word}{joint}key" for word in ("private", "api", "client") for joint in ("", "-", "_")),
)  # fmt: skip
"""One of these is in whatever a pattern below, or a field's name, takes for a secret; most texts have none."""
_SUSPICIOUS_PATTERN: Final = re.compile("|".join(map(re.escape, _SUSPICIOUS)), re.IGNORECASE)
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kept)
    for pattern, kept in (
        # A key that was cut off is one as well.
        (r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", ""),
        # Schemes that are known are kept; of another one the word after it goes too. Digest's parts are several.
        (
            r"(authorization\\?[\"']?\s{0,9}[:=]\s{0,9}\\?[\"']?"
            r"(?:(?:basic|bearer|digest|negotiate|ntlm|token)[ \t]{1,9}(?=[^\s\"'\\,;]))?)"
            r"[^\s\"'\\,;]{1,9999}(?:[ \t]{1,9}[^\s\"'\\,;]{1,9999})?(?:[,;][ \t]{0,9}[^\s\"'\\,;]{1,9999}){0,99}",
            r"\1",
        ),
        (
            r"(cookie\\?[\"']?\s{0,9}[:=]\s{0,9}\\?[\"']?)"
            r"[^\s\"'\\;]{1,9999}(?:;[ \t]{0,9}[^\s\"'\\;]{1,9999}){0,99}",
            r"\1",
        ),
        (r"\b(bearer\s{1,9})[A-Za-z0-9._~+/=-]{8,9999}", r"\1"),
        # JSON web tokens, which Kubernetes' are.
        (r"\beyJ[A-Za-z0-9_-]{5,4999}\.[A-Za-z0-9_-]{5,4999}\.[A-Za-z0-9_-]{0,4999}", ""),
        # name: value, "name": "value", --name=value, NAME=value
        (rf"({_NAME}\\?[\"']?\s{{0,9}}[:=]\s{{0,9}}\\?[\"']?)[^\s\"'\\,;}}]{{1,9999}}", r"\1"),
        (rf"(--[\w-]{{0,40}}{_NAME}\s{{1,9}})[^\s\"'\\]{{1,9999}}", r"\1"),
        (r"(\w://[^\s/:@\"']{0,200}:)[^\s/@\"']{1,999}(?=@)", r"\1"),
        # The same before a registry, which is written without a scheme in the name of an image.
        (
            r"((?<![\w.+-])[\w.+-]{1,64}:)[^\s/:@\"'\\]{1,999}"
            r"(?=@(?:[\w-]{1,63}\.[\w.-]{1,200}|localhost)(?::[0-9]{1,5})?/)",
            r"\1",
        ),
    )
)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Give the text with `[redacted]` in the place of secrets.

    `known` are secrets as they are, such as a token or the text of a key file: each of their lines is looked for.
    """
    for line in sorted({line for secret in known for line in _lines(secret)}, key=len, reverse=True):
        text = text.replace(line, REDACTED)
    if not _is_suspicious(text):
        return text
    for pattern, kept in _PATTERNS:
        text = pattern.sub(f"{kept}{REDACTED}", text)
    return text


def redacted_fields(value: object, known: Collection[str] = (), *, named: bool = False) -> object:
    """Give a JSON value whose texts are as `redacted` gives them.

    Below a field that is named like a secret (`named`) no text stays, and numbers do: counters have such names as well.
    """
    if isinstance(value, Mapping):
        return {
            redacted(str(name), known): redacted_fields(
                each, known, named=named or _FIELD.search(str(name)) is not None
            )
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted_fields(each, known, named=named) for each in value]
    if not isinstance(value, str):
        return value
    return REDACTED if named and value else redacted(value, known)


def may_hold_secrets(line: str, known: Iterable[str] = ()) -> bool:
    """Tell whether a line of JSON has anything that could be one: so that the others need not be taken apart."""
    return _is_suspicious(line) or any(
        json.dumps(word)[1:-1] in line for secret in known for word in _lines(secret)
    )


def _is_suspicious(text: str) -> bool:
    # The pattern costs ten times as much, and is for letters that it takes for others: the long s, the Kelvin sign.
    if not text.isascii():
        return _SUSPICIOUS_PATTERN.search(text) is not None
    lowered = text.lower()
    return any(word in lowered for word in _SUSPICIOUS)


def _lines(secret: str) -> Iterator[str]:
    for line in secret.splitlines():
        if len(line.strip()) >= _FEWEST_CHARACTERS and not line.startswith("-----"):
            yield line.strip()


def secrets_of_kubeconfig(text: str, folder: Path | None = None) -> frozenset[str]:
    """Give what is secret in a kubeconfig: tokens, passwords, and client keys as they stand and decoded.

    Those in files that it names are read from `folder`, where it lies; without it they are left out. What is no
    kubeconfig has none.
    """
    import yaml

    try:
        users = yaml.safe_load(text)["users"]
        known = [user["user"] for user in users]
    except (yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError):
        return frozenset()
    found = {
        value
        for user in known
        if isinstance(user, dict)
        for name, value in user.items()
        if name in ("token", "password", "client-key-data") and isinstance(value, str)
    }
    if folder is not None:
        named = (
            user.get(name) for user in known if isinstance(user, dict) for name in ("tokenFile", "client-key")
        )
        found |= {said for name in named if isinstance(name, str) and (said := _said_by(folder / name))}
    return frozenset(found | {key for value in found if (key := _decoded(value))})


def _said_by(file: Path) -> str:
    try:
        if not file.is_file():  # a pipe would be waited for
            return ""
        with file.open(encoding="ascii") as opened:
            return opened.read(_LONGEST_KEY).strip()
    except (OSError, ValueError):
        return ""


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except ValueError:
        return ""
