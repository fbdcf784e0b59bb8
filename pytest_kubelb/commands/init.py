"""`kubelb init`: write an inventory with what the cluster and the hosts know. Touches the file, asks the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    import argparse

    from pytest_kubelb.preflight.draft import Draft, Places
    from pytest_kubelb.preflight.survey import ClusterSurvey, HostSurvey

OVERVIEW: Final = """\
Write a commented inventory: nodes, addresses, flannel's backend, the ranges of pods and Services and the hosts' NICs
are asked for; what nobody tells stays a comment that says so. Exit code: 0 written, 1 the cluster does not answer, 4 a
mistake in what was given."""
NAMESPACE: Final = "kubelb"


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb init`."""
    parser = groups.add_parser(
        "init", help="write an inventory from what the testbed says", description=OVERVIEW
    )
    parser.add_argument(
        "file", metavar="FILE", help="What to write, kubelb.toml beside the benches as a rule."
    )
    parser.add_argument(
        "--ssh-config",
        metavar="FILE",
        help="How the hosts are reached. Default: ssh_config beside FILE, or ~/.ssh/config.",
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="The cluster. Default: KUBECONFIG, or ~/.kube/config."
    )
    parser.add_argument("--context", metavar="NAME", help="Of the kubeconfig. Default: its current one.")
    parser.add_argument(
        "--load-balancer", metavar="HOST", help="Ask this host, and make it the load balancer."
    )
    parser.add_argument("--benchmarker", metavar="HOST", help="Ask this host, and make it the benchmarker.")
    parser.add_argument("--force", action="store_true", help="Replace FILE if it is there.")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    file = Path(arguments.file).absolute()
    _check_place(file, force=arguments.force)
    kubeconfig = _existing(
        arguments.kubeconfig,
        "--kubeconfig",
        [*os.environ.get("KUBECONFIG", "").split(os.pathsep)[:1], "~/.kube/config"],
    )
    ssh_config = _existing(
        arguments.ssh_config, "--ssh-config", [file.parent / "ssh_config", "~/.ssh/config"]
    )
    draft = _ask(arguments, file, kubeconfig, ssh_config)
    _write(file, draft.text, force=arguments.force)
    _tell(file, draft)
    return 0


def _check_place(file: Path, *, force: bool) -> None:
    if not file.parent.is_dir():
        raise ConfigError(
            f"kubelb init: the folder '{file.parent}' is not there: make it, or name a file elsewhere."
        )
    if file.is_dir():
        raise ConfigError(f"kubelb init: '{file}' is a folder: name a file in it, such as kubelb.toml.")
    if os.path.lexists(file) and not force:
        raise ConfigError(
            f"kubelb init: '{file}' is there already: name another file, or replace it with --force."
        )


def _existing(given: str | None, option: str, others: list[str | Path]) -> Path:
    candidates = [given] if given is not None else [each for each in others if str(each)]
    from pytest_kubelb.record.sources import path_of

    for each in candidates:
        path = path_of(str(each))
        if path.is_file():
            return path.absolute()
    looked = " nor ".join(f"'{each}'" for each in candidates)
    raise ConfigError(f"kubelb init: neither {looked} is a file: name one with {option} FILE." if given is None
                      else f"kubelb init: {option} is {looked}, which is no file: name an existing one.")  # fmt: skip


def _ask(arguments: argparse.Namespace, file: Path, kubeconfig: Path, ssh_config: Path) -> Draft:
    from concurrent.futures import ThreadPoolExecutor

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.preflight import draft, survey
    from pytest_kubelb.testbed.hosts import Hosts

    names = [name for name in (arguments.load_balancer, arguments.benchmarker) if name is not None]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"kubelb init: '{names[0]}' cannot be load balancer and benchmarker: name a host of its own for each."
        )
    with (
        Hosts(ssh_config, names) as hosts,
        Api(kubeconfig, arguments.context, on_event=lambda _: None, retry_for_s=1.0) as api,
        ThreadPoolExecutor(3, thread_name_prefix="kubelb-init") as pool,
    ):
        asked = {name: pool.submit(survey.of_host, hosts[name]) for name in names}
        told: ClusterSurvey = pool.submit(survey.of_cluster, api, NAMESPACE).result()
        answers: dict[str, HostSurvey] = {name: answer.result() for name, answer in asked.items()}
    return draft.write(
        _places(file, kubeconfig, ssh_config, arguments.context),
        told,
        answers.get(arguments.load_balancer),
        answers.get(arguments.benchmarker),
    )


def _places(file: Path, kubeconfig: Path, ssh_config: Path, context: str | None) -> Places:
    from pytest_kubelb.preflight.draft import Places
    from pytest_kubelb.testbed.ssh import read_ssh_config

    parsed = read_ssh_config(ssh_config).base_ssh_config
    aliases: dict[str, str] = {}
    for name in sorted(parsed.get_hostnames()):
        if not set(name) & set("*?!"):
            aliases[parsed.lookup(name)["hostname"]] = name
            aliases[name] = name
    chosen = context or _current_context(kubeconfig)
    return Places(
        name=chosen or kubeconfig.stem,
        ssh_config=_relative(ssh_config, file.parent),
        kubeconfig=_relative(kubeconfig, file.parent),
        context=chosen,
        aliases=aliases,
    )


def _current_context(kubeconfig: Path) -> str | None:
    import yaml

    # The client has read it already: it is YAML, and a mapping.
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    return content.get("current-context") or None if isinstance(content, dict) else None


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _write(file: Path, text: str, *, force: bool) -> None:
    from pytest_kubelb.report.whole_file import whole

    # Looked at again: asking took seconds.
    _check_place(file, force=force)
    with whole(file, "The inventory") as opened:
        opened.write(text.encode())


def _tell(file: Path, draft: Draft) -> None:
    say(f"wrote {file}")
    for each in draft.missing:
        say(f"  to fill in: {each}")
    say(f"check it with: kubelb doctor --inventory {file}")
