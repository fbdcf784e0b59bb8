"""What each host is asked, in POSIX sh: one round trip that changes nothing and loads no kernel module. Pure text.

What is printed is read by `preflight.answer`: a line `%% NAME` begins each part. Tools are looked for on the PATH that
a session's commands have; only what is asked beyond that finds the folders of root's tools by itself.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.ipvs_host import sysctls_for
from pytest_kubelb.preflight.privileges import commands, condition
from pytest_kubelb.testbed import journal, kube_proxy
from pytest_kubelb.tuning.places import sysctl_file

if TYPE_CHECKING:
    from pytest_kubelb.preflight.wanted import Wanted

NOT_RUN: Final = "not run here"
"""Said of a command that this host has no use for."""
LOAD_BALANCER_TOOLS: Final = ("awk", "flock", "ip", "sysctl", "ipvsadm", "iptables")
BENCHMARKER_TOOLS: Final = ("awk", "flock", "wrk", "curl", "ip", "timeout", "mktemp")

_COMMON: Final = (
    "date +%s.%N; read -r u c </proc/uptime; echo $u",
    "LC_ALL=C; export LC_ALL",
    "s=; [ -w /proc/sys/net/ipv4/ip_forward ] || s='sudo -n'",
    "x=$PATH:/usr/local/sbin:/usr/sbin:/sbin",
    "echo '%% root'; echo \"${s:-root}\"",
    "tools() {",
    "  echo '%% tools'",
    '  for n in "$@"; do',
    '    if command -v "$n" >/dev/null; then echo "$n here"',
    '    elif p=$(PATH=$x; command -v "$n"); then echo "$n elsewhere $p"',
    '    else echo "$n absent"; fi',
    "  done",
    "}",
    # -ll has newer versions of sudo (not 1.9.13 yet) say what the rule that matches asks for.
    'may() { echo "%% may $1"; shift; $s -ll -- "$@" 2>&1; echo "exit $?"; }',
)
# How long the rest took by the host's own clock: what is left of the round trip is all that the clocks cannot be told
# apart by.
_END: Final = ("echo '%% end'; read -r u c </proc/uptime; echo $u", "exit 0")
# In a guest each process costs tens of milliseconds: files are read by the shell, and those that may be long by one
# grep. -n only tells what modprobe would do.
_IPVS: Final = (
    "echo '%% ipvs'; [ ! -r /proc/net/ip_vs ] || while read -r l; do echo \"$l\"; done </proc/net/ip_vs",
    "if [ ! -e /proc/net/ip_vs ] && modprobe -n -q ip_vs 2>/dev/null; then echo '%% loadable'; echo ip_vs; fi",
)
_KUBE_PROXY: Final = (
    "echo '%% kernel'",
    f"m=$(grep -hsE ' 0A |{kube_proxy.MODULES}' /proc/net/tcp /proc/net/tcp6 /proc/modules)",
    'echo "$m"',
    "echo '%% proxy_mode'",
    *kube_proxy.MODE_LINES,
)


def question(wanted: Wanted, host: str) -> str:
    """Give the script for `host`."""
    roles = wanted.inventory.roles
    lines = [*_COMMON, journal.NAMESPACE_LINE, "echo '%% journals'", *journal.LIST_LINES[1:]]
    if host == roles.load_balancer:
        lines += _load_balancer(wanted)
    if host == roles.benchmarker:
        lines += _benchmarker(wanted)
    if host in wanted.used and host not in (roles.load_balancer, roles.benchmarker):
        lines.append("tools awk flock")
    asked = commands(wanted, host)
    if asked:
        lines.append('if [ -n "$s" ]; then')
        lines.append("echo '%% sudo'; $s -l 2>&1")
        for number, argv in enumerate(asked):
            needed, ask = condition(argv), f"may {number} {shlex.join(argv)}"
            skip = f"echo '%% may {number}'; echo '{NOT_RUN}'"
            lines.append(f"if {needed}; then {ask}; else {skip}; fi" if needed else ask)
        lines.append("fi")
    return "\n".join([*lines, *_END])


def _load_balancer(wanted: Wanted) -> list[str]:
    ours = wanted.ipvs is not None and not wanted.ipvs.external
    tools = LOAD_BALANCER_TOOLS if ours else ("awk", "flock", "ip")
    lines = [f"tools {shlex.join(tools)}", "PATH=$x"]
    lines.append("echo '%% network'; ip -4 -o -batch - <<'E'\naddress show\nroute show\nE")
    lines.append("echo '%% sysctls'")
    names = sysctls_for((6, 0)) if wanted.ipvs is not None else ("net.ipv4.ip_forward",)
    # The groups keep a shell from saying by itself that there is no such file.
    lines += [
        f"v=absent; {{ read -r v <{sysctl_file(name)}; }} 2>/dev/null; echo {name} $v" for name in names
    ]
    if wanted.ipvs is not None:
        lines += _IPVS
    return [*lines, *_KUBE_PROXY]


def _benchmarker(wanted: Wanted) -> list[str]:
    lines = [f"tools {shlex.join(BENCHMARKER_TOOLS)}"]
    lines.append("echo '%% wrk'; wrk -v 2>&1 | head -n 1")
    lines.append(
        "echo '%% limits'; ulimit -n; cat /proc/sys/net/ipv4/ip_local_port_range; [ -w /tmp ] && echo writable"
    )
    lines.append("PATH=$x")
    if wanted.ipvs is not None:
        lines.append(f"echo '%% way_to_vip'; ip -json -4 route get {wanted.ipvs.vip} 2>&1")
        lines.append("echo '%% ping'; command -v ping >/dev/null && echo can")
        lines.append(f"ping -n -q -c 1 -W 1 {wanted.ipvs.vip} >/dev/null 2>&1 && echo answered")
    if wanted.proxy is not None:
        lines.append(f"echo '%% way_to_via'; ip -json -4 route get {wanted.proxy.via} 2>&1")
    if wanted.proxy is not None and wanted.proxy.cluster_ip is not None:
        lines.append(f"echo '%% way_to_cluster_ip'; ip -4 route show exact {wanted.proxy.cluster_ip}/32 2>&1")
    return lines
