"""Another local user of the machine, really one (uid 65534): it can neither read, nor use, nor end somebody's lab."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb import holding
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.testbed import inventory
from tests.lab.unprivileged import AS_NOBODY, python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab

POD_UID = "101"
TRY_FILES = """
import json, os, socket, sys
told = {}
for path in json.load(open(0)):
    try:
        if os.path.isdir(path):
            os.listdir(path)
        os.stat(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    except OSError as error:
        told[path] = type(error).__name__
    try:
        open(path, "rb").close()
        told[path] = "opened"
    except PermissionError:
        pass
    except OSError as error:
        told[path] = type(error).__name__
print(json.dumps(told))
"""
TRY_PROCESSES = """
import json, os, signal, subprocess
told = {}
for pid in json.load(open(0)):
    said = {"cmdline": open(f"/proc/{pid}/cmdline").read()}
    for name in ("environ", "mem", "maps", "fd", "root", "cwd", "ns/net", "exe"):
        path = f"/proc/{pid}/{name}"
        try:
            if name in ("root", "cwd", "ns/net", "exe"):
                os.readlink(path)
            elif name == "fd":
                os.listdir(path)
            else:
                with open(path, "rb") as file:
                    file.read(1)
            said[name] = "read"
        except OSError as error:
            said[name] = type(error).__name__
    try:
        os.kill(pid, 0)
        said["kill"] = "allowed"
    except OSError as error:
        said["kill"] = type(error).__name__
    words = ["nsenter", "--target", str(pid), "--net", "--mount", "true"]
    said["nsenter"] = subprocess.run(words, capture_output=True).returncode
    told[pid] = said
print(json.dumps(told))
"""
TRY_API = """
import json, ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
told = {}
for path in ("/version", "/api/v1/pods", "/api/v1/namespaces/kubelb/configmaps", "/apis/apps/v1/deployments", "/api"):
    try:
        with urllib.request.urlopen(sys.argv[1] + path, context=context, timeout=10) as answer:
            told[path] = answer.status
    except urllib.error.HTTPError as error:
        told[path] = error.code
print(json.dumps(told))
"""


def processes_of(lab: Lab) -> list[int]:
    """Give every process in the lab's PID namespace, and the one that holds it."""
    inside = Path(f"/proc/{lab.facts.init_pid}/ns/pid").stat().st_ino
    found = [lab.facts.pid]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns/pid").stat().st_ino == inside:
                found.append(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def sockets_of(processes: list[int]) -> set[int]:
    """Give the inodes of the sockets that processes have open."""
    found = set()
    for process in processes:
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                match = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
            except OSError:
                continue
            if match:
                found.add(int(match[1]))
    return found


def as_nobody(script: str, given: object = None, *words: str) -> dict[str, object]:
    """Give what the script says as NOBODY, who is told of `given` on its standard input."""
    done = python(AS_NOBODY, "-c", script, *words, given=json.dumps(given))
    assert not done.returncode, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module", autouse=True)
def pods(lab: Lab) -> Iterator[None]:
    """Pods run, since their processes are the lab's as well."""
    place = inventory.load(lab.inventory)
    with Api(lab.kubeconfig, "lab", on_event=print) as api:
        workload = Workload(api, holding.manifest_of(place, "another-user"))
        workload.deploy()
        workload.scale(4, timeout_s=60)
        yield
        workload.delete()


@pytest.fixture(scope="module")
def token(lab: Lab) -> str:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    return str(config["users"][0]["user"]["token"])


def test_no_file_of_a_lab_can_be_opened_nor_its_sockets_be_connected_to(lab: Lab) -> None:
    paths = [lab.folder, *lab.folder.rglob("*")]
    assert any(path.is_socket() for path in paths), "the hosts have doors, which are sockets"
    told = as_nobody(TRY_FILES, [str(path) for path in paths])
    assert set(told.values()) == {"PermissionError"}
    assert len(told) == len(paths)


def test_what_is_secret_would_be_unreadable_even_in_an_open_folder(lab: Lab) -> None:
    secret = [path for path in lab.folder.rglob("*") if path.is_file() and holds_a_secret(path)]
    assert {path.name for path in secret} >= {"kubeconfig", "id_ed25519"}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in secret)


def holds_a_secret(path: Path) -> bool:
    """Tell whether a file has a private key or a token; a disk image is looked into by its beginning."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    return b"PRIVATE KEY" in head or b"token:" in head


def test_the_processes_of_a_lab_tell_nothing_and_cannot_be_touched(lab: Lab, token: str) -> None:
    key = (lab.folder / "id_ed25519").read_text().splitlines()[2]
    told = as_nobody(TRY_PROCESSES, processes_of(lab))
    assert len(told) > 10
    for said in told.values():
        assert isinstance(said, dict)
        command_line = said.pop("cmdline")
        assert token not in command_line
        assert key not in command_line
        assert said.pop("nsenter") != 0
        assert set(said.values()) == {"PermissionError"}, command_line


def test_every_process_of_a_lab_is_its_owner_s_but_what_runs_in_the_pods(lab: Lab) -> None:
    """Whoever has the uid of a process may read its memory. That of the pods is in their spec, as on a real node."""
    uids = set()
    for process in processes_of(lab):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("Uid:"):
                uids |= set(line.split()[1:])
    assert uids == {str(os.geteuid()), POD_UID}


def test_a_lab_listens_on_loopback_alone_and_on_one_port(lab: Lab) -> None:
    held = sockets_of(processes_of(lab))
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and int(words[9]) in held:
                listening.append(words[1].partition(":")[0])
    assert listening == ["0100007F"]  # 127.0.0.1


def test_a_lab_has_no_socket_that_is_not_guarded_by_a_folder(lab: Lab) -> None:
    """An abstract one has no file, and so no permissions."""
    held = sockets_of(processes_of(lab))
    names = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    assert not [
        words[7] for words in names if len(words) > 7 and words[7].startswith("@") and int(words[6]) in held
    ]


def test_the_api_answers_nobody_without_the_token(lab: Lab) -> None:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    told = as_nobody(TRY_API, None, config["clusters"][0]["cluster"]["server"])
    assert told.pop("/version") == 200  # as a real server's
    assert set(told.values()) == {401}


def test_the_lab_of_another_user_is_not_found(lab: Lab) -> None:
    code = "from pytest_kubelb.lab import launch; import sys; print(launch.find(sys.argv[1]))"
    done = python(AS_NOBODY, "-c", code, lab.folder.name)
    assert done.stdout.strip() == "None", done.stderr
