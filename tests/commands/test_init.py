"""`kubelb init` in the lab: what it writes is the lab's own inventory, and `kubelb doctor` agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.testbed import inventory

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab


def init(lab: Lab, file: Path, *more: str) -> int:
    config = ["--ssh-config", str(lab.ssh_config), "--kubeconfig", str(lab.kubeconfig)]
    return main(["init", *config, *more, str(file)])


def test_what_it_writes_describes_the_lab_and_the_doctor_agrees(
    capsys: pytest.CaptureFixture[str], lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "kubelb.toml"
    assert init(lab, file, "--load-balancer", "k11", "--benchmarker", "k12") == 0
    assert capsys.readouterr().out == f"wrote {file}\ncheck it with: kubelb doctor --inventory {file}\n"
    found, packaged = inventory.load(file), inventory.load(lab.inventory)
    assert (found.roles, found.cluster) == (packaged.roles, packaged.cluster)
    assert found.ipvs == packaged.ipvs
    assert found.proxy is not None
    assert found.proxy.cluster_ip is not None
    assert found.proxy.cluster_ip.startswith("10.254.0.")
    text = file.read_text()
    for line in (
        "# k11: 192.168.0.111 on eth0",
        "# The range of pods is 172.16.0.0/16.",
        "# The range of Services is 10.254.0.0/16.",
        'overlay = "vxlan"',
    ):
        assert line in text.splitlines()
    assert main(["doctor", "--inventory", str(file)]) == 0
    assert "lab is ready for a session: 0 failed, 0 warnings" in capsys.readouterr().out


def test_without_hosts_it_says_what_is_left_to_fill_in(
    capsys: pytest.CaptureFixture[str], lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "kubelb.toml"
    assert init(lab, file) == 0
    said = capsys.readouterr().out
    assert "to fill in: load_balancer: name the host and ask again" in said
    assert "to fill in: vip: " in said
    # k11 is cordoned, and nobody said that it is the load balancer.
    assert "# k11 is no worker: cordoned or tainted." in file.read_text()


def test_a_host_that_cannot_be_asked_stays_a_comment(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "kubelb.toml"
    assert init(lab, file, "--load-balancer", "k99", "--benchmarker", "k12") == 0
    assert "# k99: could not be asked (host k99: " in file.read_text()


def test_a_file_that_is_there_is_replaced_only_by_force(
    capsys: pytest.CaptureFixture[str], lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "kubelb.toml"
    file.write_text("mine\n")
    assert init(lab, file) == 4
    assert "is there already: name another file, or replace it with --force" in capsys.readouterr().err
    assert file.read_text() == "mine\n"
    assert init(lab, file, "--force") == 0
    assert file.read_text() != "mine\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kubeconfig", "none", "x.toml"], "--kubeconfig is 'none', which is no file"),
        (["none/x.toml"], "is not there: make it, or name a file elsewhere"),
        (["."], "is a folder: name a file in it"),
    ],
)
def test_mistakes_are_said_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", *words]) == 4
    assert said in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_writes_nothing(
    capsys: pytest.CaptureFixture[str], lab: Lab, tmp_path: Path
) -> None:
    away = tmp_path / "kubeconfig"
    text = lab.kubeconfig.read_text()
    port = text.partition("https://127.0.0.1:")[2].partition('"')[0]
    away.write_text(text.replace(port, "1"))
    file = tmp_path / "kubelb.toml"
    words = ["init", "--ssh-config", str(lab.ssh_config), "--kubeconfig", str(away), str(file)]
    assert main(words) == 1
    assert "no answer from the API server" in capsys.readouterr().err
    assert not file.exists()
