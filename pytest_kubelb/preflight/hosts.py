"""Judge what every host answered: SSH, clock, root, tools, leftovers of earlier sessions. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from pytest_kubelb.preflight.check import Check, fail, ok, split_sentence, warning
from pytest_kubelb.preflight.privileges import commands
from pytest_kubelb.preflight.question import NOT_RUN
from pytest_kubelb.testbed import journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.wanted import Wanted

MOST_SKEW_S: Final = 1.0
AS_ROOT: Final = frozenset({"ipvsadm", "iptables", "iptables-save", "sysctl"})
PACKAGES: Final = {
    "awk": "mawk", "flock": "util-linux", "ip": "iproute2", "mktemp": "coreutils", "sysctl": "procps",
    "timeout": "coreutils",
}  # fmt: skip
"""Debian's names of the packages that are not called as the tool is."""


def judge(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    """Give the checks that every host has."""
    host = answer.host
    if answer.problem:
        found, remedy = split_sentence(answer.problem, host)
        if host in wanted.used:
            yield fail("ssh", host, found, remedy)
        else:
            yield warning("ssh", host, f"{found}; no session with these settings logs in there", remedy)
        return
    yield ok("ssh", host, f"logged in as {answer.user}, host key known")
    yield _clock(answer)
    yield from _leftovers(answer)
    yield from _root(answer, wanted)
    yield from _tools(answer)


def _clock(answer: HostAnswer) -> Check:
    skew = abs(answer.skew_s)
    if skew <= MOST_SKEW_S:
        return ok("clock", answer.host, f"within {MOST_SKEW_S:g} s of ours")
    side = "ahead of" if answer.skew_s > 0 else "behind"
    found = f"{skew:.1f} s {side} ours, at most {MOST_SKEW_S:g} s is allowed"
    return fail("clock", answer.host, found, "let chrony or systemd-timesyncd set it, there and here")


def _leftovers(answer: HostAnswer) -> Iterator[Check]:
    host = answer.host
    listing = journal.parse_listing(list(answer.lines("journals")))
    for left in listing.journals:
        said = f"{left.kind} of session {left.session} from {left.controller}, begun {left.since}"
        if journal.is_running(left):
            yield fail("leftovers", host, f"{said}, which still runs here", "wait for its end")
        else:
            yield fail("leftovers", host, said, "run `kubelb restore`, unless that session still runs there")
    for folder in listing.foreign:
        yield fail("leftovers", host, f"{folder} of another user", "let that user run `kubelb restore`")
    for problem in listing.broken:
        yield fail("leftovers", host, problem, "see what wrote it, and remove it by hand")
    if not (listing.journals or listing.foreign or listing.broken):
        yield ok("leftovers", host, "none")


def _root(answer: HostAnswer, wanted: Wanted) -> Iterator[Check]:
    """Judge each command that needs root by what sudo says of it."""
    asked = commands(wanted, answer.host)
    if not asked:
        return
    if not answer.needs_sudo:
        yield ok("root", answer.host, "commands run as root without sudo")
        return
    passwords = needs_password(answer.lines("sudo"))
    allowed = unused = 0
    for number, argv in enumerate(asked):
        said = answer.lines(f"may {number}")
        words = shlex.join(argv)
        line = f"{answer.user} ALL=(root) NOPASSWD: {_for_sudoers(argv)}"
        remedy = f"add to /etc/sudoers.d/kubelb there: {line}"
        if said == (NOT_RUN,):
            unused += 1
        elif said[-1:] != ("exit 0",):
            why = "; ".join(said[:-1])[:120] or "not allowed"
            yield fail("sudo", answer.host, f"`sudo -n {words}`: {why}", remedy)
        elif any("!authenticate" in each for each in said) or not passwords:
            allowed += 1
        elif any(each.strip().startswith(("Options:", "RunAsUsers:")) for each in said):
            yield fail("sudo", answer.host, f"`sudo -n {words}` is allowed with a password only", remedy)
        else:
            found = f"`sudo -n {words}` is allowed, and this sudo does not say whether without a password"
            yield warning("sudo", answer.host, found, remedy)
    if allowed:
        count = f"{allowed} of {len(asked) - unused}"
        yield ok("sudo", answer.host, f"{count} commands that need root, without a password")


def needs_password(listing: Iterable[str]) -> bool:
    """Tell whether any rule of `sudo -l` asks for a password; then what a command is allowed by matters."""
    rules = [line.strip() for line in listing if line.startswith("    (")]
    return any("NOPASSWD:" not in rule or " PASSWD:" in rule for rule in rules)


def _for_sudoers(argv: tuple[str, ...]) -> str:
    """Give the command line as sudoers(5) spells it: absolute, with `,` `:` `=` and backslashes escaped."""
    folder = "/usr/bin" if argv[0] in ("tee", "mkdir", "rmdir", "systemctl", "pkill") else "/usr/sbin"
    escaped = (word.translate({ord(each): f"\\{each}" for each in "\\,:= "}) for word in argv[1:])
    return " ".join([f"{folder}/{argv[0]}", *escaped])


def _tools(answer: HostAnswer) -> Iterator[Check]:
    there = []
    for line in answer.lines("tools"):
        name, state, *path = line.split(maxsplit=2)
        package = PACKAGES.get(name, name)
        if state == "absent":
            yield fail(
                "tools", answer.host, f"{name} is not installed", f"install the package {package} there"
            )
        elif state == "elsewhere" and not (name in AS_ROOT - {"sysctl"} and answer.needs_sudo):
            found = f"{path[0]} is not on the PATH of {answer.user}'s commands"
            remedy = "set PATH there for commands over SSH: SetEnv in sshd_config, or pam_env"
            yield fail("tools", answer.host, found, remedy)
        else:
            there.append(name)
    if there:
        yield ok("tools", answer.host, ", ".join(there))
