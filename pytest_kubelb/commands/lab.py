"""`kubelb lab install|up|status|ssh|down`: the embedded testbed by hand. Touches the lab and its state folder."""

import argparse
import os
import shlex
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.option_values import LAB_KERNELS

if TYPE_CHECKING:
    from pytest_kubelb.lab.launch import Lab


def add(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `kubelb lab` and its verbs."""
    lab = groups.add_parser("lab", help="the embedded testbed on this machine")
    verbs = lab.add_subparsers(required=True, metavar="VERB")

    install = verbs.add_parser("install", help="install the Debian packages the lab needs, after naming them")
    _add_kernel(install)
    install.set_defaults(run=_install)
    up = verbs.add_parser("up", help="start a lab that stays until `kubelb lab down`")
    _add_kernel(up)
    up.set_defaults(run=_up)
    verbs.add_parser("status", help="say whether a lab is up, and how to reach it").set_defaults(run=_status)
    ssh = verbs.add_parser("ssh", help="open a shell, or run a command, on a host of the lab")
    ssh.add_argument("host", help="k04 … k12")
    ssh.add_argument("command", nargs=argparse.REMAINDER, help="what to run there; a shell when absent")
    ssh.set_defaults(run=_ssh)
    verbs.add_parser("down", help="end the lab and everything in it").set_defaults(run=_down)


def _add_kernel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kernel",
        choices=LAB_KERNELS,
        default="auto",
        help="what the load balancer runs on; qemu has several CPUs and queues, and is asked for by name",
    )


def _install(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.lab.install import install

    install(print, arguments.kernel)


def _up(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.lab import launch

    lab = launch.start(launch.BY_HAND, arguments.kernel, tied=False)
    print(f"the lab is up after {lab.facts.boot_s:.1f} s; load balancer on kernel: {lab.facts.kernel_told}")
    _show(lab)


def _status(_: argparse.Namespace) -> int:
    from pytest_kubelb.lab import launch

    lab = launch.find()
    if lab is None:
        _show_none()
        return 1
    print(f"a lab is up (process {lab.facts.pid}); load balancer on kernel: {lab.facts.kernel_told}")
    _show(lab)
    return 0


def _show_none() -> None:
    from pytest_kubelb.lab import requirements

    try:
        requirements.check(requirements.choose_kernel("auto"))
    except TestbedError as error:
        print(f"no lab is up, and none can be started: {error}")
    else:
        print("no lab is up; `kubelb lab up` starts one")


def _show(lab: "Lab") -> None:
    from pytest_kubelb.lab import rootless
    from pytest_kubelb.lab.real_control_plane.components import describe

    print(f"  inventory   {lab.inventory}")
    print(f"  ssh         ssh -F {lab.ssh_config} k12")
    print(f"  kubeconfig  {lab.kubeconfig}")
    first, *further = describe(lab.folder)
    print(f"  control plane  {first}")
    for line in further:
        print(f"                 {line}")
    if lab.facts.rootless:
        print("it is an ordinary user's lab, in a user namespace:")
        for limit in rootless.LIMITS:
            print(f"  {limit}")


def _ssh(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.lab import launch
    from pytest_kubelb.lab.topology import NODES

    lab = launch.find()
    if lab is None:
        raise TestbedError("no lab is up; `kubelb lab up` starts one")
    hosts = [node.name for node in NODES]
    if arguments.host not in hosts:
        raise TestbedError(f"the lab has no host {arguments.host!r}; choose from {', '.join(hosts)}")
    # "--", or ssh would read options of the command as its own.
    command = ["ssh", "-F", str(lab.ssh_config), "--", arguments.host, *_quoted(arguments.command)]
    os.execvp("ssh", command)  # noqa: S606 - an argument list, without a shell on this side


def _quoted(words: list[str]) -> list[str]:
    # ssh joins its words with blanks and leaves them to the remote shell.
    words = words[1:] if words[:1] == ["--"] else words
    return words if len(words) < 2 else [shlex.join(words)]


def _down(_: argparse.Namespace) -> None:
    from pytest_kubelb.lab import launch, state

    lab = launch.find()
    if lab is None:
        state.remove_dead()
        print("no lab is up")
        return
    launch.stop(lab)
    print("the lab is down")
