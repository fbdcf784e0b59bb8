"""One run: wrk on the benchmarker, and what becomes of it. Touches the benchmarker.

The Lua report is written once per session into a folder of its own on the benchmarker, and removed with it. The folder
has an undo journal that says whose it is, so that `kubelb restore` finds it after a crash.
"""

from __future__ import annotations

import re
import secrets
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_kubelb.backends.base import Remote, run_script
from pytest_kubelb.errors import TestbedError, WrkOutputError
from pytest_kubelb.load.command import wrk_command
from pytest_kubelb.load.json_output import parse_json_output, report_script
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.hosts import Completed, Host
    from pytest_kubelb.testbed.journal import Journal

GRACE_S = 30
"""How much longer than its duration wrk may take before it is killed."""

# The benchmarker's own clock says how long wrk took; a stall hides in a mean, not in the wall time.
# `times` prints the CPU time of the shell and, on its second line, that of the processes it waited for: wrk's own.
_STAMPED = 'date +%s.%N >&2; "$@"; code=$?; date +%s.%N >&2; times >&2; exit $code'
_MINUTES = r"([0-9]{1,9})m([0-9]{1,2}\.[0-9]{1,9})s"
_CHILDREN = re.compile(f"{_MINUTES} {_MINUTES}")
_STAMP = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
_FOLDER = re.compile(rf"{re.escape(journal.LOAD_FOLDERS)}([A-Za-z0-9._-]+)\.[0-9a-f]{{8}}", re.ASCII)


class LoadGenerator:
    """wrk on one benchmarker, for one session; its folder there stays from `open` until `remove`.

    A signal may come at any moment of `open`: arrange for `remove` before it.
    """

    def __init__(self, benchmarker: Host, session: str) -> None:
        self._host = benchmarker
        self._session = session
        self._begun = False
        self.printed: Completed | None = None
        """What the last run printed."""
        self._folder = f"{journal.LOAD_FOLDERS}{session}.{secrets.token_hex(4)}"

    def open(self) -> None:
        """Make our folder on the benchmarker; raises TestbedError when it has no wrk, or cannot be written."""
        self._begun = True
        left = journal.opened(self._session, journal.LOAD, self._host.name, {"folder": self._folder})
        run_script(self._host, _prepare(left, self._folder), stdin=journal.encode(left) + report_script())

    def remove(self) -> None:
        """Take our folder away from the benchmarker, as far as `open` came with it."""
        if self._begun:
            self._host.run(["rm", "-rf", "--", self._folder])

    def run(self, target: Target, settings: Settings, *, number: int, warmup: bool) -> Sample:
        """Run wrk once and give the sample; what wrk did wrong makes the sample invalid, and says why.

        Raises TestbedError when the benchmarker itself is lost.
        """
        argv = wrk_command(
            target.url,
            script=f"{self._folder}/report.lua",
            host_header=target.host_header,
            connections=settings.connections.at(target.point.pods),
            threads=settings.threads,
            duration_s=settings.duration,
        )
        limit_s = settings.duration + GRACE_S
        started = datetime.now(UTC)
        guarded = ["timeout", "--kill-after=2", str(limit_s), *argv]
        completed = self._host.run(
            ["sh", "-c", _STAMPED, "sh", *guarded], timeout_s=limit_s + 10.0, check=False
        )
        self.printed = completed
        return _sample(target, argv, started, completed, limit_s=limit_s, number=number, warmup=warmup)


def _prepare(left: Journal, folder: str) -> list[str]:
    """Give the script lines that make the folder, with the journal and the report from their stdin, or nothing."""
    quoted = shlex.quote(folder)
    fail = f"{{ echo 'the folder {folder} cannot be written' >&2; rm -rf -- {quoted}; exit 1; }}"
    return [
        'command -v wrk >/dev/null || { echo "wrk is not installed" >&2; exit 1; }',
        journal.NAMESPACE_LINE,
        "umask 077",
        f"mkdir -- {quoted}",
        f"IFS= read -r journal && printf '%s\\n' \"$journal\" >{quoted}/{journal.file_name(left)} || {fail}",
        f"cat >{quoted}/report.lua || {fail}",
    ]


def put_back(benchmarker: Remote, left: Journal) -> tuple[str, ...]:
    """Take away the folder that a session left, and end its wrk where that runs on; what was put back, a line each.

    Raises TestbedError when the journal names no folder of that session.
    """
    folder = left.payload.get("folder")
    found = _FOLDER.fullmatch(folder) if isinstance(folder, str) else None
    if found is None or found[1] != left.session:
        raise TestbedError(
            f"host {benchmarker.name}: the journal of {journal.label(left)} names the folder {folder!r}, which is no"
            " folder of it; see what wrote it, and remove it by hand"
        )
    quoted = shlex.quote(found[0])
    # Letters in brackets: the pattern does not match the command line that it is on.
    pattern = re.sub(r"[^A-Za-z0-9/-]", lambda other: f"[{other[0]}]", f"{found[0]}/report.lua")
    run_script(
        benchmarker,
        [
            f"if [ ! -O {quoted} ] || [ -L {quoted} ]; then exit 0; fi",
            f'pkill -u "$(id -u)" -f {shlex.quote(pattern)} 2>/dev/null || :',
            f"rm -r -- {quoted}",
        ],
    )
    return (f"folder {folder} removed",)


def lost(target: Target, cause: TestbedError, *, number: int) -> Sample:
    """Give the sample of a run that the testbed took away: failed, with the cause."""
    return Sample(
        point=target.point.axes(),
        provisioning=target.point.provisioning,
        run=number,
        validity="failed",
        reason=str(cause),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        wall_s=0.0,
        command="",
        result=None,
    )


def _sample(
    target: Target,
    argv: Sequence[str],
    started: datetime,
    completed: Completed,
    *,
    limit_s: float,
    number: int,
    warmup: bool,
) -> Sample:
    result, reason = None, None
    wall_s, wrk_cpu_s, said = _times(completed)
    if completed.exit_code == 0:
        try:
            result = parse_json_output(completed.stdout)
        except WrkOutputError as error:
            reason = str(error)
    else:
        reason = _why_ended(completed.exit_code, said, overdue=wall_s >= limit_s)
    if result is not None and result.requests == 0:
        reason = "wrk got no answer at all"
    validity = "failed" if reason else "warmup" if warmup else "valid"
    return Sample(
        point=target.point.axes(),
        provisioning=target.point.provisioning,
        run=number,
        validity=validity,
        reason=reason,
        started=started.isoformat(timespec="milliseconds"),
        wall_s=wall_s,
        command=shlex.join(argv),
        result=result,
        wrk_cpu_s=wrk_cpu_s,
    )


def _why_ended(exit_code: int, said: str, *, overdue: bool) -> str:
    """Give the sentence for a wrk that failed; `exit_code` is that of timeout(1) around it, as the shell saw it."""
    if exit_code == 124 or (exit_code == 137 and overdue):  # 137: timeout(1) needed SIGKILL
        return f"wrk had not ended {GRACE_S} s after its time and was killed"
    if exit_code > 128:
        return f"wrk was killed by signal {exit_code - 128}, and not by us: {said or 'it said nothing'}"
    return f"wrk ended with exit code {exit_code}: {said or 'it said nothing'}"


def _times(completed: Completed) -> tuple[float, float | None, str]:
    """Give wrk's wall time, its CPU time, and what it said; without two stamps the wall time is our own measure."""
    lines = completed.stderr.strip().splitlines()
    cpu_s = None
    if len(lines) > 2 and (spent := _CHILDREN.fullmatch(lines[-1])):
        minutes, seconds, system_minutes, system_seconds = map(float, spent.groups())
        cpu_s = round((minutes + system_minutes) * 60 + seconds + system_seconds, 3)
        del lines[-2:]
    if len(lines) < 2 or not (_STAMP.fullmatch(lines[0]) and _STAMP.fullmatch(lines[-1])):
        return completed.elapsed_s, cpu_s, " ".join(lines)[:300]
    wall_s = round(float(lines[-1]) - float(lines[0]), 6)
    # A clock that was set meanwhile can make it negative, which no record may hold.
    return wall_s if wall_s >= 0 else completed.elapsed_s, cpu_s, " ".join(lines[1:-1])[:300]
