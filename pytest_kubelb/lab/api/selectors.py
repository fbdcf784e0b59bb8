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
_PUNCTUATION = re.compile(r"==|!=|[=,()!<>]|")
_LONGEST = 63

_ALPHANUMERIC = (
    "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_KEY_EXAMPLE = (
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
NAME_PART_RULE = f"name part must consist of {_ALPHANUMERIC} {_KEY_EXAMPLE}"
LABEL_KEY_RULE = (
    f"a valid label key must consist of {_ALPHANUMERIC} {_KEY_EXAMPLE} with an optional DNS subdomain prefix "
    "and '/' (e.g. 'example.com/MyName')"
)
LABEL_VALUE_RULE = (
    f"a valid label must be an empty string or consist of {_ALPHANUMERIC} (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


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
        if self._peek() == ",":
            raise bad_request("found ',', expected: !, identifier, or 'end of string'")
        while self._peek() is not None:
            requirements.append(self._requirement())
            if self._peek() is None:
                break
            found = self._next()
            if found != ",":
                raise bad_request(f"found '{found}', expected: ',' or 'end of string'")
            if self._peek() is None:
                raise bad_request("found '', expected: identifier after ','")
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
        """Give the next token; at the end the empty text, as the real lexer does."""
        token = self._peek()
        self._at += 1
        return token or ""

    def _fail(self, why: str) -> None:
        raise bad_request(f"unable to parse requirement: {why}")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "!")
        key, operator = self._key(), self._peek()
        if operator in (None, ","):
            return Requirement(key, "exists")
        self._next()
        if operator in ("=", "=="):
            return Requirement(key, "in", frozenset({self._value(key)}))
        if operator == "!=":
            return Requirement(key, "notin", frozenset({self._value(key)}))
        if operator in ("in", "notin"):
            return Requirement(key, "in" if operator == "in" else "notin", self._values(key))
        if operator in (">", "<"):
            return Requirement(key, "gt" if operator == ">" else "lt", frozenset({self._number()}))
        self._fail(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        raise AssertionError  # _fail raises

    def _key(self) -> str:
        key = self._next()
        if _PUNCTUATION.fullmatch(key):
            self._fail(f"found '{key}', expected: identifier")
        if not is_label_key(key):
            why = LABEL_KEY_RULE if key.count("/") > 1 else NAME_PART_RULE
            self._fail(f'<nil>: Invalid value: "{key}": {why}')
        return key

    def _value(self, key: str) -> str:
        if self._peek() in (None, ","):
            return ""
        value = self._next()
        if _PUNCTUATION.fullmatch(value):
            self._fail(f"found '{value}', expected: identifier")
        self._check_value(key, value)
        return value

    def _check_value(self, key: str, value: str, position: int = 0) -> None:
        if not is_label_value(value):
            why = "must be no more than 63 bytes" if len(value) > _LONGEST else LABEL_VALUE_RULE
            self._fail(f'values[{position}][{key}]: Invalid value: "{value}": {why}')

    def _number(self) -> str:
        value = self._next()
        if re.fullmatch(r"-?[0-9]+", value, re.ASCII) is None:
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            self._fail(f'values[0]: Invalid value: "{value}": {why}')
        return value

    def _values(self, key: str) -> frozenset[str]:
        found = self._next()
        if found != "(":
            self._fail(f"found '{found}' expected: '('")
        values: set[str] = set()
        while True:
            value = "" if self._peek() in (",", ")") else self._next()
            self._check_value(key, value, len(values))
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
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = match.groups()
        supported = field == "metadata.name" or (field == "metadata.namespace" and resource.namespaced)
        if not supported and field not in _FIELDS.get(resource.plural, ()):
            if resource.plural in _FIELDS and resource.plural != "replicasets":
                raise bad_request(f"field label not supported: {field}")
            known = '"metadata.name", "metadata.namespace"'
            raise bad_request(f'"{field}" is not a known field selector: only {known}')
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
