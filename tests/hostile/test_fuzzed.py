"""Every reader of what others wrote gives a value or a sentence, whatever the input is.

The inputs are hypothesis': a seed that is right, changed where its choices say, or bytes. The same table is fuzzed for
longer, with coverage, by `tox -e fuzz`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.fuzz.mutating import mutated
from tests.fuzz.target import NoSentenceError, Target, check
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from random import Random

INPUTS = 120
INPUTS_OF_PAGES = 20
"""A page costs as much as a hundred other inputs."""
NEVER_RIGHT = frozenset({"known_hosts", "Kubernetes status"})
"""Targets that end in an error however right the input is: nothing listens, and a refusal is one."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_what_is_right_is_accepted(target: Target) -> None:
    """Otherwise what is made of it would be refused at the door, and nothing behind it would be reached."""
    accepted = [check(target, seed) for seed in target.seeds]
    assert any(accepted) is (target.name not in NEVER_RIGHT)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_what_is_wrong_gives_a_value_or_a_sentence(target: Target) -> None:
    @hypothesis_settings(max_examples=INPUTS_OF_PAGES if target.slow else INPUTS)
    @given(st.randoms(use_true_random=False), st.just(b"") | st.binary(max_size=300))
    def feed(chance: Random, noise: bytes) -> None:
        check(target, noise or mutated(target.seeds, chance))

    feed()


def test_an_error_that_is_no_sentence_is_a_finding() -> None:
    def read(data: bytes) -> None:
        raise ValueError(data.decode())

    reader = Target("made", read, (b"x",), (ValueError,))
    assert not check(reader, b"a sentence")
    with pytest.raises(NoSentenceError):
        check(reader, b"")
    nothing: dict[bytes, object] = {}
    with pytest.raises(KeyError):
        check(Target("made", nothing.__getitem__, (b"x",)), b"x")
