"""What the names of files say."""

from __future__ import annotations

import pytest

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.record.imports.names import parse_backend, parse_words, read_name


@pytest.mark.parametrize(
    ("name", "backend", "label", "index"),
    [
        ("lvs_cpu16_0.log", "ipvs", "cpu16", 0),
        ("proxy_cpu16_12.log", "proxy", "cpu16", 12),
        ("ipvs_0_1_0_3.log", "ipvs", "0_1_0", 3),
        ("proxy", "proxy", "", None),
        ("LVS-1.log.bak", "ipvs", "", 1),
        ("lvs_1.log~", "ipvs", "", 1),
        ("lvs_1.log.2", "ipvs", "", 1),
        ("nginx_1.log", None, "nginx", 1),
        ("elvsa_1.log", None, "elvsa", 1),
    ],
)
def test_backend_label_and_run_index_are_in_the_name(
    name: str, backend: str | None, label: str, index: int | None
) -> None:
    read = read_name(name, (), {})
    assert (read.backend, read.label, read.index) == (backend, label, index)


def test_the_nearest_folder_is_asked_when_the_name_tells_no_backend() -> None:
    assert read_name("run_1.log", ("try1", "proxy-host", "lvs"), {}).backend == "proxy"
    assert read_name("lvs_1.log", ("proxy",), {}).backend == "ipvs"


def test_the_words_of_the_user_count_before_the_known_ones() -> None:
    words = parse_words(["lvstun=ipvs-tun", "proxy=other"])
    assert read_name("lvs_lvstun_1.log", (), words).backend == "ipvs-tun"
    assert read_name("proxy_1.log", (), words).backend == "other"


@pytest.mark.parametrize(
    ("name", "pods"),
    [("lvs_pod4_1.log", 4), ("lvs_pods-40.log", 40), ("lvs_podnum8_1.log", 8), ("lvs_cpu4.log", None)],
)
def test_a_pod_count_in_the_name_is_found(name: str, pods: int | None) -> None:
    assert read_name(name, (), {}).pods == pods


@pytest.mark.parametrize(
    ("name", "folders", "copy"),
    [
        ("lvs_1.log", (), False),
        ("lvs_1.log.bak", (), True),
        ("lvs_1.log~", (), True),
        ("lvs_1 (copy).log", (), True),
        ("lvs_1.log", ("bk_try1",), True),
        ("backbone_1.log", (), False),
    ],
)
def test_a_copy_is_known_by_its_name(name: str, folders: tuple[str, ...], copy: bool) -> None:
    assert read_name(name, folders, {}).copy is copy


@pytest.mark.parametrize("text", ["lvs", "=ipvs", "a b=ipvs", "lvs=IPVS", "lvs=", "lvs=../x"])
def test_a_word_that_is_odd_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--backend-from .* (WORD=BACKEND|is not allowed)"):
        parse_words([text])


def test_a_backend_that_is_odd_is_refused_with_its_option() -> None:
    with pytest.raises(ConfigError, match=r"--overlay '\.\./x' is not allowed"):
        parse_backend("../x", "--overlay")
