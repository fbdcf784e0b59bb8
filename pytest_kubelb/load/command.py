"""Build wrk's command line. Pure: values in, an argument list out; nothing is run.

wrk's own rules (wrk.c of 4.1.0 and 4.2.0): connections >= threads, whole seconds, and each thread opens
connections // threads of them, so that a remainder is silently not opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_kubelb.errors import ConfigError

_CONNECTIONS = re.compile(r"(auto:)?([1-9][0-9]{0,5})")
_HEADER_VALUE = re.compile(r"[!-~]+")
_URL = re.compile(r"https?://[!-~]+")


@dataclass(frozen=True)
class Connections:
    """How many connections wrk opens at a point."""

    target: int
    """The number itself, or the number to come close to."""
    multiple_of_pods: bool
    """With keep-alive every pod gets the same share only when the connections are a multiple of the pods."""

    def at(self, pods: int) -> int:
        """Give the number for a point with `pods` pods.

        That is `target`, or the multiple of `pods` nearest to it (the larger of two), at least one per pod.
        """
        if not self.multiple_of_pods:
            return self.target
        return pods * max(1, (2 * self.target + pods) // (2 * pods))

    def __str__(self) -> str:
        return f"auto:{self.target}" if self.multiple_of_pods else str(self.target)


def parse_connections(text: str) -> Connections:
    """Read `800` or `auto:80`. Raises ValueError with the rule in its message."""
    match = _CONNECTIONS.fullmatch(text)
    if match is None:
        raise ValueError(
            "connections are a whole number from 1 to 999999 (800), "
            f"or auto:N for the multiple of the pods nearest to N (auto:80), not {text!r}"
        )
    return Connections(target=int(match[2]), multiple_of_pods=match[1] is not None)


def check_connections(connections: int, threads: int) -> None:
    """Raise ConfigError for numbers that wrk would refuse."""
    if threads < 1 or connections < threads:
        raise ConfigError(
            f"wrk cannot run {connections} connections on {threads} threads: it needs at least 1 thread and "
            "1 connection per thread; lower the threads or raise the connections."
        )


def wrk_command(
    url: str,
    *,
    script: str,
    host_header: str,
    connections: int,
    threads: int,
    duration_s: int,
    timeout_s: int | None = None,
) -> tuple[str, ...]:
    """Give the argument list of one run.

    `script` is where `report.lua` lies on the benchmarker; `host_header` is sent instead of the URL's host,
    so that every backend gets equally many bytes; `timeout_s` is the time-out of a response (wrk's default
    is 2). Raises ConfigError for what wrk would refuse, or quietly do differently.
    """
    check_connections(connections, threads)
    for name, seconds in (("duration", duration_s), ("time-out", timeout_s)):
        if seconds is not None and seconds < 1:
            raise ConfigError(f"wrk cannot take a {name} of {seconds} s: give whole seconds, 1 or more.")
    if not _HEADER_VALUE.fullmatch(host_header):
        raise ConfigError(
            f"wrk cannot send the Host header {host_header!r}: give printable ASCII without spaces."
        )
    if not _URL.fullmatch(url):
        raise ConfigError(f"wrk cannot be pointed at {url!r}: give an http:// or https:// URL.")
    timeout = () if timeout_s is None else ("--timeout", f"{timeout_s}s")
    return (
        "wrk",
        f"-c{connections}",
        f"-t{threads}",
        f"-d{duration_s}s",
        "-s",
        script,
        "-H",
        f"Host: {host_header}",
        *timeout,
        url,
    )
