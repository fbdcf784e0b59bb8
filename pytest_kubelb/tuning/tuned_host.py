"""One host and its knobs: read, journal, apply, read back, restore. Touches that host.

Applying and restoring are the same: settings are brought from what they are to what they should be, and only those
that differ are written. What is found first is kept, in the journal on the host before the first write.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.base import Remote, run_script
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal
from pytest_kubelb.tuning import places, reading, script
from pytest_kubelb.tuning.answer import PATH_LINE, sections
from pytest_kubelb.tuning.found import Found
from pytest_kubelb.tuning.plan import Plan, is_structure, plan
from pytest_kubelb.tuning.reading import Reading, Subjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.testbed.journal import Journal
    from pytest_kubelb.tuning.knobs import Knobs

_IRQ_MOVES_S: Final = 0.1
"""How long an IRQ is given to move to the CPUs that were written."""


@dataclass(frozen=True)
class HostTuning:
    """How a host is tuned, as its kernel says."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Every knob that was read, name -> value."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """Those of them that have to stay as they are: what the profile set, and what was put back."""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Knob -> why the host cannot do it."""
    effective: Mapping[str, str] = field(default_factory=dict)
    """Interrupt's setting -> the CPUs it is delivered to, which may be a part of its affinity."""
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What was written this time: name -> (before, after)."""


class TunedHost:
    """The knobs of one host during a session. Not for use by several threads."""

    def __init__(self, remote: Remote, session: str) -> None:
        self._remote = remote
        self._found = Found()
        self._session = session
        self._journal: Journal | None = None
        self._subjects = Subjects()

    @classmethod
    def from_journal(cls, remote: Remote, left: Journal) -> TunedHost:
        """Take over what a session left. Raises TestbedError when its payload cannot be understood."""
        host = cls(remote, left.session)
        host._journal = left
        try:
            host._found = Found.from_json(left.payload)
        except ValueError as error:
            raise TestbedError(
                f"host {remote.name}: the tuning journal of session {left.session} cannot be read: {error}; "
                "restore it with the version of kubelb that wrote it"
            ) from error
        host._subjects = host._found.subjects()
        return host

    @property
    def has_journal(self) -> bool:
        """Its journal has been written, and not yet removed by us."""
        return self._journal is not None

    def apply(self, knobs: Knobs, nic: str) -> HostTuning:
        """Bring the host to `knobs`, and whatever an earlier call changed beyond them back to how it was found.

        Raises TestbedError when the host cannot be read or the journal cannot be written, and for `required` knobs
        that it cannot do: those it is known not to do before anything is written.
        """
        families = tuple(name for name in ("channels", "rings", "coalesce") if getattr(knobs, name))
        self._subjects |= Subjects((nic,) if nic else (), tuple(knobs.sysctls), families)
        now = self._read()
        made = plan(knobs, nic, now)
        self._demand(knobs, made)
        self._found = self._found.having(now, made.settings)
        structure = {name: value for name, value in self._goal(made, now).items() if is_structure(name)}
        changed: dict[str, tuple[str, str]] = {}
        if _differing(structure, now, exact=False):
            now = self._write(structure, now, made, changed)
            again = plan(knobs, nic, now)
            again.unsupported.update(made.unsupported)
            made = again
            self._found = self._found.having(now, made.settings)
        now = self._write(self._goal(made, now), now, made, changed)
        self._demand(knobs, made)
        return HostTuning(now.settings, self._expected(made, now), made.unsupported, now.effective, changed)

    def restore(self) -> tuple[str, ...]:
        """Put everything back as it was found and remove the journal; what was put back. Safe to call twice.

        What is gone, such as a NIC, is left. Raises TestbedError when something is not as it was found afterwards; the
        journal stays then.
        """
        if self._journal is None:
            return ()
        now = self._read()
        changed: dict[str, tuple[str, str]] = {}
        nothing = Plan()
        structure = {n: v for n, v in self._found.here(now).items() if is_structure(n)}
        if _differing(structure, now, exact=True):
            now = self._write(structure, now, nothing, changed, undo=True)
        now = self._write(self._found.here(now), now, nothing, changed, undo=True)
        left = _differing(self._found.here(now), now, exact=True)
        if left:
            told = ", ".join(
                f"{name} is {now.settings[name]!r} and was {value!r}"
                + (f" ({nothing.unsupported[name]})" if name in nothing.unsupported else "")
                for name, value in left.items()
            )
            raise TestbedError(
                f"host {self._remote.name}: not everything could be put back: {told}; "
                "mend it there, and run `kubelb restore`"
            )
        run_script(self._remote, [journal.NAMESPACE_LINE, *journal.remove_lines(self._journal)])
        self._journal, self._found, self._subjects = None, Found(), Subjects()
        return tuple(f"{name}: {before} -> {after}" for name, (before, after) in changed.items())

    def question(self) -> list[str]:
        """Give the script lines that read every knob of this session again, for a script of somebody else's."""
        return reading.question(self._subjects)

    def answer(self, text: str) -> Reading:
        """Read what the lines of `question` printed. Raises TestbedError."""
        return self._parsed(text)

    def _goal(self, made: Plan, now: Reading) -> dict[str, str]:
        wanted = {**self._found.here(now), **made.settings}
        return {
            name: value for name, value in wanted.items() if name not in made.unsupported
        }  # refused just now

    def _expected(self, made: Plan, now: Reading) -> dict[str, str]:
        names = {**self._found.here(now), **made.settings}
        moving = now.irqbalance.argv and not any(name.startswith("irq ") for name in made.settings)
        return {
            name: now.settings[name]
            for name in names
            if name in now.settings and not (moving and name.startswith("irq "))
        }

    def _demand(self, knobs: Knobs, made: Plan) -> None:
        if knobs.required and made.unsupported:
            told = "; ".join(f"{knob}: {reason}" for knob, reason in made.unsupported.items())
            raise TestbedError(
                f"host {self._remote.name} cannot do what its tuning profile requires: {told}; "
                "take required = true away to go on without, or choose another host"
            )

    def _read(self) -> Reading:
        lines = [PATH_LINE, *reading.question(self._subjects)]
        return self._parsed(run_script(self._remote, lines))

    def _parsed(self, text: str) -> Reading:
        try:
            return reading.parse(text, self._subjects)
        except ValueError as error:
            raise TestbedError(
                f"host {self._remote.name}: a knob cannot be understood: {error}; see the file on the host"
            ) from error

    def _write(
        self,
        goal: Mapping[str, str],
        now: Reading,
        made: Plan,
        changed: dict[str, tuple[str, str]],
        *,
        undo: bool = False,
    ) -> Reading:
        """Write what differs from `goal`, in one round trip with the journal before and the reading after."""
        changes = _differing(goal, now, exact=undo)
        if not changes:
            return now
        stdin, lines = None, [PATH_LINE]
        if not undo:
            stdin, kept = self._kept()
            lines += [journal.NAMESPACE_LINE, *kept]
        lines += script.write_lines(changes, now, self._found.irqbalance, undo=undo)
        text = run_script(self._remote, [*lines, *reading.question(self._subjects)], stdin=stdin)
        after = self._parsed(text)
        refused = script.refusals(sections(text), changes, undo=undo)
        self._no_privilege(refused)
        if _may_be_moving({name: value for name, value in changes.items() if name not in refused}, after):
            time.sleep(_IRQ_MOVES_S)
            after = self._read()
        for name, value in changes.items():
            took = after.settings.get(name)
            if took is None or not places.is_taken(name, value, took):
                made.unsupported[name] = _because(value, took, refused.get(name))
            if took is not None and took != now.settings.get(name):
                changed[name] = (now.settings.get(name, ""), took)
        return after

    def _kept(self) -> tuple[str, list[str]]:
        payload = self._found.to_json()
        if self._journal is None:
            self._journal = journal.opened(self._session, journal.TUNING, self._remote.name, payload)
        self._journal = replace(self._journal, payload=payload)
        return journal.encode(self._journal), journal.write_lines(self._journal)

    def _no_privilege(self, refused: Mapping[str, str]) -> None:
        for name, reason in refused.items():
            if reason.startswith("sudo:"):
                raise TestbedError(
                    f"host {self._remote.name}: {name} needs root ({reason}); "
                    "log in as root, or add the sudoers lines from the documentation of tuning"
                )


def _may_be_moving(written: Mapping[str, str], after: Reading) -> bool:
    """Tell whether an IRQ is not where it was sent: it moves with its next interrupt, and till then has old CPUs."""
    return any(
        name.startswith("irq ") and not places.is_taken(name, value, took)
        for name, value in written.items()
        if (took := after.settings.get(name)) is not None
    )


def _differing(goal: Mapping[str, str], now: Reading, *, exact: bool) -> dict[str, str]:
    """Give the part of the goal that the host is not at; unless `exact`, a size that was rounded up is there."""
    return {
        name: value
        for name, value in goal.items()
        if (have := now.settings.get(name)) is not None
        and have != value
        and (exact or not places.is_taken(name, value, have))
    }


def _because(value: str, took: str | None, reason: str | None) -> str:
    if reason is None:
        return (
            f"the kernel has {took!r} after {value!r} was written" if took else "it is gone after the write"
        )
    if "Input/output error" in reason or "Operation not permitted" in reason:
        reason += "; the driver, or the kernel, keeps it to itself"
    return f"the kernel refused {value!r}: {reason}"
