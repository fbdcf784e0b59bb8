"""Read what the pods of a testbed run: sections `[workload]` and below. Pure: touches nothing.

Everything is refused here that the API server would refuse later, when hosts have been touched already. Sources: the
grammar of image references (https://github.com/distribution/reference), labels
(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/), tolerations
(https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster.quantity import parse

if TYPE_CHECKING:
    from pytest_kubelb.testbed.section import Section

Pairs = tuple[tuple[str, str], ...]
"""Key and value, as a mapping that can be hashed."""
DEFAULT_REQUESTS: Final = (("cpu", "10m"), ("memory", "16Mi"))
"""So little that 40 pods fit anywhere, and that the scheduler has something to spread by."""
RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DNS = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_IMAGE: Final = re.compile(
    rf"(?:{_DNS}(?:\.{_DNS})*(?::[0-9]+)?/)?{_WORD}(?:/{_WORD})*"
    r"(?=[:@])(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE: Final = re.compile(rf"(?:{_NAME})?")


@dataclass(frozen=True)
class Toleration:
    """A taint that does not keep the pods off."""

    key: str = ""
    """Empty is every taint."""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    """Empty is every effect."""


@dataclass(frozen=True)
class WorkloadSpec:
    """Section `[workload]`: what the pods run, and where."""

    image: str
    """With a tag or a digest."""
    port: int
    requests: Pairs = DEFAULT_REQUESTS
    """Resource and Kubernetes quantity, for each pod."""
    limits: Pairs = ()
    node_selector: Pairs = ()
    """Labels that a worker must have to get pods."""
    tolerations: tuple[Toleration, ...] = ()

    def facts(self) -> dict[str, object]:
        """Give it for the record, as JSON values: image and port, and of the rest what is not the default.

        Sessions recorded before there was the rest are so the same testbed as later ones that do not use it.
        """
        found: dict[str, object] = {"image": self.image, "port": self.port}
        if self.requests != DEFAULT_REQUESTS:
            found["requests"] = dict(self.requests)
        found |= {key: dict(pairs) for key in ("limits", "node_selector") if (pairs := getattr(self, key))}
        if self.tolerations:
            found["tolerations"] = [asdict(each) for each in self.tolerations]
        return found


def parse_workload(section: Section) -> WorkloadSpec:
    """Read `[workload]`. Raises ConfigError naming file, key, value and what is allowed."""
    section.allow("image", "port", "resources", "node_selector", "tolerations")
    requests, limits = _resources(section.section("resources", required=False))
    return WorkloadSpec(
        image=_image(section),
        port=section.port("port"),
        requests=requests,
        limits=limits,
        node_selector=_node_selector(section.section("node_selector", required=False)),
        tolerations=tuple(_toleration(each) for each in section.sections("tolerations")),
    )


def _image(section: Section) -> str:
    allowed = (
        'an image with a tag or a digest, such as "nginx:1.27" or "registry.example.org/nginx@sha256:..."'
    )
    image = section.text("image", allowed)
    if not _IMAGE.fullmatch(image):
        raise section.error("image", f"is {image!r}", allowed)
    return image


def _resources(section: Section) -> tuple[Pairs, Pairs]:
    section.allow("requests", "limits")
    requests = _amounts(section.section("requests", required=False))
    limits = _amounts(section.section("limits", required=False))
    wanted = {**dict(DEFAULT_REQUESTS), **requests}
    for name, limit in limits.items():
        if name in wanted and parse(limit) < parse(wanted[name]):
            raise section.error(
                f"limits.{name}", f"is {limit!r}", f"at least what is requested, {wanted[name]!r}"
            )
    return tuple(wanted.items()), tuple(limits.items())


def _amounts(section: Section) -> dict[str, str]:
    # Others are those that a device plugin or huge pages bring: their names are not known here.
    others = [name for name in section.table if "/" in name or name.startswith("hugepages-")]
    section.allow(*RESOURCES, *others)
    return {name: _amount(section, name, value) for name, value in section.table.items()}


def _amount(section: Section, name: str, value: object) -> str:
    allowed = 'a Kubernetes quantity of 0 or more, such as "500m" or "64Mi"'
    try:
        good = not isinstance(value, bool) and isinstance(value, str | int | float) and parse(value) >= 0
    except ValueError:
        good = False
    if not good:
        raise section.error(name, f"is {value!r}", allowed)
    return str(value)


def _node_selector(section: Section) -> Pairs:
    for key, value in section.table.items():
        if not _KEY.fullmatch(key):
            raise section.error(
                key, "is no label", 'the key of a label, such as "disk" or "example.org/disk"'
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise section.error(
                key, f"is {value!r}", "the value of a label: up to 63 letters, digits, -, _ and ."
            )
    return tuple((key, str(value)) for key, value in section.table.items())


def _toleration(section: Section) -> Toleration:
    section.allow("key", "operator", "value", "effect")
    operator = section.word("operator", ("Equal", "Exists"), "Equal")
    key, value = (section.table.get(name, "") for name in ("key", "value"))
    if not isinstance(key, str) or (key and not _KEY.fullmatch(key)):
        raise section.error("key", f"is {key!r}", 'the key of a taint, such as "dedicated"')
    if not key and operator == "Equal":
        raise section.error("key", "is missing", 'the key of a taint, or operator = "Exists" for all taints')
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise section.error("value", f"is {value!r}", 'the value of a taint, such as "bench"')
    if value and operator == "Exists":
        raise section.error(
            "value", f"is {value!r}", 'none with operator = "Exists", which takes every value'
        )
    effect = section.word("effect", EFFECTS, "") if "effect" in section.table else ""
    return Toleration(key, operator, value, effect)
