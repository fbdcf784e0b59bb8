"""The one table of options: name, parser, default, help. Touches nothing.

The command line (`--kubelb-pods`), the ini key (`kubelb_pods`), the environment (`KUBELB_PODS`), the
inventory's `[defaults]` and the generated reference all read this table, so that a rule or a help text is
written once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kubelb.load.command import Connections

OVERLAYS = ("vxlan", "host-gw")
ORDERS = ("paired", "block", "random")
LAB_KERNELS = ("auto", "host", "uml", "qemu")
PASS_OR_FAIL = ("pass", "fail")
FAIL_OR_WAIT = ("fail", "wait")
AUTO = "auto"

# Far above any testbed; keeps a typed zero too many from expanding to millions of points.
MOST_PODS = 9999
# Texts, compiled when first used: every pytest run imports this module, few read an option.
_PODS = r"(?P<first>[0-9]{1,6})(?:-(?P<last>[0-9]{1,6})(?:/(?P<step>[0-9]{1,6}))?)?"
_DURATION = r"([0-9]{1,6})([smh])"
_TOLERANCE = r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?(%?)"
_WHOLE = r"[0-9]{1,10}"
_NAME = r"[a-z][a-z0-9-]*"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_pods(text: str) -> tuple[int, ...]:
    """Read pod counts: `4`, `1,2,8`, `4-40/2` (from-to/step). Gives them ascending.

    Raises ValueError with the rule in its message.
    """
    counts: list[int] = []
    for piece in (piece.strip() for piece in text.split(",")):
        match = re.fullmatch(_PODS, piece)
        if match is None:
            raise ValueError(f"{piece!r} is not a pod count: write 4, 1,2,8 or 4-40/2 (from-to/step)")
        first, step = int(match["first"]), int(match["step"] or 1)
        last = int(match["last"] or first)
        if first < 1 or step < 1 or last > MOST_PODS:
            raise ValueError(f"{piece!r} is out of range: pods and steps are 1 to {MOST_PODS}")
        if last < first:
            raise ValueError(f"{piece!r} runs backwards: write the smaller number first")
        new = range(first, last + 1, step)
        _refuse_repeats([*counts, *new], text)
        counts.extend(new)
    return tuple(sorted(counts))


def parse_backends(text: str) -> tuple[str, ...]:
    """Read backend names: `ipvs,proxy`. Which exist is checked later. Raises ValueError with the rule."""
    return _names(text, "a backend name: lower-case letters, digits and dashes, separated by commas")


def parse_overlays(text: str) -> tuple[str, ...]:
    """Read overlays: `vxlan,host-gw`. Raises ValueError with the rule in its message."""
    names = _names(text, f"an overlay: {' or '.join(OVERLAYS)}, separated by commas")
    for name in names:
        one_of(*OVERLAYS)(name)
    return names


def parse_tunings(text: str) -> tuple[str, ...]:
    """Read names of tuning profiles: `none,rps`. Which exist is checked later. Raises ValueError with the rule."""
    return _names(
        text, "the name of a tuning profile: lower-case letters, digits and dashes, separated by commas"
    )


def parse_duration(text: str) -> int:
    """Read `10s`, `1m`, `1h` as seconds, as wrk does. Raises ValueError with the rule in its message."""
    match = re.fullmatch(_DURATION, text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration: wrk takes whole s, m or h with the unit: 10s, 1m")
    return int(match[1]) * _SECONDS[match[2]]


def parse_tolerance(text: str) -> float:
    """Read `5%` or `0.05` as a fraction. Raises ValueError with the rule in its message."""
    match = re.fullmatch(_TOLERANCE, text)
    # A bare 5 would mean 500 %, and a bare 1 is as likely to mean 1 %: both have to say which.
    if match is None or (not match[2] and float(match[1]) >= 1):
        raise ValueError(f"{text!r} is not a tolerance: write a percentage (5%) or a fraction (0.05)")
    fraction = float(match[1]) / 100 if match[2] else float(match[1])
    if not 0 < fraction <= 1:
        raise ValueError(f"{text!r} is out of range: a tolerance is above 0% and at most 100%")
    return fraction


def parse_warmup(text: str) -> int | Literal["auto"]:
    """Read `2`, or `auto`, as which "auto" is given. Raises ValueError with the rule in its message."""
    if text == AUTO:
        return "auto"
    try:
        return whole(0, 100)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {AUTO}") from error


def parse_drop(text: str) -> float:
    """Read a drop as `parse_tolerance` does; one of 100 % is none that could be judged. Raises ValueError."""
    drop = parse_tolerance(text)
    if drop >= 1:
        raise ValueError(f"{text!r} is out of range: a drop is above 0% and below 100%")
    return drop


def parse_flag(text: str) -> bool:
    """Read true/false, yes/no, on/off, 1/0. Raises ValueError with the rule in its message."""
    if text.lower() not in _YES + _NO:
        raise ValueError(f"{text!r} is neither yes nor no: write true or false")
    return text.lower() in _YES


def parse_connections(text: str) -> Connections:
    """Read `800` or `auto:80`; the rule is wrk's and lives in `pytest_kubelb.load.command`."""
    from pytest_kubelb.load.command import parse_connections as parse

    return parse(text)


def plain_words(text: str) -> str:
    """Read what is understood later. Raises ValueError when it is empty."""
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is empty: say which sessions, such as last:5")
    return text.strip()


def parse_path(text: str) -> Path:
    """Read a path, its `~` expanded. Raises ValueError when it is empty or the home folder is unknown."""
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is not a path: name a file")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text!r} is in the home folder of nobody known: name another path") from error


def whole(least: int, most: int) -> Callable[[str], int]:
    """Give a parser of whole numbers from `least` to `most`; it raises ValueError with that rule."""

    def parse(text: str) -> int:
        if not re.fullmatch(_WHOLE, text) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not allowed: write a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Give a parser that takes one of `words`; it raises ValueError with the list of them."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is unknown: choose from {', '.join(words)}")
        return text

    return parse


def plain_text(value: object) -> str:
    """Give a TOML or marker value as the text that a parser here reads: `[1, 2]` becomes `1,2`."""
    if isinstance(value, list | tuple):
        return ",".join(plain_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(text: str, rule: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"{name!r} is not {rule}")
    _refuse_repeats(names, text)
    return tuple(names)


def _refuse_repeats(values: Sequence[object], text: str) -> None:
    if len(values) != len(set(values)):
        twice = next(value for index, value in enumerate(values) if value in values[:index])
        raise ValueError(f"{text!r} names {twice} more than once: name each once")


@dataclass(frozen=True)
class Option:
    """One option, the same on the command line, in an ini file, in the environment and in `[defaults]`."""

    name: str
    """As after `--kubelb-`, with dashes."""
    parse: Callable[[str], Any]
    """From text to value; raises ValueError with the rule in its message."""
    default: str | None
    """As text, read by the same parser; None is "not set"."""
    help: str
    metavar: str | None = None
    """None for a flag."""
    in_inventory: bool = True
    """May stand in an inventory's `[defaults]`: it is about the testbed, not about one session."""

    @property
    def key(self) -> str:
        """The name with underscores: the key in `[defaults]` and the field of Settings."""
        return self.name.replace("-", "_")

    @property
    def flag(self) -> str:
        """The command line's name; `ini` and `env` are the other two."""
        return f"--kubelb-{self.name}"

    @property
    def ini(self) -> str:
        """The ini key, and the command line's destination."""
        return f"kubelb_{self.key}"

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"KUBELB_{self.key.upper()}"


# House style of help texts: an imperative sentence, then the form with an example, then "Default: ...".
# No jargon that the vocabulary in docs/ does not define. One constant serves --help, ini and the reference.
OPTIONS = (
    Option(
        "inventory",
        parse_path,
        None,
        "Measure the testbed that this TOML file describes. "
        "Default: kubelb.toml in the rootdir or beside the benches, else the embedded lab.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "backend",
        parse_backends,
        None,
        "Measure these load-balancer backends (ipvs,proxy). Default: all that the inventory has.",
        metavar="NAMES",
    ),
    Option(
        "pods",
        parse_pods,
        "1,2,4-40/2",
        "Measure at these pod counts (4 or 1,2,8 or 4-40/2, which is from-to/step). Default: 1,2,4-40/2.",
        metavar="COUNTS",
    ),
    Option(
        "overlay",
        parse_overlays,
        "vxlan",
        "Measure over these pod networks (vxlan,host-gw). Default: vxlan.",
        metavar="NAMES",
    ),
    Option(
        "tuning",
        parse_tunings,
        "none",
        "Measure under these tuning profiles of the inventory (none,rps); none changes nothing on the hosts. "
        "Default: none.",
        metavar="NAMES",
    ),
    Option(
        "runs", whole(1, 1000), "10", "Run wrk this many times at each point. Default: 10.", metavar="NUMBER"
    ),
    Option(
        "duration",
        parse_duration,
        "60s",
        "Let each run take this long (10s, 1m; whole seconds, as wrk wants it). Default: 60s.",
        metavar="TIME",
    ),
    Option(
        "connections",
        parse_connections,
        "800",
        "Open this many connections (800), or the multiple of the pods nearest to N (auto:N). Default: 800.",
        metavar="NUMBER|auto:N",
    ),
    Option("threads", whole(1, 1024), "40", "Let wrk use this many threads. Default: 40.", metavar="NUMBER"),
    Option(
        "max-runs",
        whole(1, 1000),
        None,
        "Go on after --kubelb-runs while their number is too small for a verdict, up to this many runs. "
        "Default: as many as --kubelb-runs.",
        metavar="NUMBER",
    ),
    Option(
        "precision",
        parse_tolerance,
        None,
        "Stop, from three runs on, when the mean is known this well (95% interval, as 1%), and go on until then "
        "up to --kubelb-max-runs. Default: not used.",
        metavar="SHARE",
    ),
    Option(
        "warmup",
        parse_warmup,
        "1",
        "Make this many runs at each point first, recorded but not judged; auto goes on while each run is more "
        "than 1% above the one before. Default: 1.",
        metavar="NUMBER|auto",
    ),
    Option(
        "passes",
        whole(1, 100),
        "1",
        "Repeat the whole sweep this many times, each pass provisioned anew. Default: 1.",
        metavar="NUMBER",
    ),
    Option(
        "tolerance",
        parse_tolerance,
        "5%",
        "Fail a point whose runs spread more than this: CV, as 5% or 0.05. Default: 5%.",
        metavar="SHARE",
    ),
    Option(
        "on-inconclusive",
        one_of(*PASS_OR_FAIL),
        "pass",
        "Let a point pass or fail whose runs are too few, or too uneven, for a verdict; it is shown as "
        "inconclusive either way. Default: pass.",
        metavar="WORD",
    ),
    Option(
        "baseline",
        plain_words,
        None,
        "Compare with these earlier sessions: a tag, a session, a folder, last:5, or a file of --kubelb-json. "
        "Default: none.",
        metavar="WHAT",
        in_inventory=False,
    ),
    Option(
        "max-drop",
        parse_drop,
        "5%",
        "Fail when a drop of this share against the baseline is found, at a point or in a backend's whole sweep. "
        "Default: 5%.",
        metavar="SHARE",
    ),
    Option(
        "on-missing-baseline",
        one_of(*PASS_OR_FAIL),
        "pass",
        "Let a point pass or fail that the baseline cannot judge: it is missing there, or was measured on "
        "another testbed. Default: pass.",
        metavar="WORD",
    ),
    Option(
        "order",
        one_of(*ORDERS),
        "paired",
        "Visit the points in this order: paired (neighbours differ in one thing, backends back to back), "
        "block (one backend after the other) or random. Default: paired.",
        metavar="ORDER",
    ),
    Option(
        "order-seed",
        whole(0, 2**32 - 1),
        None,
        "Repeat the random order that this number gave. Default: a new one, printed and recorded.",
        metavar="NUMBER",
        in_inventory=False,
    ),
    Option(
        "on-locked",
        one_of(*FAIL_OR_WAIT),
        "fail",
        "Fail, or wait for its end, when another session holds the testbed; who that is is told either way. "
        "Default: fail.",
        metavar="WORD",
    ),
    Option(
        "json",
        parse_path,
        None,
        "Write every run and every verdict to this file as JSON. Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "plan",
        parse_flag,
        "false",
        "Print every point in its order, what is changed on the way, runs and times, and end: nothing is touched. "
        "Default: no.",
        in_inventory=False,
    ),
    Option(
        "markdown",
        parse_path,
        None,
        "Write the verdicts and the table to this file as Markdown; on GitHub they also go to the step's summary. "
        "Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "html",
        parse_path,
        None,
        "Write a page with pictures of the session to this file, which opens offline. Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "csv",
        parse_path,
        None,
        "Write a table with a row for each run to this file as CSV. Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "parquet",
        parse_path,
        None,
        "Write the same table to this file as Parquet, which needs pyarrow. Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "openmetrics",
        parse_path,
        None,
        "Write the figures of each point to this file as OpenMetrics text. Default: none.",
        metavar="FILE",
        in_inventory=False,
    ),
    Option(
        "artifacts",
        one_of("never", "on-failure", "always"),
        "never",
        "Keep wrk's output, the evidence, the commands and the log of points (never, on-failure, always). "
        "Default: never.",
        metavar="WHEN",
        in_inventory=False,
    ),
    Option(
        "keep",
        parse_flag,
        "false",
        "Leave the embedded lab up after the session, for kubelb lab ssh and the next session. Default: no.",
        in_inventory=False,
    ),
    Option(
        "lab-kernel",
        one_of(*LAB_KERNELS),
        "auto",
        "Run the embedded lab's load balancer on this kernel: host, uml (User Mode Linux), qemu (several CPUs and "
        "queues) or auto (host where it has IPVS, else uml). Default: auto.",
        metavar="KERNEL",
    ),
)
BY_KEY = {option.key: option for option in OPTIONS}
