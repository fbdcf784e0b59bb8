"""From the words behind --a and --b to two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.ab.side import read, resolve
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.settings import packaged_inventory

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.ab.side import Side

LAB = packaged_inventory()


def sides(a: str, b: str, backend: str | None = None) -> tuple[Side, Side]:
    return resolve(read("a", a.split()), read("b", b.split()), LAB, backend)


def test_two_backends_of_one_inventory() -> None:
    a, b = sides("backend=ipvs", "backend=proxy")
    assert (a.letter, a.backend, b.letter, b.backend) == ("a", "ipvs", "b", "proxy")
    assert a.inventory == b.inventory


def test_a_setting_of_a_backend_says_which_backend_is_meant() -> None:
    a, b = sides("backends.ipvs.scheduler=rr", "backends.ipvs.scheduler=lc backends.ipvs.port=8889")
    assert (a.backend, b.backend) == ("ipvs", "ipvs")
    assert a.inventory.ipvs is not None
    assert b.inventory.ipvs is not None
    assert (a.inventory.ipvs.scheduler, a.inventory.ipvs.port) == ("rr", 8888)
    assert (b.inventory.ipvs.scheduler, b.inventory.ipvs.port) == ("lc", 8889)


def test_a_side_may_be_the_inventory_as_it_stands_beside_one_that_is_changed() -> None:
    a, b = sides("workload.image=nginx:1.22", "backends.proxy.via=192.168.0.112")
    assert (a.backend, b.backend) == ("proxy", "proxy")


def test_two_images() -> None:
    a, b = sides("workload.image=nginx:1.22", "workload.image=nginx:1.27", backend="ipvs")
    assert (a.inventory.workload.image, b.inventory.workload.image) == ("nginx:1.22", "nginx:1.27")
    assert b.facts()["workload"] == {"image": "nginx:1.27", "port": 80}
    assert b.facts()["given"] == "workload.image=nginx:1.27"


def test_two_inventories(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(LAB.read_text().replace('name = "lab"', f'name = "{name}"'))
    words = f"inventory={tmp_path}/a.toml", f"inventory={tmp_path}/b.toml"
    with pytest.raises(ConfigError, match=r"a\.toml: testbed\.ssh_config is .*, which is not a file"):
        sides(*words, backend="ipvs")
    for name in ("ssh_config", "kubeconfig"):
        (tmp_path / name).touch()
    a, b = sides(*words, backend="ipvs")
    assert (a.inventory.testbed.name, b.inventory.testbed.name) == ("a", "b")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ipvs", r"--a: 'ipvs' is not KEY=VALUE: write backend=ipvs, "),
        ("backend=", r"--a: 'backend=' is not KEY=VALUE"),
        ("backend=ipvs backend=proxy", r"--a: backend is given twice \(ipvs, proxy\): give it once"),
        ("roles.load_balancer=k10", r"makes it another testbed: .* inventory=FILE"),
        ("pods=3", r"--a: 'pods' is nothing that a side can differ in"),
        ("backends.ipvs=rr", r"'backends\.ipvs' is nothing that a side can differ in"),
        ("workload..image=x", r"'workload\.\.image' is nothing that a side can differ in"),
    ],
)
def test_a_word_that_cannot_be_read_is_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read("a", words.split())


@pytest.mark.parametrize(
    ("a", "sentence"),
    [
        ("workload.image=x:1", r"it is not said which backend this side measures: .* one of ipvs, proxy"),
        ("backend=haproxy", r"backend 'haproxy' is not in the inventory .* choose from ipvs, proxy"),
        ("backends.ipvs.schedulr=rr", r"schedulr is an unknown key \(did you mean scheduler\?\)"),
        ("backends.ipvs.port=70000", r"--a backends\.ipvs\.port=70000: .* allowed is a port from 1 to 65535"),
        ("backends.haproxy.port=80", r"backends\.haproxy is an unknown key"),
        (
            "backend=proxy backends.ipvs.port=81",
            r"backends\.ipvs has no effect on this side, which measures proxy",
        ),
    ],
)
def test_a_side_that_cannot_be_is_one_sentence(a: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        sides(a, "workload.port=80")


KEYS = st.sampled_from(
    ["backend", "backends.ipvs.port", "backends.ipvs.scheduler", "workload.image", "x", ""]
)


def well_formed(word: str) -> bool:
    key, _, value = word.partition("=")
    return bool(value) and key in (
        "backend",
        "backends.ipvs.port",
        "backends.ipvs.scheduler",
        "workload.image",
    )


@given(st.lists(st.text() | st.builds("{}={}".format, KEYS, st.text()), max_size=4))
def test_any_words_are_read_as_they_stand_or_refused_with_one_sentence(words: list[str]) -> None:
    wrong = [word for word in words if not well_formed(word)]
    keys = [word.partition("=")[0] for word in words]
    if wrong or len(set(keys)) < len(keys):
        with pytest.raises(ConfigError, match=r"^--b"):
            read("b", words)
        return
    given = read("b", words)
    assert [f"{key}={value}" for key, value in given.given.items()] == words
    assert all(
        str(value) == given.given[key] or isinstance(value, int) for key, value in given.overrides.items()
    )
