"""Answers of hosts, as text: a small one, changed by each test where it matters."""

from __future__ import annotations

from pytest_kubelb.evidence.reading import Reading, parse
from pytest_kubelb.testbed.shell import Answer

FILES = {
    "/proc/sys/kernel/random/boot_id": "26f82629-5b10-41be-8722-40c693393d76",
    "/proc/stat": (
        "cpu  200 0 100 900 0 0 50 0 0 0\n"
        "cpu0 100 0 50 450 0 0 25 0 0 0\ncpu1 100 0 50 450 0 0 25 0 0 0\n"
        "intr 1 2 3\nctxt 5000\nbtime 1700000000\nprocesses 700\n"
    ),
    "/proc/softirqs": "          CPU0       CPU1\n  NET_RX:   100     200\n  NET_TX:    10      20\n",
    "/proc/interrupts": (
        "           CPU0       CPU1\n"
        " 81:         10          0   IR-PCI-MSI-edge      eth0-tx-0\n"
        " 82:        100        200   IR-PCI-MSI-edge      eth0-rx-1\n"
        "LOC:       1000       1000   Local timer interrupts\n"
        "ERR:          0\n"
    ),
    "/proc/net/dev": (
        "Inter-|   Receive                |  Transmit\n face |bytes packets\n"
        "    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
        "  eth0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0\n"
        "veth12: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
    ),
    "/proc/net/softnet_stat": (
        "00000010 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000007 00000003\n"
        "00000020 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000\n"
    ),
    "/proc/net/snmp": (
        "Ip: Forwarding DefaultTTL InReceives InDiscards\nIp: 1 64 500 2\n"
        "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn CurrEstab RetransSegs InCsumErrors\nTcp: 1 200 120000 -1 7 30 0\n"
    ),
    "/proc/net/netstat": "TcpExt: SyncookiesSent TCPSynRetrans\nTcpExt: 0 5\n",
    "/proc/net/sockstat": (
        "sockets: used 20\nTCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1\nUDP: inuse 1 mem 0\n"
    ),
    "/proc/net/stat/nf_conntrack": (
        "entries found insert_failed drop early_drop\n0000000a 1 0 2 0\n0000000a 1 0 10 0\n"
    ),
    "/proc/sys/net/netfilter/nf_conntrack_count": "10",
    "/proc/sys/net/netfilter/nf_conntrack_max": "262144",
    "/proc/irq/82/smp_affinity_list": "1-4",
    "/proc/sys/net/core/rps_sock_flow_entries": "32768",
    "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
    "/proc/sys/net/ipv4/tcp_max_tw_buckets": "131072",
    "/sys/class/net/eth0/queues/rx-0/rps_cpus": "00000000,000000fe",
    "/sys/class/net/eth0/queues/rx-0/rps_flow_cnt": "8192",
    "/sys/class/net/veth12/queues/rx-0/rps_cpus": "0",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2100000",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3",
    "/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4",
    "/proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
}
HEAD = (
    "%% now 100.00\n%% clock\n1700000100.250000000\n100.00\n%% shell stopped 1024\n"
    "%% route\n10.254.0.10 via 192.168.0.111 dev eth0\n"
)
TABLES = (
    "%% ipvs\n"
    "IP Virtual Server version 1.2.1 (size=4096)\n"
    "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
    "  -> RemoteAddress:Port\n"
    "TCP  192.168.0.111:8888                  5       50       40     3000     9000\n"
    "  -> 172.16.1.2:80                       3       30       24     1800     5400\n"
    "  -> 172.16.2.2:80                       2       20       16     1200     3600\n"
    "UDP  10.9.9.9:53                         1        1        0       60        0\n"
    "  -> 10.9.9.1:53                         1        1        0       60        0\n"
    "%% iptables\n*nat\n:KUBE-SERVICES - [0:0]\n"
    '[60:3600] -A KUBE-SERVICES -d 10.254.0.10/32 -p tcp -m comment --comment "demo/web cluster IP"'
    " -m tcp --dport 80 -j KUBE-SVC-CBMYZ3SDL2PIJTMB\n"
    '[9:600] -A KUBE-SERVICES -d 10.254.0.2/32 -p udp -m comment --comment "kube-system/dns:dns cluster IP"'
    " -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU\n"
    '[4:240] -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule'
    ' in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n'
    '[4:240] -A KUBE-NODEPORTS -p tcp -m comment --comment "demo/web" -m tcp --dport 30080'
    " -j KUBE-EXT-CBMYZ3SDL2PIJTMB\n"
    '[0:0] -A KUBE-SEP-7RQVUN3FIR6GAQRD -s 172.16.1.2/32 -m comment --comment "demo/web" -j KUBE-MARK-MASQ\n'
    '[40:2400] -A KUBE-SEP-7RQVUN3FIR6GAQRD -p tcp -m comment --comment "demo/web" -m tcp'
    " -j DNAT --to-destination 172.16.1.2:80\n"
    '[24:1440] -A KUBE-SEP-3XMDNN6QMVBCD6MN -p tcp -m comment --comment "demo/web" -m tcp'
    " -j DNAT --to-destination 172.16.2.2:80\nCOMMIT\n"
)


def text(files: dict[str, str], head: str = HEAD) -> str:
    lines = [f"{path}:{line}" for path, content in files.items() for line in content.splitlines()]
    return head + "%% files\n" + "\n".join(lines) + "\n"


def answer(said: str) -> Answer:
    return Answer(said, 1700000100.0, 1700000100.1, 0.02)


def reading(
    changes: dict[str, str] | None = None, *, head: str = HEAD, load_balancer: bool = False
) -> Reading:
    """Give what the small answer says, with some of its files changed; an empty one is not there."""
    files = {path: content for path, content in (FILES | (changes or {})).items() if content}
    return parse("k11", answer(text(files, head)), load_balancer=load_balancer)


def later(
    changes: dict[str, str], *, seconds: float = 10.0, head: str = HEAD, load_balancer: bool = False
) -> Reading:
    """Give the reading some seconds later."""
    now = f"{100 + seconds:.2f}"
    head = head.replace("now 100.00", f"now {now}").replace(
        "1700000100.250000000\n100.00", f"{1700000100.25 + seconds:.9f}\n{now}"
    )
    return reading(changes, head=head, load_balancer=load_balancer)
