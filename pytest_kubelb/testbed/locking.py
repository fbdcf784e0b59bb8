"""Hold the testbed for one session: a Lease in the cluster and a lock on each host. Touches both.

The Lease tells sessions of one cluster from each other, before any host is asked. The lock on the hosts tells those
apart that reach one load balancer by two clusters or namespaces. It is flock(2) on a file in /run, kept by a shell that
stays open over ssh, and no entry in the undo journal: a journal outlives its session on purpose, and cannot say whether
the session lives, whereas the kernel frees this lock with the shell, and sshd ends the shell with the connection. A
connection that died without a word ends too: the shell ends itself when it has not been spoken to for a while.
"""

from __future__ import annotations

import logging
import shlex
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster import namespace
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import DURATION_S, RENEW_DEADLINE_S, RENEW_EVERY_S, Lease, LeaseLostError
from pytest_kubelb.errors import KubelbError, TestbedError
from pytest_kubelb.testbed.identity import identity_of
from pytest_kubelb.testbed.journal import NAMESPACE_LINE
from pytest_kubelb.testbed.shell import RemoteShell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_kubelb.cluster.lease import Holder
    from pytest_kubelb.testbed.hosts import Host
    from pytest_kubelb.testbed.inventory import Inventory

    OnEvent = Callable[[str, Mapping[str, object]], None]

ROOT: Final = "/run/kubelb-lock"
FRESH_S: Final = 1.0
"""What was known of the Lease a shorter time ago is not asked again."""
RETRY_S: Final = 2.0
_ANSWER_TIMEOUT_S = 10.0


log = logging.getLogger(__name__)

# `lock WORDS` takes the lock, or says that we are alive where it is taken, and prints `held BOOT_ID`, `by WHO` or
# `failed WHY`.
# The file may vanish between its opening and flock, with the session that had it: then the lock is on nothing.
# On builtins but for flock itself: it is repeated while wrk runs.
_DEFINITIONS = f"""
{NAMESPACE_LINE}
s=; [ -w /proc/sys/net/ipv4/ip_forward ] || s='sudo -n --'
d=@folder@; f=$d/$ns; mine=$f-$$; held=
IFS= read -r boot </proc/sys/kernel/random/boot_id
lock() {{
  if [ "$held" ]; then printf '%s\\n' "$1" >"$mine"; echo "held $boot"; return; fi
  command -v flock >/dev/null || {{ echo 'failed there is no flock: install util-linux'; return; }}
  for try in 1 2 3 4 5; do
    [ -d $d ] || $s mkdir -p -m 1777 $d || {{
      echo "failed $d cannot be made: allow it as deploy/sudoers.d-kubelb does"; return; }}
    ( umask 022; set -C; : >"$f" )
    {{ command exec 9<"$f"; }} || continue
    if ! flock -n 9; then who; command exec 9<&-; return; fi
    if [ "$f" -ef "/proc/$$/fd/9" ]; then keep "$1"; return; fi
    command exec 9<&-
  done
  echo "failed $f cannot be opened: see who owns it"
}}
who() {{
  for try in 1 2 3 4 5; do  # who has just taken it says so a moment later
    for o in "$f"-*; do
      if [ -d "/proc/${{o##*-}}" ] && IFS= read -r line <"$o"; then echo "by $line"; return; fi
    done
    sleep 0.1
  done
  echo 'by somebody'
}}
keep() {{
  umask 022; rm -f "$f"-*; true >"$mine.seen"; printf '%s\\n' "$1" >"$mine"; held=yes
  ( exec 9<&- </dev/null >/dev/null
    trap 'kill -9 $!; exit' TERM  # or its sleep would outlive it, even one that is just being started
    while sleep @silence@ & wait $! && [ "$f" -ef "/proc/$$/fd/9" ]; do
      [ "$mine" -nt "$mine.seen" ] || {{ kill $$; exit; }}
      true >"$mine.seen"
    done ) &
  dog=$!; echo "held $boot"
}}
unlock() {{
  [ "$held" ] || return
  held=; kill $dog; rm -f "$f" "$f"-*; command exec 9<&-; $s rmdir $d
}}
trap unlock EXIT
trap exit PIPE  # nobody listens any more: the session was ended while it took the lock
"""

WHO_LINES: Final = (
    'echo "@@lock"',
    f"f={ROOT}/$ns",
    'for o in "$f"-*; do',
    # Whose process is gone holds nothing; whose number is another process now has left its lock free.
    '  if [ -d "/proc/${o##*-}" ] && [ -e "$f" ] && IFS= read -r line <"$o" && ! flock -n "$f" true; then',
    '    echo "$line"',
    "  fi",
    "done",
    f'echo "@@folder"; [ ! -d {ROOT} ] || echo there',
)
"""Script lines that say who holds the host, `identity since TIME`, and take nothing; they need `ns`."""

SWEEP_LINES: Final = (
    f"f={ROOT}/$ns",
    # As who frees the lock does it: the files go while it is held, so that nobody has just taken what is removed.
    '[ ! -e "$f" ] || flock -n "$f" rm -f "$f" "$f"-* || :',
    f"$s rmdir {ROOT} 2>/dev/null && echo removed || :",
)
"""Script lines that remove what a session that was killed while it took the lock has left; they need `ns`."""


class Lock:
    """The Lease and the hosts' locks of one session, kept alive in threads of their own."""

    def __init__(
        self,
        lease: Lease,
        hosts: Mapping[str, Host],
        identity: str,
        *,
        folder: str = ROOT,
        silence_s: float = DURATION_S,
        on_event: OnEvent = lambda *_: None,
    ) -> None:
        """`folder` is where the hosts keep the lock; a host that hears nothing for twice `silence_s` frees it.

        `on_event` is told, in a thread of ours, of each outage of a host.
        """
        self._lease = lease
        self._on_event = on_event
        self._words = f"{identity} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        definitions = _DEFINITIONS.replace("@folder@", folder).replace("@silence@", f"{silence_s:g}")
        self._shells = {name: RemoteShell(host, definitions) for name, host in hosts.items()}
        self._pool = ThreadPoolExecutor(max(1, len(hosts)), thread_name_prefix="kubelb-lock")
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._asked = False
        self._asking = threading.Lock()
        self._kept_s: dict[str, float] = {}  # when each host was last asked that said it is held
        self._refusals: dict[str, TestbedError] = {}
        self._boots: dict[str, str] = {}
        self._restarted: set[str] = set()
        self._outage: str | None = None
        self._lost: str | None = None
        self._confirmed_s = time.monotonic()

    def check(self) -> None:
        """Raise TestbedError, with who has it now, when the testbed is not this session's any more.

        Asks the cluster, unless it was asked a moment ago.
        """
        if self._lost is None and time.monotonic() - self._confirmed_s > FRESH_S:
            self._upkeep(self._lease.confirm)
        if self._lost is None and self._outage is not None:
            self._lost = self._last_word(self._outage)
        if self._lost is not None:
            raise TestbedError(self._lost)

    def keep_lease(self) -> None:
        """Begin to renew the Lease."""
        self._start("kubelb-lease", self._keep_lease)

    def take_hosts(self, *, wait: bool, patience_s: float) -> None:
        """Lock all hosts or, while one of them is held by another session, none.

        Raises TestbedError when one is after `patience_s`, unless it is to `wait`, and when one cannot be locked.
        """
        told: set[str] = set()
        deadline = time.monotonic() + patience_s
        while held := self._ask_hosts():
            self._each(self._unlock)
            sentence = "; ".join(f"host {name} is held by {who}" for name, who in held.items())
            if not wait and time.monotonic() >= deadline:
                raise TestbedError(
                    f"{sentence}, which reaches it by another cluster or namespace: wait for its end, or let this"
                    " session wait with --kubelb-on-locked=wait"
                )
            if sentence not in told:
                log.warning("%s: waiting for its end", sentence)
                told.add(sentence)
            time.sleep(RETRY_S)
            self.check()
        self._start("kubelb-locks", self._keep_hosts)

    def close(self) -> None:
        """End the threads, free the hosts, then the Lease; what cannot be freed frees itself. Safe to call twice."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():  # a signal may have come before it was started
                thread.join()
        for free in (self._free_hosts, self._lease.release):
            try:
                free()
            except TestbedError as error:  # a command that Ctrl-C could not end took its connection along
                log.warning("the testbed's lock frees itself within %d s, since %s", 2 * DURATION_S, error)
        self._end_shells()
        self._pool.shutdown()

    def _start(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep_lease(self) -> None:
        pause_s = RENEW_EVERY_S
        while self._lost is None and not self._ended.wait(pause_s):
            pause_s = RENEW_EVERY_S if self._upkeep(self._lease.renew) else RETRY_S

    def _upkeep(self, ask: Callable[[], None]) -> bool:
        """Ask the cluster, and note when the Lease is lost; whether it answered."""
        try:
            ask()
        except LeaseLostError as error:
            self._lost = self._lost or str(error)
        except KubelbError as error:
            log.warning("the testbed's lock: %s", error)
            if self._lease.age_s > RENEW_DEADLINE_S:
                self._lost = self._lost or (
                    f"the testbed may be taken by others: {self._lease} could not be renewed for"
                    f" {self._lease.age_s:.0f} s, and {DURATION_S} s are what it lasts ({error})"
                )
        else:
            self._confirmed_s = time.monotonic()
            return True
        return False

    def _keep_hosts(self) -> None:
        # A connection that was lost is opened again, and the lock taken again: it is lost when another session has it.
        pause_s = RENEW_EVERY_S
        silent = False
        while not self._ended.wait(pause_s):
            try:
                held = self._ask_hosts()
            except TestbedError as error:
                log.warning("the lock of a host: %s", error)
                if not silent:  # once for each outage, however often it is tried
                    self._on_event("lock_silent", {"text": str(error)})
                silent, pause_s = True, RETRY_S
                self._note_outage(error)
                continue
            silent, pause_s = False, RENEW_EVERY_S
            for name, who in held.items():
                self._lost = self._lost or _taken(name, who)

    def _note_outage(self, error: TestbedError) -> None:
        name, kept_s = min(self._kept_s.items(), key=lambda each: each[1])
        silent_s = _clock_s() - kept_s
        if silent_s > RENEW_DEADLINE_S:
            self._outage = self._outage or (
                f"host {name}: its lock may be taken by others, since it could not be renewed for {silent_s:.0f} s"
                f" ({self._refusals.get(name, error)})"
            )

    def _last_word(self, outage: str) -> str:
        """Ask the hosts once more after an outage that was too long: one that is back can say why."""
        with suppress(TestbedError):
            for name, who in self._ask_hosts().items():
                return _taken(name, who)
        for name in sorted(self._restarted):
            return (
                f"host {name} was started again while this session held it, and nobody held its lock meanwhile; look"
                " for the reason in its journal (`journalctl -b -1`)"
            )
        return outage

    def _ask_hosts(self) -> dict[str, str]:
        """Take or keep the lock of every host; host -> who else holds it. Raises TestbedError."""
        held: dict[str, str] = {}
        self._asked = True
        with self._asking:
            answers = self._each(self._keep)
        for name, answer in answers.items():
            word, _, rest = answer.partition(" ")
            if word == "by":
                held[name] = rest
            elif word != "held":
                raise TestbedError(f"host {name} cannot be locked: {rest or answer or 'no answer'}")
        return held

    def _keep(self, name: str) -> str:
        asked_s = _clock_s()
        try:
            answer = (
                self._shells[name].ask(f"lock {shlex.quote(self._words)}", _ANSWER_TIMEOUT_S).text.strip()
            )
        except TestbedError as error:
            self._refusals[name] = error
            raise
        word, _, boot = answer.partition(" ")
        if word == "held":
            self._kept_s[name] = asked_s
            if self._boots.setdefault(name, boot) != boot:
                self._restarted.add(name)
        return answer

    def _unlock(self, name: str) -> str:
        return self._shells[name].ask("unlock", _ANSWER_TIMEOUT_S).text

    def _free_hosts(self) -> None:
        if self._asked:
            self._asked = False
            self._each(self._unlock)

    def _each(self, ask: Callable[[str], str]) -> dict[str, str]:
        asked = {name: self._pool.submit(ask, name) for name in self._shells}
        try:
            wait(asked.values())
        except BaseException:  # Ctrl-C: nobody waits for these answers any more
            self._asked = False  # a shell that ends frees its lock
            self._end_shells()
            wait(asked.values())
            raise
        return {name: answer.result() for name, answer in asked.items()}

    def _end_shells(self) -> None:
        for shell in self._shells.values():
            shell.close()


@contextmanager
def locked(
    inventory: Inventory,
    session: str,
    hosts: Mapping[str, Host],
    on_event: OnEvent,
    *,
    wait: bool = False,
) -> Iterator[Lock]:
    """Hold the testbed of `inventory` for `session`: its Lease first, then `hosts`.

    Nothing else is touched, but that the Lease's namespace is made where it is not there and the inventory allows it.
    While another session has it: raises TestbedError with who that is and since when, or waits for its end.
    """
    cluster = inventory.cluster
    identity = identity_of(session)

    def tell(holder: Holder) -> None:
        on_event("locked", {"by": holder.identity, "since": holder.since, "renewed": holder.renewed})
        log.warning(
            "the testbed is held by %s since %s: seeing whether it is alive", holder.identity, holder.since
        )

    with ExitStack() as stack:
        api = stack.enter_context(
            Api(
                cluster.kubeconfig,
                cluster.context,
                on_event=lambda text: on_event("kubernetes", {"text": text}),
                timeout_s=5.0,
                retry_for_s=5.0,
            )
        )
        if cluster.create_namespace and namespace.ensure(api, cluster.namespace):
            on_event("namespace", {"made": cluster.namespace})
        lease = Lease(api, cluster.namespace, identity)
        lock = Lock(lease, hosts, identity, on_event=on_event)
        stack.callback(lock.close)
        dead = lease.acquire(wait=wait, on_held=tell)
        lock.keep_lease()
        # The hosts learn a little later than we that a session is dead: see `sleep` above.
        lock.take_hosts(wait=wait, patience_s=0.0 if dead is None else 2.0 * DURATION_S)
        yield lock


def _taken(name: str, who: str) -> str:
    return f"host {name} was taken from this session and is held by {who}"


def _clock_s() -> float:
    return time.clock_gettime(
        time.CLOCK_BOOTTIME
    )  # goes on while the machine is suspended, as the Lease's age does
