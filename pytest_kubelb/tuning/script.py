"""The script that writes settings to a host. Pure: touches nothing.

As root, files are written by the shell itself, without a process for each. Otherwise each goes through
`sudo -n tee FILE`, so that a sudoers file can list exactly the files. What is refused is said, with the kernel's
reason, and the rest goes on.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.base import root_line
from pytest_kubelb.tuning import ethtool, irqbalance, places
from pytest_kubelb.tuning.plan import is_structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.tuning.irqbalance import Irqbalance
    from pytest_kubelb.tuning.reading import Reading

# dash says "I/O error" whatever the kernel's reason is; tee, which is asked only then, says the reason.
_FUNCTIONS: Final = """\
f() { echo "@@failed $1"; echo "$2"; }
w() {
  if [ -z "$s" ] && { printf '%s\\n' "$2" >"$3"; } 2>/dev/null; then return; fi
  e=$(printf '%s\\n' "$2" | $s tee "$3" 2>&1 >/dev/null) || f "$1" "$e"
}
x() { n=$1; shift; e=$("$@" 2>&1 </dev/null) || f "$n" "$e"; }
k() {
  [ -z "$s" ] || { $s pkill -x irqbalance; return; }
  for p in $(grep -lsx irqbalance /proc/[0-9]*/comm || :); do p=${p%/comm}; kill "${p#/proc/}"; done
}
b() {
  n=0
  while [ "$n" -lt 40 ]; do
    r=stopped
    for p in $(grep -lsx irqbalance /proc/[0-9]*/comm || :); do
      c=$(tr -d '\\0' <"${p%/comm}/cmdline") 2>/dev/null || continue
      [ -z "$c" ] || r=running
    done
    [ "$r" != "$1" ] || return 0
    n=$((n + 1)); sleep 0.05
  done
}"""

_ORDER: Final = (
    "irqbalance", "channels", "rings", "coalesce", "irq", "rps_sock_flow_entries", "rps_flow_cnt", "rps_cpus",
    "xps_cpus", "governor", "turbo", "sysctl", "conntrack_hashsize", "conntrack_max",
)  # fmt: skip
"""irqbalance is stopped before what it would move, and started after it."""


def ordered(settings: Sequence[str], *, undo: bool = False) -> list[str]:
    """Give names in the order of writing; `undo` reverses it.

    But what makes queues anew comes first then as well: the queues that had the rest have to be there again.
    """
    ranked = sorted(settings, key=lambda name: _ORDER.index(name.partition(" ")[0]), reverse=undo)
    if not undo:
        return ranked
    structure = [name for name in ranked if is_structure(name)]
    return structure[::-1] + [name for name in ranked if not is_structure(name)]


def write_lines(
    changes: Mapping[str, str], now: Reading, before: Irqbalance, *, undo: bool = False
) -> list[str]:
    """Give the lines that make `changes`, setting -> value, on a host that is as `now` says.

    `before` is how irqbalance ran when it was found. A refusal is a section `@@failed NUMBER`, the number counting in
    the order of `names_of`.
    """
    lines = [_FUNCTIONS]
    for number, names in enumerate(names_of(changes, undo=undo)):
        family, *rest = names[0].split(" ")
        if family in ethtool.SET:
            nic = rest[0]
            words = [word for name in names for word in (name.split(" ")[2], changes[name])]
            lines.append(f"x {number} {root_line('ethtool', ethtool.SET[family], nic, *words)}")
        elif family == places.IRQBALANCE:
            lines += _daemon_lines(number, changes[names[0]], now.irqbalance, before)
        else:
            file = now.file_of(names[0]) or ""
            value = places.written(names[0], changes[names[0]], no_turbo=now.no_turbo)
            lines.append(f"w {number} {shlex.quote(value)} {shlex.quote(file)}")
    return lines


def names_of(changes: Mapping[str, str], *, undo: bool = False) -> list[tuple[str, ...]]:
    """Give the settings in the order of writing; those that one ethtool command sets are together."""
    groups: dict[str, list[str]] = {}
    for name in ordered(list(changes), undo=undo):
        words = name.split(" ")
        groups.setdefault(" ".join(words[:2]) if words[0] in ethtool.SET else name, []).append(name)
    return [tuple(group) for group in groups.values()]


def _daemon_lines(number: int, wanted: str, now: Irqbalance, before: Irqbalance) -> list[str]:
    if wanted == irqbalance.STOPPED:
        return [f"x {number} {irqbalance.stop_command(now)}", "b stopped"]
    ran = before if before.argv or before.by_systemd else now
    command, to_the_background = irqbalance.start_command(ran)
    if to_the_background:
        return [f"( cd / && exec {command} </dev/null >/dev/null 2>&1 ) &", "b running"]
    return [f"x {number} {command}", "b running"]


def refusals(
    answer: Mapping[str, list[str]], changes: Mapping[str, str], *, undo: bool = False
) -> dict[str, str]:
    """Give setting -> the host's reason, for what it refused, out of the sections that the script printed."""
    groups = names_of(changes, undo=undo)
    numbers = {str(number) for number in range(len(groups))}
    found: dict[str, str] = {}
    for section, said in answer.items():
        word, _, number = section.partition(" ")
        if word == "failed" and number in numbers:
            reason = "; ".join(line.removeprefix("tee: ") for line in said if line.strip())[:300]
            found.update(dict.fromkeys(groups[int(number)], reason or "without a reason"))
    return found
