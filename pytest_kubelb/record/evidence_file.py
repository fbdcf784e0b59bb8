"""Read the evidence that lies beside a record, line by line. Touches the one file it is given, for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load import json_fields
from pytest_kubelb.record.appending import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class RunLine:
    """What the hosts counted around one run."""

    point: Mapping[str, str | int]
    provisioning: int
    run: int
    warmup: bool
    hosts: Mapping[str, json_fields.JsonObject]
    """Host -> its `HostDelta` as JSON."""


def read_evidence(path: Path) -> Iterator[RunLine]:
    """Give the runs in the order of the file; a torn last line is left out.

    Raises KubelbError that names file and line when the file cannot be read or another line is none of evidence.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while (text := file.readline(LONGEST_LINE)).endswith(b"\n"):
                number += 1
                try:
                    yield _line(json_fields.decode_object(text))
                except ValueError as error:
                    raise _corrupt(path, number, str(error)) from error
            if len(text) == LONGEST_LINE:
                raise _corrupt(path, number + 1, f"it is longer than {LONGEST_LINE} bytes")
    except OSError as error:
        raise KubelbError(
            f"The evidence {path} cannot be read: {error.strerror}; sessions of before there was evidence, imported "
            "ones, and those whose inventory reads no host have none."
        ) from error


def _corrupt(path: Path, number: int, what: str) -> KubelbError:
    return KubelbError(f"{path}:{number}: this is no line of evidence: {what}; delete it to go on without.")


def _line(fields: json_fields.JsonObject) -> RunLine:
    hosts = json_fields.mapping(fields, "hosts")
    return RunLine(
        point=json_fields.axes(fields, "point"),
        provisioning=json_fields.count(fields, "provisioning"),
        run=json_fields.count(fields, "run"),
        warmup=bool(fields.get("warmup")),
        hosts={name: json_fields.mapping(hosts, name) for name in hosts},
    )
