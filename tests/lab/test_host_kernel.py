"""The lab with its load balancer on the host's own kernel, proved on a machine whose kernel has no IPVS.

The lab's own tests run inside a User Mode Linux guest whose kernel has it. The guest works on this machine's files,
so it is the same code, Python and programs; it is the "host" of the lab that the tests start in it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_kubelb.lab import requirements
from pytest_kubelb.lab.guest import MODULES
from pytest_kubelb.lab.guest_uml import KERNEL

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900
# What the guest needs more than a load balancer does: it makes all the hosts.
MORE_MODULES = ("bridge", "veth", "tun")

INIT = """\
#!/bin/sh
export PATH={path} HOME=/tmp KUBELB_LAB_KERNEL=host PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/2 /dev/stderr
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/modules/lib
ln -s /usr/lib/uml/modules /run/modules/lib/modules
modprobe -d /run/modules -a {modules}
echo >/proc/sys/kernel/modprobe
echo 0 >/proc/sys/kernel/printk
mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi
ip link set lo up
cd {root}
{python} -m pytest -p no:cacheprovider -q --color=no --basetemp={folder}/basetemp {tests} >{folder}/output 2>&1
echo $? >{folder}/exit_code
poweroff -f
"""


def test_the_labs_own_tests_pass_on_a_kernel_that_has_ipvs(tmp_path: Path) -> None:
    if requirements.host_has_ipvs():
        pytest.skip("this machine's kernel has IPVS: the lab's tests have run on it directly")
    missing = requirements.missing(requirements.needed("uml"))
    if missing or os.geteuid() != 0:
        pytest.skip(f"this machine cannot run the guest: {[each.program for each in missing] or 'not root'}")
    init = tmp_path / "init.sh"
    init.write_text(
        INIT.format(
            path=os.environ["PATH"],
            modules=" ".join((*MODULES, *MORE_MODULES)),
            root=shlex.quote(str(ROOT)),
            python=shlex.quote(sys.executable),
            folder=shlex.quote(str(tmp_path)),
            tests="tests/lab/test_lab.py",
        )
    )
    init.chmod(0o700)
    command = [
        KERNEL,
        "mem=2048M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        f"init={init}",
    ]
    command += ["con=null", "con0=null,fd:1", f"uml_dir={tmp_path / 'uml'}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    output = (tmp_path / "output").read_text()
    assert (tmp_path / "exit_code").read_text().strip() == "0", output
    passed = re.search(r"(\d+) passed", output)
    assert passed, output
    assert int(passed[1]) >= 15, output
    assert "skipped" not in output, output
