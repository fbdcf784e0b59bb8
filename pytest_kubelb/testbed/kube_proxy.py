"""How kube-proxy programs a host: iptables, nftables or ipvs. Asks the host it is given, reading.

Its rules say what is really there, so its own word, on the port of its metrics, is asked for last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.base import run_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_kubelb.backends.base import Remote

MODES: Final = ("iptables", "nftables", "ipvs")

MODULES: Final = "^(ip_vs|iptable_nat|nf_tables)"
"""Regular expression for the lines of /proc/modules that `MODE_LINES` need in `m`."""

# iptables-save and nft would load what they look at: asked only of what is loaded, or of a kernel without modules.
MODE_LINES: Final = (
    "f= old= new=",
    "[ ! -d /sys/class/net/kube-ipvs0 ] || { f=1; echo ipvs; }",
    "[ -e /proc/modules ] || old=1 new=1",
    r"case $m in *iptable_nat\ *) old=1 ;; esac",
    r"case $m in *nf_tables\ *) new=1 ;; esac",
    'names="${new:+iptables-save iptables-nft-save} ${old:+iptables-legacy-save}"',
    '[ -z "$old" ] || command -v iptables-legacy-save >/dev/null || names=iptables-save',
    "for n in $names; do",
    '  command -v "$n" >/dev/null || continue',
    '  r=$($s "$n" -c -t nat 2>/dev/null </dev/null) || :',
    "  case $r in *'kubelb ipvs'*) echo 'kubelb ipvs' ;; esac",
    r'  case $r in *:KUBE-SERVICES\ *) [ -n "$f" ] || echo iptables; f=1; break ;; esac',
    "done",
    'if [ -z "$f" ] && [ -n "$new" ]; then',
    "  case $($s nft list tables 2>/dev/null </dev/null) in *'ip kube-proxy'*) f=1; echo nftables ;; esac",
    "fi",
    '[ -n "$f" ] ||'
    " curl -s --noproxy '*' --max-time 1 http://127.0.0.1:10249/proxyMode 2>/dev/null </dev/null || :",
    "echo",
)
"""Script lines that print one of `MODES`, or nothing that is; they need `m`, and `s` for what needs root."""


def parse(lines: Iterable[str]) -> str:
    """Give the mode out of what `MODE_LINES` printed; empty without a trace of kube-proxy."""
    return next((line for line in lines if line in MODES), "")


def mode(host: Remote) -> str:
    """Ask a host for kube-proxy's mode, one round trip; empty where there is no trace of it. Raises TestbedError."""
    path = "PATH=$PATH:/usr/sbin:/sbin"
    modules = f"m=$(grep -hsE '{MODULES}' /proc/modules) || :"
    return parse(run_script(host, [path, modules, *MODE_LINES]).splitlines())
