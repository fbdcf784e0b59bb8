"""The proof that each pod answers: real curl, real HTTP servers on loopback."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb import readiness
from pytest_kubelb.errors import TestbedError
from tests.load import conftest as load
from tests.local_host import LocalHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # What to answer next: status, body, and the length to announce when it is not the body's own.
    Answer = tuple[int, str, int | None]
    Serve = Callable[..., str]

nginx_url = load.nginx_url

PODS = ["172.16.61.2", "172.16.62.2", "172.16.63.2"]


class Answers(ThreadingHTTPServer):
    """A load balancer that gives `answers` in turn, for ever, one per connection; it notes the Host headers."""

    daemon_threads = True

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = cycle(answers)
        self.hosts: list[str] = []
        self.connections = 0

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    server: Answers
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body, length = next(self.server.answers)
        self.server.hosts.append(self.headers["Host"])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body.encode())
        self.close_connection = self.close_connection or length is not None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[list[Answers]]:
    """Those that this test started; ended with it."""
    started: list[Answers] = []
    yield started
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve(servers: list[Answers]) -> Serve:
    """Start a server that gives these answers in turn; gives its URL."""

    def start(*answers: str | Answer) -> str:
        server = Answers([(200, each, None) if isinstance(each, str) else each for each in answers])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    return start


def refusal(url: str, *, timeout_s: float, host: LocalHost | None = None) -> str:
    """Give the sentence with which the proof fails."""
    with pytest.raises(TestbedError) as caught:
        readiness.prove(host or LocalHost(), url, "lb.test", PODS, timeout_s=timeout_s)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_balancer_that_takes_turns_is_proved_with_one_question_per_pod(
    serve: Serve, servers: list[Answers]
) -> None:
    url = serve(*PODS)
    assert readiness.prove(LocalHost(), url, "lb.test", PODS, timeout_s=10) == len(PODS)
    assert servers[0].hosts == ["lb.test"] * len(PODS)


def test_each_question_is_a_connection_of_its_own(serve: Serve, servers: list[Answers]) -> None:
    asked = readiness.prove(LocalHost(), serve(*PODS), "lb.test", PODS, timeout_s=10)
    assert servers[0].connections == asked


def test_a_balancer_that_takes_no_turns_is_asked_until_the_last_pod_has_answered(serve: Serve) -> None:
    asked = readiness.prove(
        LocalHost(), serve(*[PODS[0]] * 7, PODS[1], PODS[2]), "lb.test", PODS, timeout_s=10
    )
    assert asked >= 9


def test_a_real_nginx_is_proved(nginx_url: str) -> None:
    assert readiness.prove(LocalHost(), f"{nginx_url}/", "lb.test", ["172.16.1.2"], timeout_s=10) == 1


def test_no_pods_need_no_question() -> None:
    host = LocalHost()
    assert readiness.prove(host, "http://127.0.0.1:1/", "lb.test", [], timeout_s=0) == 0
    assert host.commands == []


def test_a_pod_that_is_leaving_may_answer_for_a_while(serve: Serve) -> None:
    url = serve("172.16.61.9", *PODS, "172.16.61.9", *PODS * 30)
    asked = readiness.prove(LocalHost(), url, "lb.test", PODS, timeout_s=30, leaving=["172.16.61.9"])
    assert asked >= len(PODS) + readiness.last_questions(len(PODS))


def test_one_that_is_leaving_is_not_overlooked_behind_pods_that_answered_first(serve: Serve) -> None:
    host = LocalHost()
    url = serve(PODS[0], *[*[PODS[0]] * 8, "172.16.61.9"] * 3, *[PODS[0]] * 200)
    readiness.prove(host, url, "lb.test", PODS[:1], timeout_s=30, leaving=["172.16.61.9"])
    assert len(host.commands) > 2, "the first round of last questions met the pod that was leaving"


def test_a_pod_that_never_leaves_is_named(serve: Serve) -> None:
    with pytest.raises(
        TestbedError, match=r"172\.16\.61\.9 answered .* after its pod had gone from the Service"
    ):
        readiness.prove(
            LocalHost(),
            serve(*PODS, "172.16.61.9"),
            "lb.test",
            PODS,
            timeout_s=0.5,
            leaving=["172.16.61.9"],
        )


def test_without_pods_that_are_leaving_nothing_is_asked_twice(serve: Serve) -> None:
    assert readiness.prove(LocalHost(), serve(*PODS), "lb.test", PODS, timeout_s=10, leaving=PODS) == 3


def test_a_stranger_is_named_at_once(serve: Serve) -> None:
    url = serve(PODS[0], "It works!")
    assert refusal(url, timeout_s=60) == (
        f"{url}: 'It works!' answered, which is none of the 3 pods of this point; something else serves this address"
    )


def test_a_stranger_is_named_although_a_fault_came_before_it(serve: Serve) -> None:
    assert "'It works!' answered" in refusal(serve((500, "", None), "It works!"), timeout_s=60)


def test_the_pod_of_another_point_is_a_stranger(serve: Serve) -> None:
    assert "'172.16.61.20' answered" in refusal(serve("172.16.61.20"), timeout_s=60)


def test_an_http_error_is_the_last_problem_when_the_time_is_up(serve: Serve) -> None:
    sentence = refusal(serve((500, "oops", None)), timeout_s=0.3)
    assert sentence.endswith("last problem: HTTP 500)")
    assert f"3 of 3 pods ({', '.join(PODS)}) did not answer through the load balancer within 0 s" in sentence


def test_a_few_http_errors_while_pods_come_up_are_overcome(serve: Serve) -> None:
    assert readiness.prove(LocalHost(), serve((503, "", None), *PODS), "lb.test", PODS, timeout_s=20) > 3


def test_nothing_listening_is_said_in_curls_words() -> None:
    with closing(socket.socket()) as bound:  # bound, so that nobody else takes it, and not listening
        bound.bind(("127.0.0.1", 0))
        sentence = refusal(f"http://127.0.0.1:{bound.getsockname()[1]}/", timeout_s=0.3)
    assert re.search(r"\(0 answers to here; last problem: curl: \(7\) Failed to connect[^()]*\)", sentence)


def test_one_pod_that_never_answers_is_named_alone(serve: Serve) -> None:
    sentence = refusal(serve(PODS[0], PODS[2]), timeout_s=0.3)
    assert f"1 of 3 pods ({PODS[1]}) did not answer" in sentence
    assert sentence.endswith("last problem: none)")


def test_of_many_absent_pods_three_are_named(serve: Serve) -> None:
    pods = [f"172.16.61.{number}" for number in range(2, 8)]
    url = serve(pods[0])
    with pytest.raises(
        TestbedError, match=r"5 of 6 pods \(172.16.61.3, 172.16.61.4, 172.16.61.5, …\) did not"
    ):
        readiness.prove(LocalHost(), url, "lb.test", pods, timeout_s=0.2)


def test_an_answer_that_is_cut_short_is_a_problem_and_no_stranger(serve: Serve) -> None:
    sentence = refusal(serve((200, "172.16.6", 11)), timeout_s=0.3)
    assert "last problem: curl: (18)" in sentence


def test_an_answer_that_is_cut_short_does_not_undo_those_before_it(serve: Serve) -> None:
    assert readiness.prove(
        LocalHost(), serve(*PODS[:2], (200, "172", 11), PODS[2]), "lb.test", PODS, timeout_s=20
    )


def test_a_missing_curl_is_said(tmp_path: object) -> None:
    assert "curl: not found" in refusal(
        "http://127.0.0.1:1/", timeout_s=0.1, host=LocalHost({"PATH": str(tmp_path)})
    )


def test_a_proxy_of_the_benchmarker_is_not_asked(serve: Serve, servers: list[Answers]) -> None:
    # wrk knows no proxies: the proof has to go the way of its requests.
    url, proxy = serve(*PODS), serve("the proxy")
    host = LocalHost({"http_proxy": proxy, "ALL_PROXY": proxy})
    assert readiness.prove(host, url, "lb.test", PODS, timeout_s=10) == 3
    assert servers[1].connections == 0


@pytest.mark.parametrize("pods", [1, 2, 40])
def test_at_first_there_is_one_question_per_pod(pods: int) -> None:
    assert readiness.questions(pods, pods) == pods


@given(st.integers(2, 200).flatmap(lambda pods: st.tuples(st.just(pods), st.integers(1, pods - 1))))
def test_then_there_are_enough_to_leave_a_fifth_of_a_pod_unseen_on_average(numbers: tuple[int, int]) -> None:
    pods, unseen = numbers
    expected_unseen = unseen * (1 - 1 / pods) ** readiness.questions(pods, unseen)
    assert expected_unseen < 0.25


def test_the_command_asks_as_often_as_it_is_told_and_keeps_no_connection() -> None:
    command = readiness.curl_command("http://192.168.0.111:8888/", "kubelb.test", 4)
    assert command[0] == "curl"
    assert command[-1] == "http://192.168.0.111:8888/?[1-4]"
    assert {"Host: kubelb.test", "Connection: close", "--fail-early"} <= set(command)


@given(st.text())
def test_any_text_can_be_read_as_answers(text: str) -> None:
    assert all(isinstance(answer, str) for answer in readiness.read_answers(text))


BODIES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=";"), max_size=20)


@given(st.lists(st.tuples(BODIES, st.sampled_from([200, 404, 500, 503]))))
def test_each_answer_is_read_back_with_its_status(answers: list[tuple[str, int]]) -> None:
    text = "".join(f"{body}\n;{status}\n" for body, status in answers)
    assert readiness.read_answers(text) == [
        body if status == 200 else f"HTTP {status}" for body, status in answers
    ]


@given(st.lists(st.ip_addresses(v=4).map(str)), BODIES)
def test_known_answers_are_recovered_from_before_a_failed_transfer(known: list[str], rest: str) -> None:
    text = "".join(f"{answer}\n;200\n" for answer in known) + f"{rest}\n;000\n"
    assert readiness.read_answers(text) == known
