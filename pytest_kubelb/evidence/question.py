"""The question that every host is asked around a run, in POSIX sh. Text only; touches nothing.

`COMMAND` starts a shell and an awk that stay, `DEFINITIONS` is read once by that shell, and `ask_line` is the question
itself. It costs no process, but for one or two on the load balancer, for the tables that no file shows, and one on a
worker that has kube-proxy's rules. What it prints is read by `evidence.reading`: lines `%% name words` begin a part,
and in the part `files` each line has its file before it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from pytest_kubelb.tuning.places import sysctl_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FILES: Final = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/stat",
    "/proc/softirqs",
    "/proc/interrupts",
    "/proc/net/dev",
    "/proc/net/softnet_stat",
    "/proc/net/snmp",
    "/proc/net/netstat",
    "/proc/net/sockstat",
    "/proc/net/route",
    "/proc/net/stat/nf_conntrack",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/netfilter/nf_conntrack_buckets",
    "/proc/net/ip_vs",
    "/proc/net/ip_vs_stats_percpu",
    "/proc/sys/net/core/rps_sock_flow_entries",
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/sys/net/ipv4/tcp_max_tw_buckets",
    "/proc/sys/fs/file-nr",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/cpu/cpufreq/boost",
)
# Expanded by every question, since NICs, queues and CPUs come and go; but those that match nothing are looked at again
# only when the clock is asked for.
_PATTERNS: Final = (
    "/proc/irq/[0-9]*/smp_affinity_list",
    "/sys/class/net/*/queues/rx-*/rps_cpus",
    "/sys/class/net/*/queues/rx-*/rps_flow_cnt",
    "/sys/class/net/*/queues/tx-*/xps_cpus",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count",
)

# awk reads the files, for as long as the shell is open: a process for each question would cost more than all that it
# reads. What the shell says to its standard output goes through awk: a line that begins with ASCII's group separator
# names a file, and before any other line it prints what it has read. To descriptor 3 the shell says the rest, which is
# there at once. mawk reads a pipe line by line only when it is told to; then each of its prints is a write.
_READER: Final = r"""
/^\035/ {
  file = substr($0, 2)
  while ((getline line < file) > 0) {
    text = text file ":" line "\n"
    if (length(text) > 16000) { printf "%s", text; text = "" }
  }
  close(file)
  next
}
{ printf "%s%s\n", text, $0; text = ""; fflush() }
"""
_START: Final = f"""
exec 3>&1 2>/dev/null
LC_ALL=C; export LC_ALL
i=; case $(awk -W version </dev/null) in mawk*) i='-W interactive' ;; esac
sh | awk $i {shlex.quote(_READER)}
"""
COMMAND: Final = f"exec sh -c {shlex.quote(_START)}"
# kube-proxy writes its chains with either kind of iptables. Which one is found out once, by the chain that all have;
# a table that is not loaded is not asked for, because that would load it. A rule set of thousands of services is
# filtered on the host; for a small one the filter would cost more than it saves.
# A worker's rules are for connections that should have gone through the load balancer: whether it has any is found out
# once, since looking for them costs more than all the rest.
DEFINITIONS: Final = rf"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C; export PATH LC_ALL
s=; [ -w /proc/sys/net/ipv4/ip_forward ] || s='sudo -n --'
l=$(ulimit -n) b=absent; command -v irqbalance >/dev/null && b=stopped
t= n= f= m= w=
kubelb_patterns() {{
  m=
  for c in {shlex.join(_PATTERNS)}; do
    set -- $c
    [ ! -e "$1" ] || m="$m $c"
  done
}}
kubelb_irqbalance() {{
  i=$b
  for p in /run/irqbalance/irqbalance*.sock /run/irqbalance.pid; do
    [ -e "$p" ] || continue
    case $p in
      *.pid) read -r p <"$p" ;;
      *) p=${{p##*/irqbalance}} p=${{p%.sock}} ;;
    esac
    c=; [ -r "/proc/$p/comm" ] && read -r c <"/proc/$p/comm"
    [ "$c" != irqbalance ] || i=running
  done
}}
kubelb_rules() {{
  for c in iptables-save iptables-legacy-save iptables-nft-save; do
    [ "$c" != iptables-legacy-save ] || [ -e /proc/net/ip_tables_names ] || continue
    command -v $c >/dev/null || continue
    r=$($s $c -c -t nat 2>/dev/null </dev/null)
    case $r in *:KUBE-SERVICES*) t=$c; [ ${{#r}} -lt 200000 ] || f=1; break ;; esac
  done
  if [ -z "$t" ] && command -v nft >/dev/null; then
    case $($s nft list tables 2>/dev/null </dev/null) in *'ip kube-proxy'*) n=1 ;; esac
  fi
}}
kubelb_ipvs() {{
  [ ! -e /proc/net/ip_vs ] || {{ echo '%% ipvs'; $s ipvsadm -Ln --stats --exact 2>&1 </dev/null; }}
}}
kubelb_kube_proxy() {{
  [ -n "$t" ] || kubelb_rules
  kubelb_counted
}}
kubelb_worker() {{
  [ -n "$w" ] || {{ kubelb_rules; w=1; }}
  [ -z "$t" ] || kubelb_counted
}}
kubelb_counted() {{
  if [ -n "$f" ]; then
    echo '%% iptables'
    $s $t -c -t nat 2>&1 </dev/null |
      grep -E '^\[[1-9][0-9]*:.* -A KUBE-(SERVICES .*-d|NODEPORTS|SEP-.*DNAT)|^:KUBE-SERVICES |^[^:#*[]'
  elif [ -n "$t" ]; then
    echo '%% iptables'; $s $t -c -t nat 2>&1 </dev/null
  elif [ -n "$n" ]; then
    echo '%% nftables'
  fi
}}
kubelb_before_files() {{
  read -r u c </proc/uptime
  printf '%%%% now %s\n' "$u"
  if [ -n "$1" ]; then
    echo '%% clock'; date +%s.%N
    read -r u c </proc/uptime
    echo "$u"
    kubelb_patterns
  fi
  kubelb_irqbalance
  printf '%%%% shell %s %s\n' "$i" "$l"
  for c in $2; do "kubelb_$c"; done
  [ -z "$3" ] || {{ echo '%% route'; ip route get "$3" 2>&1 </dev/null; }}
  echo '%% files'
}}
kubelb_question() {{
  kubelb_before_files "$@" >&3
  shift 3
  printf '\035%s\n' {" ".join(_FILES)} $m "$@"
}}
"""


TABLES: Final = ("ipvs", "kube_proxy")
"""What a load balancer counts in no file: the tables of ipvs, and those of kube-proxy."""


def tables_line(tables: Iterable[str]) -> str:
    """Give the line that asks for some of `TABLES` alone."""
    return f"{{ {'; '.join(f'kubelb_{name}' for name in tables)}; }} >&3"


def ask_line(
    *,
    clock: bool = False,
    tables: Sequence[str] = (),
    worker: bool = False,
    target: str = "",
    sysctls: Sequence[str] = (),
) -> str:
    """Give the line that asks.

    `clock` wants the wall clock as well (one process), `tables` some of `TABLES` (one process each), `worker`
    kube-proxy's where there are any, `target` (an address) the route to it, `sysctls` (`net.core.netdev_budget`) their
    values.
    """
    asked = ("worker",) if worker else tables
    words = ["1" if clock else "", " ".join(asked), target, *map(sysctl_file, sysctls)]
    return f"kubelb_question {shlex.join(words)}"
