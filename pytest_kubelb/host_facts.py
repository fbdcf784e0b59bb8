"""What a host is: its kernel, CPUs, memory, NICs and wrk. A question in POSIX sh and its answer; touches nothing.

Every question may stay without an answer: a tool or a file that is not there leaves its field out.
"""

from __future__ import annotations

import re
from typing import Final

# Only what carries traffic from outside counts as a NIC: hardware (it has a device), bonds and VLANs, and not the pods'
# ends, bridges and tunnels, which come and go with the workload. A NIC that is down is left out. The lines `link`, for
# `evidence.specs`, have every other Ethernet device as well: in a network namespace the NIC is one end of a veth.
SCRIPT: Final = r"""
echo "kernel $(uname -srm)"
cpus=$(grep -c '^processor' /proc/cpuinfo 2>/dev/null)
online=$(getconf _NPROCESSORS_ONLN 2>/dev/null)
echo "cpus ${online:-$cpus}"
cpu=$(sed -n 's/^model name[[:space:]]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
[ -n "$cpu" ] || cpu=$(LC_ALL=C lscpu 2>/dev/null | sed -n 's/^Model name: *//p' | head -n 1)
echo "cpu $cpu"
sed -n 's/^MemTotal: *\([0-9]*\) kB/memory_kib \1/p' /proc/meminfo 2>/dev/null
echo "nics"
for folder in /sys/class/net/*; do
  [ -e "$folder/device" ] || grep -Eqs '^DEVTYPE=(bond|vlan)$' "$folder/uevent" || continue
  state= speed= mtu= driver=
  read -r state <"$folder/operstate"
  [ "$state" != down ] || continue
  read -r speed <"$folder/speed"
  read -r mtu <"$folder/mtu"
  driver=$(readlink "$folder/device/driver") || driver=
  echo "nic ${folder##*/} ${driver##*/}:$speed:$mtu"
done 2>/dev/null
for folder in /sys/class/net/*; do
  nic=${folder##*/} state= type= speed= mtu= driver= own= other=
  case $nic in lo | veth* | cali* | lxc* | eni* | azv* | gke*) continue ;; esac
  grep -Eqs '^DEVTYPE=(bridge|vxlan|geneve|wireguard)$' "$folder/uevent" && continue
  read -r state <"$folder/operstate"
  read -r type <"$folder/type"
  [ "$state" != down ] && [ "$type" = 1 ] || continue
  read -r speed <"$folder/speed"
  read -r mtu <"$folder/mtu"
  driver=$(readlink "$folder/device/driver") || driver=
  read -r own <"$folder/ifindex"
  read -r other <"$folder/iflink"
  if [ "$own" != "$other" ] && ! grep -qs '^DEVTYPE=' "$folder/uevent"; then
    driver=veth speed= # it says 10 Gbit/s, whatever it does
  fi
  set -- "$folder"/queues/rx-*
  [ -e "$1" ] || shift
  rx=$#
  set -- "$folder"/queues/tx-*
  [ -e "$1" ] || shift
  echo "link $nic ${driver##*/}:$speed:$mtu:$rx:$#"
  PATH=$PATH:/usr/sbin:/sbin LC_ALL=C ethtool -k "$nic" | sed -n "s/^[[:space:]]*\([^ ]*\): on.*/offload $nic \1/p"
done 2>/dev/null
command -v wrk >/dev/null 2>&1 && echo "wrk $(wrk -v 2>&1 | head -n 1)"
exit 0
"""

_COUNT: Final = re.compile(r"[0-9]{1,15}")


def parse(text: str) -> dict[str, object]:
    """Read what `SCRIPT` printed: kernel, cpu, cpus, memory_mib, nics (a sentence each, sorted) and wrk's version.

    Lines that are not understood, or carry no answer, are left out.
    """
    found: dict[str, object] = {}
    nics: list[str] = []
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        value = value.strip()
        if name == "nics":
            found["nics"] = nics
        elif name == "nic" and (nic := _nic(value)):
            nics.append(nic)
        elif name == "cpus" and _COUNT.fullmatch(value):
            found["cpus"] = int(value)
        elif name == "memory_kib" and _COUNT.fullmatch(value):
            found["memory_mib"] = int(value) // 1024
        elif name in ("kernel", "cpu") and value:
            found[name] = value
        elif name == "wrk" and value.startswith("wrk "):
            # wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer
            found["wrk"] = value.removeprefix("wrk ").partition(" Copyright")[0]
    nics.sort()
    return found


def _nic(text: str) -> str | None:
    """Give `eth0 (e1000e, 1000 Mb/s, MTU 1500)` for `eth0 e1000e:1000:1500`; a virtual NIC has no speed, or -1."""
    name, _, rest = text.partition(" ")
    fields = rest.split(":")
    if not name or len(fields) != 3:
        return None
    driver, speed, mtu = fields
    told = [driver] if driver else []
    told += [f"{speed} Mb/s"] if speed.isdecimal() else []
    told += [f"MTU {mtu}"] if mtu.isdecimal() else []
    return f"{name} ({', '.join(told)})" if told else name
