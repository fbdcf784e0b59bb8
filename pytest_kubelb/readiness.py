"""The proof that a point is ready: every pod answers through the load balancer by its own address.

Touches the benchmarker.

"Ready" in the cluster was not ready in the seed: the load balancer listed N servers and the first run still
waited a minute. So the benchmarker asks, one new connection per question, until each pod has answered once.
"""

import math
import time
from collections.abc import Collection

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Completed, Host

ANSWER_TIMEOUT_S = 2
PAUSE_S = 0.02


def prove(
    benchmarker: Host,
    url: str,
    host_header: str,
    pods: Collection[str],
    *,
    timeout_s: float,
    leaving: Collection[str] = (),
) -> int:
    """Return the number of questions it took until each address of `pods` has answered.

    `leaving` are addresses of pods that were there before, for a load balancer that follows the cluster in its own
    time: they may answer for a while, and at the end it is asked until one that is left would have been met.
    Raises TestbedError when `timeout_s` passes first, and at once when something else answers.
    """
    deadline = time.monotonic() + timeout_s
    expected, seen, asked = set(pods), set[str](), 0
    former = set(leaving) - expected
    may_linger, lingering = bool(former and expected), ""
    problem = "nothing was asked"
    while seen != expected or may_linger:
        if time.monotonic() > deadline:
            if seen == expected and lingering:
                raise TestbedError(
                    f"{url}: {lingering} answered through the load balancer for {timeout_s:.0f} s after its pod had"
                    " gone from the Service; see whether kube-proxy, or who else programs it, follows the cluster"
                )
            absent = sorted(expected - seen)
            named = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
            raise TestbedError(
                f"{url}: {len(absent)} of {len(expected)} pods ({named}) did not answer through the load"
                f" balancer within {timeout_s:.0f} s ({asked} answers to {benchmarker.name}; last problem: {problem})"
            )
        confirms = seen == expected
        count = last_questions(len(expected)) if confirms else questions(len(expected), len(expected - seen))
        completed = benchmarker.run(
            curl_command(url, host_header, count), timeout_s=count * ANSWER_TIMEOUT_S + 5.0, check=False
        )
        answers = _whole_answers(completed)
        asked += len(answers)
        faults = [answer for answer in answers if _is_fault(answer)]
        known = expected | former
        stranger = next((each for each in answers if each not in known and not _is_fault(each)), None)
        if stranger is not None:
            raise TestbedError(
                f"{url}: {stranger[:80]!r} answered, which is none of the {len(expected)} pods of this point;"
                " something else serves this address"
            )
        said = " ".join(completed.stderr.split())[:200] or f"curl ended with exit code {completed.exit_code}"
        problem = said if completed.exit_code else faults[0] if faults else "none"
        seen.update(answer for answer in answers if answer in expected)
        lingering = next((answer for answer in answers if answer in former), lingering if faults else "")
        if completed.exit_code or faults or lingering:
            time.sleep(PAUSE_S)
        elif confirms:
            may_linger = False
    return asked


def last_questions(pods: int) -> int:
    """Give how many connections do not miss one server too many, drawn like the others, but once in a hundred times."""
    return math.ceil((pods + 1) * math.log(100))


def questions(pods: int, unseen: int) -> int:
    """Give how many connections to try next.

    One per pod at first, which is enough for a scheduler that takes turns. For one that draws at random this is the
    coupon collector: with m of n unseen, n (ln m + 1.5) draws leave m e^-(ln m + 1.5) = 0.2 unseen on average.
    """
    if unseen == pods:
        return pods
    return math.ceil(pods * (math.log(unseen) + 1.5))


def curl_command(url: str, host_header: str, count: int) -> list[str]:
    """Give the command that asks `count` times, each time over a new connection, and stops at the first failure.

    Each answer ends with a line `;<status>` of its own.
    """
    return [
        "curl",
        "--disable",  # a .curlrc or a proxy would take the question another way than wrk's requests go
        "--noproxy",
        "*",
        "--silent",
        "--show-error",
        "--fail-early",
        "--max-time",
        str(ANSWER_TIMEOUT_S),
        "--header",
        f"Host: {host_header}",
        "--header",
        "Connection: close",
        "--write-out",
        "\n;%{http_code}\n",
        f"{url}?[1-{count}]",
    ]


def read_answers(text: str) -> list[str]:
    """Give the body of each answer, stripped; for a status other than 200, `HTTP <status>` in its place."""
    answers = []
    body: list[str] = []
    for line in text.splitlines():
        if not line.startswith(";"):
            body.append(line)
            continue
        status = line[1:]
        if status != "000":  # curl's word for: no answer at all
            answers.append("\n".join(body).strip() if status == "200" else f"HTTP {status}")
        body = []
    return answers


def _whole_answers(completed: Completed) -> list[str]:
    """Give the answers without one that was cut short: curl stops at the transfer that failed, so it is the last."""
    answers = read_answers(completed.stdout)
    cut_short = completed.exit_code != 0 and not completed.stdout.rstrip().endswith(";000")
    return answers[:-1] if cut_short else answers


def _is_fault(answer: str) -> bool:
    return answer.startswith("HTTP ")
