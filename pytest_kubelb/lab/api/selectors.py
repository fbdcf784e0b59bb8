"""Label and field selectors: parsing and matching. Pure: text and objects in, truth out.

Grammar: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors, and for
fields
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/. Empty text selects
everything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.status import bad_request

Operator = Literal["in", "notin", "exists", "!", "gt", "lt"]

_TOKEN = re.compile(r"\s*(?:(==|!=|[=,()!<>])|([^\s=,()!<>]+))")
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")


@dataclass(frozen=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the condition."""
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        try:
            left, right = int(value), int(next(iter(self.values)))
        except ValueError:
            return False
        return left > right if self.operator == "gt" else left < right


Selector = tuple[Requirement, ...]
"""All of its requirements must be met; an empty one selects everything."""


def is_label_key(text: str) -> bool:
    """Whether `text` may be a label's key: an optional DNS prefix and a slash, then at most 63 characters."""
    return _KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether `text` may be a label's value.

    Empty, or at most 63 characters that begin and end alphanumeric.
    """
    return _VALUE.fullmatch(text) is not None


def selects(selector: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    """Whether every requirement is met by these labels."""
    return all(requirement.matches(labels) for requirement in selector)


def parse_label_selector(text: str) -> Selector:
    """Parse `a=b,c!=d,e in (f,g),!h,i` as list, watch and deletecollection take it.

    Raises:
        ApiError: 400, naming the text and what is wrong with it.

    """
    return _LabelParser(text).parse()


class _LabelParser:
    """A recursive descent over the tokens of one selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0

    def parse(self) -> Selector:
        requirements: list[Requirement] = []
        while self._peek() is not None:
            requirements.append(self._requirement())
            if self._peek() is None:
                break
            self._expect(",")
            if self._peek() is None:
                self._fail("found the end after a comma, expected: a label's key")
        return tuple(requirements)

    def _split(self, text: str) -> list[str]:
        tokens, position = [], 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:  # the two alternatives cover every character that is not white space
                break
            tokens.append(match.group(1) or match.group(2))
            position = match.end()
        return tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            self._fail("found the end of the text")
        self._at += 1
        return str(token)

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            self._fail(f"found '{found}', expected: '{token}'")

    def _fail(self, why: str) -> None:
        raise bad_request(f"unable to parse requirement: {why} (in the label selector {self._text!r})")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "!")
        key, operator = self._key(), self._peek()
        if operator in (None, ","):
            return Requirement(key, "exists")
        self._next()
        if operator in ("=", "=="):
            return Requirement(key, "in", frozenset({self._value()}))
        if operator == "!=":
            return Requirement(key, "notin", frozenset({self._value()}))
        if operator in ("in", "notin"):
            return Requirement(key, "in" if operator == "in" else "notin", self._values())
        if operator in (">", "<"):
            return Requirement(key, "gt" if operator == ">" else "lt", frozenset({self._number()}))
        self._fail(f"found '{operator}', expected: in, notin, =, ==, !=, >, <")
        raise AssertionError  # _fail raises

    def _key(self) -> str:
        key = self._next()
        if not is_label_key(key):
            self._fail(f"found '{key}', expected: a label's key")
        return key

    def _value(self) -> str:
        if self._peek() in (None, ","):
            return ""
        value = self._next()
        if not is_label_value(value):
            self._fail(f"found '{value}', expected: a label's value")
        return value

    def _number(self) -> str:
        value = self._next()
        if re.fullmatch(r"-?[0-9]+", value, re.ASCII) is None:
            self._fail(f"found '{value}', expected: an integer")
        return value

    def _values(self) -> frozenset[str]:
        self._expect("(")
        values: set[str] = set()
        while True:
            value = "" if self._peek() in (",", ")") else self._next()
            if not is_label_value(value):
                self._fail(f"found '{value}', expected: a label's value")
            values.add(value)
            separator = self._next()
            if separator == ")":
                return frozenset(values)
            if separator != ",":
                self._fail(f"found '{separator}', expected: ',' or ')'")


EXPRESSION_OPERATORS: dict[str, Operator] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": "gt",
    "Lt": "lt",
}


def requirements_of(expressions: Iterable[KubeObject]) -> Selector:
    """Give the requirements of `matchExpressions`, as selectors and node affinity write them."""
    return tuple(
        Requirement(e["key"], EXPRESSION_OPERATORS[e["operator"]], frozenset(e.get("values") or ()))
        for e in expressions
    )


def selector_of(label_selector: KubeObject) -> Selector:
    """Give a metav1.LabelSelector (`matchLabels` and `matchExpressions`) as requirements."""
    equal = tuple(
        Requirement(k, "in", frozenset({v})) for k, v in (label_selector.get("matchLabels") or {}).items()
    )
    return equal + requirements_of(label_selector.get("matchExpressions") or ())


def selector_text(label_selector: KubeObject) -> str:
    """Give a metav1.LabelSelector as the text a client would send.

    What a Scale carries in `status.selector`.
    """
    parts = []
    for requirement in sorted(selector_of(label_selector), key=lambda r: r.key):
        values = sorted(requirement.values)
        if requirement.operator == "exists":
            parts.append(requirement.key)
        elif requirement.operator == "!":
            parts.append(f"!{requirement.key}")
        elif requirement.operator == "in" and len(values) == 1:
            parts.append(f"{requirement.key}={values[0]}")
        else:
            parts.append(f"{requirement.key} {requirement.operator} ({','.join(values)})")
    return ",".join(parts)


FieldSelector = tuple[tuple[str, bool, str], ...]
"""Field path, whether it must be equal (or must differ), and the value."""

_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets": ("status.replicas",),
}


def parse_field_selector(resource: Resource, text: str) -> FieldSelector:
    """Parse `metadata.name=x,spec.nodeName!=y` for one resource.

    Raises:
        ApiError: 400 when it cannot be parsed, or when the resource has no such selectable field.

    """
    terms = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)([^=!]*)", term)
        if match is None:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{term}"')
        field, operator, value = match.groups()
        supported = field == "metadata.name" or (field == "metadata.namespace" and resource.namespaced)
        if not supported and field not in _FIELDS.get(resource.plural, ()):
            raise bad_request(
                f'Unable to find "{resource.api_version}, Resource={resource.plural}" '
                f'that match label selector "", '
                f'field selector "{text}": field label not supported: {field}'
            )
        terms.append((field, operator != "!=", value))
    return tuple(terms)


def fields_match(selector: FieldSelector, obj: KubeObject) -> bool:
    """Whether every field has, or has not, the value asked for; a missing field is the empty string."""
    return all((_field(obj, field) == value) is equal for field, equal, value in selector)


def _field(obj: KubeObject, path: str) -> str:
    if path == "source":
        path = "source.component"
    current: object = obj
    for part in path.split("."):
        current = current.get(part) if isinstance(current, dict) else None
    if isinstance(current, bool):
        return str(current).lower()
    return "" if current is None else str(current)
