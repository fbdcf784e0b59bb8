"""The one table of options: name, parser, default, help. Touches nothing.

The command line (`--kubelb-pods`), the ini key (`kubelb_pods`), the environment (`KUBELB_PODS`), the
inventory's `[defaults]` and the generated reference all read this table, so that a rule or a help text is
written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_kubelb.option_values import (
    FAIL_OR_WAIT,
    LAB_KERNELS,
    ON_OR_OFF,
    ORDERS,
    PASS_OR_FAIL,
    one_of,
    parse_backends,
    parse_connections,
    parse_drop,
    parse_duration,
    parse_flag,
    parse_overlays,
    parse_path,
    parse_pods,
    parse_tolerance,
    parse_tunings,
    parse_warmup,
    plain_words,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable


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
    bare: str | None = None
    """The value when the command line names the option without one; None where it needs one."""
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
        "preflight",
        one_of(*ON_OR_OFF),
        "on",
        "Check the testbed as kubelb doctor does before anything is touched, and end when a check fails (on), or "
        "measure all the same (off). Default: on.",
        metavar="WORD",
    ),
    Option(
        "resume",
        plain_words,
        None,
        "Go on with this session where it stopped: an id (20261123T072210Z-3f9c), the start of one, a tag; latest, "
        "or no value, is the newest that has something left). Points that were finished are kept from its record, one "
        "that was cut off is measured anew; how runs are made has to be as it was. Default: a new session.",
        metavar="SESSION",
        bare="latest",
        in_inventory=False,
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
