"""How a host was found before its first knob was changed: the payload of its journal. Pure: touches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_kubelb.tuning import ethtool, places
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.plan import is_structure
from pytest_kubelb.tuning.reading import Reading, Subjects

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Found:
    """What has to be put back in the end."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Name -> value. Interrupts are named by what they are for, since their numbers change with the queues:
    `irq eth0 eth0-rx-1`."""
    irqbalance: Irqbalance = field(default_factory=Irqbalance)

    def having(self, now: Reading, touched: Iterable[str]) -> Found:
        """Give what was found, and of `now` what is going to be touched for the first time.

        Who changes channels or rings touches everything of that NIC: drivers make the queues anew.
        """
        names = [name for name in touched if name in now.settings]
        nics = {name.split(" ")[1] for name in names if is_structure(name)}
        actions = {irq.setting: f"irq {irq.nic} {irq.action}" for irq in now.irqs}
        for name in now.settings:
            words = actions.get(name, name).split(" ")
            if len(words) > 2 and words[1] in nics and words[0] not in ethtool.SET:
                names.append(name)
        new = {actions.get(name, name): now.settings[name] for name in names}
        daemon = self.irqbalance if self.settings else now.irqbalance
        return replace(self, settings={**new, **self.settings}, irqbalance=daemon)

    def here(self, now: Reading) -> dict[str, str]:
        """Give it by the names that settings have `now`, leaving out what the host has no longer."""
        numbers = {f"irq {irq.nic} {irq.action}": irq.setting for irq in now.irqs}
        named = ((numbers.get(name, name), value) for name, value in self.settings.items())
        return {name: value for name, value in named if name in now.settings}

    def subjects(self) -> Subjects:
        """Give what to ask the host for to see all of it."""
        split = [name.split(" ") for name in self.settings]
        return Subjects(
            nics=tuple(dict.fromkeys(words[1] for words in split if len(words) > 2)),
            sysctls=tuple(words[1] for words in split if words[0] == "sysctl"),
            families=tuple(dict.fromkeys(words[0] for words in split if words[0] in ethtool.SET)),
        )

    def to_json(self) -> dict[str, object]:
        """Give it as a JSON object; `from_json` gives it back."""
        return {"settings": dict(self.settings), "irqbalance": self.irqbalance.to_json()}

    @classmethod
    def from_json(cls, payload: Mapping[str, object]) -> Found:
        """Read what `to_json` gave. Raises ValueError for names and values that no knob has."""
        settings = payload.get("settings")
        if not isinstance(settings, Mapping):
            raise ValueError(f"'settings' is {settings!r}, not names and values")
        for name, value in settings.items():
            if not (isinstance(name, str) and isinstance(value, str) and places.is_setting(name, value)):
                raise ValueError(f"{name!r} = {value!r} is no setting that tuning changes")
            places.written(name, value)  # of sets of CPUs the form alone was looked at
        return cls(dict(settings), Irqbalance.from_json(payload.get("irqbalance")))
