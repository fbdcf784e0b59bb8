"""What an ssh_config includes is part of it, as ssh_config(5) has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.testbed import ssh_config
from pytest_kubelb.testbed.ssh import Link, read_ssh_config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that relative names of an Include are of."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ssh_config"


def reached(config: Path, name: str) -> str:
    connection = Link(name, read_ssh_config(config).clone()).connection
    return f"{connection.user}@{connection.host}:{connection.port}"


def refusal(config: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_ssh_config(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_host_user_and_port_of_an_included_file_are_used(home: Path, config: Path) -> None:
    (home / "rack").write_text("Host k11\n  HostName 192.0.2.11\n  User lb\n  Port 2211\n")
    config.write_text("Include rack\nHost *\n  User other\n")
    assert reached(config, "k11") == "lb@192.0.2.11:2211"
    assert reached(config, "k12") == "other@k12:22"


@pytest.mark.parametrize(
    "spelled", ["Include {}", "include={}", 'INCLUDE "{}" # the rack', "Include none {}"]
)
def test_an_include_may_be_absolute_and_is_spelled_as_ssh_allows(
    tmp_path: Path, config: Path, spelled: str
) -> None:
    (tmp_path / "a rack").write_text("Host k11\n  Port 2211\n  User lb\n")
    (tmp_path / "rack").write_text("Host k11\n  Port 2211\n  User lb\n")
    config.write_text(spelled.format(tmp_path / ("a rack" if '"' in spelled else "rack")) + "\n")
    assert reached(config, "k11") == "lb@k11:2211"


def test_a_home_and_a_pattern_are_expanded_in_order_and_the_first_value_counts(
    home: Path, config: Path
) -> None:
    (home / "conf.d").mkdir()
    for name, port in (("20", 2220), ("10", 2210)):
        (home / "conf.d" / name).write_text(f"User u{name}\nPort {port}\n")
    config.write_text("User first\nInclude ~/.ssh/conf.d/*\nPort 1\n")
    assert reached(config, "k11") == "first@k11:2210"


def test_included_files_may_include_others(home: Path, config: Path) -> None:
    (home / "one").write_text("Include two\nUser one\n")
    (home / "two").write_text("Host k11\n  Port 2211\n")
    config.write_text("Include one\n")
    assert reached(config, "k11") == "one@k11:2211"


def test_a_block_of_an_included_file_ends_with_it(home: Path, config: Path) -> None:
    (home / "rack").write_text("Host k12\n  Port 2212\n")
    config.write_text("Include rack\nUser all\nInclude rack\n")
    assert reached(config, "k11") == "all@k11:22"


def test_what_is_not_there_is_left_out_as_ssh_does(config: Path) -> None:
    config.write_text("Include none conf.d/* /nonexistent/*.conf\nHost k11\n  User lb\n")
    assert reached(config, "k11") == "lb@k11:22"


@pytest.mark.parametrize("block", ["Host k1*", "match all"])
def test_an_include_inside_a_block_is_refused_with_file_and_line(
    home: Path, config: Path, block: str
) -> None:
    (home / "rack").write_text(f"# the rack\n{block}\n  Port 2211\n  Include more\n")
    config.write_text("Include rack\n")
    said = refusal(config)
    assert said.startswith(f"ssh_config {home / 'rack'}, line 4: an Include inside a block ({block!r})")
    assert "move it to the top of the file" in said


def test_sixteen_levels_are_read_and_one_more_is_not(home: Path, config: Path) -> None:
    config.write_text("Include 1\n")
    for level in range(1, 16):
        (home / str(level)).write_text(f"Include {level + 1}\n")
    (home / "16").write_text("User deep\n")
    assert reached(config, "k11") == "deep@k11:22"
    (home / "16").write_text("Include 17\n")
    assert f"ssh_config {home / '16'} cannot be read (line 1: Includes are more than 16 levels" in refusal(
        config
    )


def test_files_that_include_themselves_twice_come_to_an_end(home: Path, config: Path) -> None:
    for level in range(1, 16):
        (home / str(level)).write_text(f"Include {level + 1} {level + 1}\n")
    config.write_text("Include 1\n")
    (home / "16").write_text("User deep\n")
    assert "1000 are the limit" in refusal(config)


def test_all_files_together_have_a_largest_size(
    home: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_config, "LARGEST", 40)
    (home / "rack").write_text("User lb\n")
    config.write_text("Include rack\n")
    assert reached(config, "k11") == "lb@k11:22"
    config.write_text("Include rack rack rack rack\n")
    assert "longer than 40 characters" in refusal(config)


@pytest.mark.parametrize(
    "line",
    ["Port", 'Include "rack', "Include # nothing", "Include rack.%h", "Include ${RACK}", "Include a\0*"],
)
def test_a_line_that_cannot_be_read_is_named_with_its_file(home: Path, config: Path, line: str) -> None:
    (home / "some").write_text(f"User lb\n{line}\n")
    config.write_text("Include some\n")
    assert f"ssh_config {home / 'some'} cannot be read (line 2" in refusal(config)


def test_an_included_file_that_cannot_be_read_is_an_error(home: Path, config: Path) -> None:
    (home / "rack").mkdir()
    config.write_text("Include rack\n")
    assert f"ssh_config {home / 'rack'} cannot be read" in refusal(config)
