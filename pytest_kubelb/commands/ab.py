"""`kubelb ab`: two sides measured run by run in turn in one session. Touches the testbed, and the root's `.kubelb/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

OVERVIEW: Final = """\
Measure A and B in turn (AB BA AB BA ...) in one session, and judge B against A: the gate for machines that drift
between jobs. Exit code: 0 B is not slower, 1 B is slower by more than --max-drop (or the testbed was lost), 2
inconclusive, 4 a mistake in what was given."""
SIDE: Final = (
    "what side {} is, KEY=VALUE, may be repeated: backend=ipvs, backends.ipvs.scheduler=lc, "
    "workload.image=nginx:1.27, inventory=FILE"
)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb ab`."""
    parser = groups.add_parser("ab", help="compare two sides run by run in one session", description=OVERVIEW)
    for side in ("a", "b"):
        parser.add_argument(
            f"--{side}", required=True, action="append", metavar="KEY=VALUE", help=SIDE.format(side.upper())
        )
    for name, metavar, text in (
        ("pods", "NUMBER", "pods behind the load balancer (default: 4)"),
        ("overlay", "NAME", "pod network: vxlan or host-gw (default: vxlan)"),
        ("backend", "NAME", "the backend of a side that does not name one"),
        ("runs", "NUMBER", "pairs of runs (default: 10, in the embedded lab 5)"),
        ("duration", "TIME", "length of each run, as 10s or 1m (default: 60s, in the embedded lab 1s)"),
        (
            "connections",
            "NUMBER",
            "connections, or auto:N for a multiple of the pods (default: 800, lab auto:80)",
        ),
        ("threads", "NUMBER", "threads of wrk (default: 40, lab 1)"),
        ("warmup", "NUMBER", "runs of each side before the pairs (default: 1)"),
        ("max-drop", "SHARE", "how much slower B may be (default: 5%%)"),
        ("inventory", "FILE", "the testbed (default: kubelb.toml in the root, else the embedded lab)"),
        ("preflight", "WORD", "check the testbed first: on or off (default: on)"),
        ("lab-kernel", "KERNEL", "what the lab's load balancer runs on: host, uml or auto (default: auto)"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument(
        "--keep", action="store_const", const="true", help="leave the embedded lab up after the session"
    )
    parser.add_argument("--root", default=".", metavar="FOLDER", help="where .kubelb is (default: here)")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="of what is printed")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.ab import request, session

    return session.compare(request.request(arguments), as_json=arguments.format == "json")
