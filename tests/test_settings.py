"""Where a value comes from, which one wins, and how a bad one is told."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.options import BY_KEY
from pytest_kubelb.settings import MARKER_KEYS, MARKER_SIGNATURE, Given, Settings, override, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BACKENDS = ("ipvs", "proxy")


def layer(folder: Path, form: str, **texts: str) -> dict[str, Given]:
    return {key: Given(text, form.format(key), folder) for key, text in texts.items()}


def settings_of(*layers: Mapping[str, Given], search: tuple[Path, ...] = ()) -> Settings:
    return resolve(layers, search=search, known_backends=BACKENDS, new_seed=7)


def own_inventory(folder: Path, defaults: str = "") -> Path:
    for name in ("ssh_config", "kubeconfig"):
        (folder / name).touch()
    file = folder / "kubelb.toml"
    file.write_text(
        '[testbed]\nname = "rack"\nssh_config = "ssh_config"\n'
        '[roles]\ncontrol_plane = ["a"]\nworkers = ["b"]\nload_balancer = "c"\nbenchmarker = "d"\n'
        '[cluster]\nkubeconfig = "kubeconfig"\n[workload]\nimage = "nginx:1.27"\nport = 80\n'
        f'[backends.ipvs]\nvip = "10.0.0.1"\nport = 80\n[defaults]\n{defaults}\n'
    )
    return file


def test_without_anything_the_embedded_lab_is_measured_with_its_own_defaults() -> None:
    settings = settings_of()
    assert settings.embedded_lab
    assert settings.inventory.testbed.name == "lab"
    assert (settings.backend, len(settings.pods), settings.overlay) == (BACKENDS, 21, ("vxlan",))
    assert (settings.runs, settings.origins["runs"]) == (5, "embedded lab: defaults.runs")
    assert (settings.warmup, settings.origins["warmup"]) == (1, "default")


def test_without_defaults_in_the_inventory_the_seeds_settings_hold(tmp_path: Path) -> None:
    settings = settings_of(search=(own_inventory(tmp_path).parent,))
    assert not settings.embedded_lab
    assert (settings.runs, settings.duration, settings.threads) == (10, 60, 40)
    assert str(settings.connections) == "800"
    assert settings.tolerance == pytest.approx(0.05)


def test_command_line_beats_environment_beats_ini_beats_inventory_beats_default(tmp_path: Path) -> None:
    own_inventory(tmp_path, "runs = 6\nwarmup = 2\npods = [1, 2]\ntolerance = 0.2\n")
    ini = layer(tmp_path, "pytest.ini: kubelb_{}", runs="5", warmup="3", pods="3")
    env = layer(tmp_path, "KUBELB_{}", runs="4", warmup="4")
    cli = layer(tmp_path, "--kubelb-{}", runs="3")
    settings = settings_of(cli, env, ini, search=(tmp_path,))
    shown = {key: (settings.texts[key], settings.origins[key]) for key in ("runs", "warmup", "pods")}
    assert shown == {
        "runs": ("3", "--kubelb-runs"),
        "warmup": ("4", "KUBELB_warmup"),
        "pods": ("3", "pytest.ini: kubelb_pods"),
    }
    assert (settings.tolerance, settings.origins["tolerance"]) == (0.2, "kubelb.toml: defaults.tolerance")
    assert (settings.order, settings.origins["order"]) == ("paired", "default")


def test_an_inventory_lists_pods_and_backends_as_toml_does(tmp_path: Path) -> None:
    own_inventory(tmp_path, 'pods = [4, 1]\nbackend = ["ipvs"]\nduration = "2s"\n')
    settings = settings_of(search=(tmp_path,))
    assert (settings.pods, settings.backend, settings.duration) == ((1, 4), ("ipvs",), 2)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("pods", "0", "--kubelb-pods: '0' is out of range"),
        ("duration", "10", "--kubelb-duration: '10' is not a duration"),
        ("tolerance", "5x", "--kubelb-tolerance: '5x' is not a tolerance"),
        ("runs", "-1", "--kubelb-runs: '-1' is not allowed: write a whole number from 1 to 1000."),
        ("backend", "ipv", r"--kubelb-backend: backend 'ipv' is not in the .* \(did you mean ipvs\?\)"),
        (
            "json",
            "file/x.json",
            "--kubelb-json: '.*x.json' lies in '.*file', which is no folder",
        ),
        ("json", ".", "--kubelb-json: '.*' is a folder: name a file"),
        ("json", "~nobody-here/x", "--kubelb-json: '~nobody-here/x' is in the home folder of nobody known"),
        ("inventory", "none.toml", "--kubelb-inventory: '.*none.toml' is not a file that can be read: name"),
        ("threads", "90", "--kubelb-threads: 90 threads for 80 connections at 1 pods"),
    ],
)
def test_a_bad_value_is_told_with_its_origin(tmp_path: Path, key: str, text: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=sentence):
        settings_of(layer(tmp_path, "--kubelb-{}", **{key: text}))


def test_a_bad_value_in_the_inventory_is_told_with_file_and_key(tmp_path: Path) -> None:
    own_inventory(tmp_path, 'duration = "10"\n')
    with pytest.raises(ConfigError, match=r"kubelb\.toml: defaults\.duration: '10' is not a duration"):
        settings_of(search=(tmp_path,))


def test_a_backend_without_a_section_is_refused_with_what_to_add(tmp_path: Path) -> None:
    own_inventory(tmp_path)
    with pytest.raises(ConfigError, match=r"choose from ipvs, or add \[backends\.proxy\] to it"):
        settings_of(layer(tmp_path, "--kubelb-{}", backend="proxy"), search=(tmp_path,))


def test_a_named_inventory_whose_files_are_missing_is_refused(tmp_path: Path) -> None:
    file = own_inventory(tmp_path)
    (tmp_path / "kubeconfig").unlink()
    with pytest.raises(ConfigError, match=r"cluster\.kubeconfig is '.*', which is not a file"):
        settings_of(layer(tmp_path, "--kubelb-{}", inventory=file.name))


def test_the_first_folder_with_an_inventory_is_taken(tmp_path: Path) -> None:
    own_inventory(tmp_path)
    settings = settings_of(search=(tmp_path / "none", tmp_path))
    assert settings.inventory.file == tmp_path / "kubelb.toml"
    assert settings.origins["inventory"] == f"found in {tmp_path.name}"


def test_only_what_is_not_the_default_is_shown_as_effective(tmp_path: Path) -> None:
    own_inventory(tmp_path, "runs = 3\n")
    shown = settings_of(layer(tmp_path, "--kubelb-{}", pods="4"), search=(tmp_path,)).effective()
    assert [(name, origin) for name, _, origin in shown] == [
        ("inventory", f"found in {tmp_path.name}"),
        ("pods", "--kubelb-pods"),
        ("runs", "kubelb.toml: defaults.runs"),
    ]


def test_a_random_order_shows_and_records_the_seed_that_was_drawn(tmp_path: Path) -> None:
    settings = settings_of(layer(tmp_path, "--kubelb-{}", order="random"))
    assert ("order-seed", "7", "drawn for this session") in settings.effective()
    assert settings.facts()["order_seed"] == {"value": "7", "origin": "drawn for this session"}


def test_every_option_has_a_field_of_its_name() -> None:
    assert {field.name for field in dataclasses.fields(Settings)} >= set(BY_KEY)


def test_the_closest_marker_overrides_the_session_and_farther_ones_fill_in() -> None:
    settings = override(settings_of(), [((), {"runs": 2}), ((), {"runs": 9, "tolerance": "1%"})])
    assert (settings.runs, settings.origins["runs"]) == (2, "marker kubelb(runs=)")
    assert settings.tolerance == pytest.approx(0.01)
    assert settings.duration == 1


def test_a_marker_takes_python_values() -> None:
    settings = override(
        settings_of(),
        [
            (
                (),
                {
                    "pods": [4, 2],
                    "backend": "ipvs",
                    "overlay": ("host-gw",),
                    "duration": "2s",
                    "tolerance": 0.1,
                },
            )
        ],
    )
    assert (settings.pods, settings.backend, settings.overlay) == ((2, 4), ("ipvs",), ("host-gw",))
    assert (settings.duration, settings.tolerance) == (2, 0.1)


def test_no_marker_changes_nothing() -> None:
    settings = settings_of()
    assert override(settings, []) is settings


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        (
            (),
            {"pod": 4},
            r"has no keyword 'pod' \(did you mean pods\?\): its signature is kubelb\(\*, backend",
        ),
        ((4,), {}, r"takes no positional argument but got 4: its signature is kubelb\(\*, backend"),
        ((), {"runs": True}, r"marker kubelb\(runs=\): 'true' is not allowed"),
        ((), {"duration": 10}, r"marker kubelb\(duration=\): '10' is not a duration"),
        ((), {"backend": "f5"}, r"marker kubelb\(backend=\): backend 'f5' is not in the inventory"),
    ],
)
def test_a_bad_marker_is_told_with_its_signature_or_keyword(
    args: tuple[object, ...], kwargs: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        override(settings_of(), [(args, kwargs)])


def test_the_printed_signature_names_every_keyword() -> None:
    assert f"kubelb(*, {', '.join(MARKER_KEYS)})" == MARKER_SIGNATURE
