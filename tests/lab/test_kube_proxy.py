"""The lab's kube-proxy as a process, with the real iptables in a network namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.kube_proxy import KubeProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell() -> Iterator[list[str]]:
    """The command prefix that runs a command in an empty network namespace."""
    if shutil.which("iptables-restore") is None:
        pytest.skip("iptables is not installed")
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo settled; exec sleep 600"], stdout=subprocess.PIPE, text=True
    ) as anchor:
        assert anchor.stdout is not None
        if anchor.stdout.readline() != "settled\n":
            pytest.skip("this user may not make a network namespace")
        yield ["nsenter", "--target", str(anchor.pid), "--net", "--", "sh", "-c"]
        anchor.kill()


def end(proxy: KubeProxy) -> None:
    """End it as the lab's end does, and close its pipes, which the lab leaves to the kernel."""
    with ExitStack() as stack:
        stack.enter_context(proxy._process)
        proxy._process.kill()


def test_its_first_rules_are_in_the_kernel_when_it_has_begun(shell: list[str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        proxy = KubeProxy(shell, log)
        saved = subprocess.run(
            [*shell, "iptables-save -t nat"], capture_output=True, text=True, check=True
        ).stdout
        assert ":KUBE-SERVICES " in saved
        proxy.sync([], [])  # the same process goes on
        end(proxy)
    assert Path(log.name).read_text() == ""


def test_rules_that_the_kernel_does_not_take_are_an_error_and_no_start(tmp_path: Path) -> None:
    refusing = ["sh", "-c", 'PATH=/nowhere; eval "$0"']
    with (tmp_path / "log").open("wb") as log, pytest.raises(TestbedError, match="ended with exit code 127"):
        KubeProxy(refusing, log)
    assert "iptables-restore" in Path(log.name).read_text()
