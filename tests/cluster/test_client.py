"""What the client does when the API server refuses, stumbles, or is not there."""

from __future__ import annotations

import contextlib
import json
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.refusal import ApiError, message_of
from pytest_kubelb.cluster.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, Target
from pytest_kubelb.errors import ConfigError
from tests.lab.api.cluster import cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Bench

PODS_IN_BENCH = Target(PODS, "bench")
Answer = tuple[int, dict[str, str], bytes]


def write_kubeconfig(path: Path, server: str) -> Path:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))
    return path


@contextlib.contextmanager
def stumbling(folder: Path, *answers: Answer) -> Iterator[tuple[Api, list[str], list[str]]]:
    """Serve the given answers one after the other: a sound API server does not stumble when asked to."""
    left, asked, events = list(answers), list[str](), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = left.pop(0)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 - names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        kubeconfig = write_kubeconfig(folder / "kubeconfig", f"http://127.0.0.1:{server.server_port}")
        try:
            with Api(kubeconfig, on_event=events.append, retry_for_s=3.0) as api:
                yield api, asked, events
        finally:
            server.shutdown()
            thread.join()


OK: Answer = (200, {}, b'{"kind": "PodList", "items": [], "metadata": {"resourceVersion": "1"}}')
BUSY: Answer = (429, {}, b'{"kind": "Status", "message": "too many requests"}')
BROKEN: Answer = (503, {}, b"upstream connect error")
CUT: Answer = (0, {}, b"")


def test_an_overloaded_or_broken_server_is_asked_again_and_every_time_is_reported(tmp_path: Path) -> None:
    with stumbling(tmp_path, BUSY, BROKEN, CUT, OK) as (api, asked, events):
        assert api.list(PODS_IN_BENCH)["items"] == []
    assert asked == ["GET"] * 4
    assert [event.split("; trying again in ")[0] for event in events[:2]] == [
        "kubernetes: list pods in namespace bench: status 429: too many requests",
        "kubernetes: list pods in namespace bench: status 503: upstream connect error",
    ]
    assert len(events) == 3


def test_a_longer_pause_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    with stumbling(tmp_path, (429, {"Retry-After": "1"}, b"{}"), OK) as (api, _, events):
        api.list(PODS_IN_BENCH)
    assert events[0].endswith("; trying again in 1.0 s")


def test_a_pause_beyond_the_limit_is_not_waited_for(tmp_path: Path) -> None:
    with (
        stumbling(tmp_path, (429, {"Retry-After": "600"}, b"{}")) as (api, _, events),
        pytest.raises(ApiError, match="failed with status 429"),
    ):
        api.list(PODS_IN_BENCH)
    assert events == []


def test_a_server_that_was_in_trouble_for_the_whole_time_is_tried_once_until_it_answers(
    tmp_path: Path,
) -> None:
    long = (503, {"Retry-After": "600"}, b"upstream connect error")
    with stumbling(tmp_path, long, BROKEN, CUT, OK, BROKEN, OK) as (api, asked, _):
        for answers in (1, 2, 3):
            with pytest.raises(ApiError):
                api.list(PODS_IN_BENCH)
            assert len(asked) == answers
        for answers in (4, 6):
            api.list(PODS_IN_BENCH)
            assert len(asked) == answers


def test_a_create_whose_answer_was_lost_is_not_repeated(tmp_path: Path) -> None:
    with stumbling(tmp_path, CUT) as (api, asked, _), pytest.raises(ApiError, match="no answer") as caught:
        api.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, "bench")
    assert (asked, caught.value.status) == (["POST"], 0)


@pytest.mark.parametrize("body", [b"<html>login</html>", b"", b"[]", b"\xff"])
def test_an_answer_that_is_no_kubernetes_object_is_one_sentence(tmp_path: Path, body: bytes) -> None:
    with stumbling(tmp_path, (200, {}, body)) as (api, _, _), pytest.raises(ApiError) as caught:
        api.list(PODS_IN_BENCH)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_with_kubeconfig_and_context(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9")
    events: list[str] = []
    with (
        Api(kubeconfig, "test", on_event=events.append, retry_for_s=0.3) as api,
        pytest.raises(
            ApiError, match=r"no answer from the API server of .*kubeconfig, context test .*refused"
        ),
    ):
        api.list(PODS_IN_BENCH)
    assert events


@pytest.mark.parametrize(("content", "context"), [("", None), ("a: [", None), ("{}", "nope"), ("[1]", None)])
def test_a_kubeconfig_that_cannot_be_used_is_a_configuration_error(
    tmp_path: Path, content: str, context: str | None
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"^kubeconfig .* cannot be used"):
        Api(path, context, on_event=print)
    with pytest.raises(ConfigError, match="cannot be used"):
        Api(tmp_path / "none", on_event=print)


def test_a_token_that_is_not_accepted_is_said_to_be(bench: Bench, tmp_path: Path) -> None:
    config = yaml.safe_load(bench.cluster.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = config["current-context"]
    path = tmp_path / "other"
    path.write_text(yaml.safe_dump(config))
    with Api(path, on_event=print) as api, pytest.raises(ApiError, match=r"are not accepted \(401") as caught:
        api.list(PODS_IN_BENCH)
    assert caught.value.status == 401


def with_token_file(bench: Bench, folder: Path, token: str) -> Path:
    """Write a kubeconfig whose token is in a file beside it."""
    config = yaml.safe_load(bench.cluster.kubeconfig.read_text())
    user = config["users"][0]["user"]
    del user["token"]
    user["tokenFile"] = str(folder / "token")
    (folder / "token").write_text(token)
    path = folder / "with-token-file"
    path.write_text(yaml.safe_dump(config))
    return path


def token_of(bench: Bench) -> str:
    token: str = yaml.safe_load(bench.cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
    return token


def test_the_line_end_of_a_token_file_is_no_part_of_the_token(bench: Bench, tmp_path: Path) -> None:
    with Api(with_token_file(bench, tmp_path, f"{token_of(bench)}\n"), on_event=print) as api:
        for _ in range(2):
            assert api.list(PODS_IN_BENCH)["kind"] == "PodList"


def test_a_token_that_no_header_can_have_is_one_sentence_without_it(bench: Bench, tmp_path: Path) -> None:
    hidden = "planted-secret"
    with (
        Api(with_token_file(bench, tmp_path, f"{hidden}\nx"), on_event=print) as api,
        pytest.raises(ApiError, match="the credentials hold what no HTTP header may have") as caught,
    ):
        api.list(PODS_IN_BENCH)
    assert hidden not in "".join(traceback.format_exception(caught.value, chain=True))


def test_a_token_that_was_renewed_in_its_file_is_read_again(bench: Bench, tmp_path: Path) -> None:
    with Api(with_token_file(bench, tmp_path, "an-old-one"), on_event=print) as api:
        with pytest.raises(ApiError, match=r"are not accepted \(401"):
            api.list(PODS_IN_BENCH)
        (tmp_path / "token").write_text(f"{token_of(bench)}\n")
        assert api.list(PODS_IN_BENCH)["kind"] == "PodList"


def test_a_thread_whose_token_another_one_has_renewed_tries_again_as_well(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, renewed = threading.Event(), threading.Event()
    with (
        Api(with_token_file(bench, tmp_path, "an-old-one"), on_event=print) as api,
        ThreadPoolExecutor(1) as pool,
    ):
        call_api = api._client.call_api

        def held_back(*request: object, **options: object) -> object:
            response = call_api(*request, **options)
            if threading.current_thread() is not threading.main_thread():
                refused.set()
                assert renewed.wait(10)
            return response

        monkeypatch.setattr(api._client, "call_api", held_back)
        other = pool.submit(api.list, PODS_IN_BENCH)
        try:
            assert refused.wait(10)
            (tmp_path / "token").write_text(token_of(bench))
            assert api.list(PODS_IN_BENCH)["kind"] == "PodList"
        finally:
            renewed.set()
        assert other.result(10)["kind"] == "PodList"


def test_a_token_file_that_is_gone_leaves_what_the_server_said(bench: Bench, tmp_path: Path) -> None:
    with Api(with_token_file(bench, tmp_path, "an-old-one"), on_event=print) as api:
        (tmp_path / "token").unlink()
        with pytest.raises(ApiError, match=r"are not accepted \(401"):
            api.list(PODS_IN_BENCH)


def test_a_missing_right_is_named_as_a_role_spells_it(tmp_path: Path) -> None:
    def no_scaling(_user: str, _verb: str, _group: str, _resource: str, subresource: str, _ns: str) -> bool:
        return subresource != "scale"

    with (
        cluster(tmp_path, no_scaling) as running,
        Api(running.kubeconfig, on_event=print) as api,
        pytest.raises(ApiError, match="verb 'patch' on resource 'deployments/scale' of API group apps"),
    ):
        api.patch(DEPLOYMENTS, "kubelb", {}, "bench", subresource="scale")


def test_a_certificate_of_someone_else_is_not_accepted(bench: Bench, tmp_path: Path) -> None:
    config = yaml.safe_load(bench.cluster.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    path = write_kubeconfig(tmp_path / "other", server)
    with Api(path, on_event=print) as api, pytest.raises(ApiError, match="certificate verify failed"):
        api.list(PODS_IN_BENCH)


def test_an_object_that_does_not_exist_is_none(bench: Bench) -> None:
    assert bench.api.find(DEPLOYMENTS, "nothing", "bench") is None


def test_only_the_very_object_that_was_found_is_deleted(bench: Bench) -> None:
    found = bench.api.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, "bench")
    bench.api.delete(CONFIG_MAPS, found)
    bench.api.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, "bench")
    with pytest.raises(ApiError) as caught:
        bench.api.delete(CONFIG_MAPS, found)
    assert caught.value.status == 409


def test_the_message_of_a_status_is_kept_and_other_text_is_cut() -> None:
    assert message_of(json.dumps({"kind": "Status", "message": "a\nb"}).encode()) == "a b"
    assert message_of(b"x" * 999) == "x" * 300
