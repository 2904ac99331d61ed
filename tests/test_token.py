"""Replay tokens: a round trip for every schedule, and a refusal for every damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.drivers.explored.token import Token, TokenError, decode, encode

schedules = st.lists(st.integers(0, 255), max_size=400).map(tuple)
words = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20)


def token(schedule: tuple[int, ...] = (0, 0, 3), scenario: str = "patch-race") -> Token:
    return Token(scenario, "v6.12+percpu-v2", "full", "8a5d091e", schedule)


@given(schedules, words)
def test_round_trip(schedule: tuple[int, ...], scenario: str) -> None:
    assert decode(encode(token(schedule, scenario))) == token(schedule, scenario)


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    word = encode(token())
    at = data.draw(st.integers(0, len(word) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda c: c != word[at]))
    with pytest.raises(TokenError):
        decode(word[:at] + other + word[at + 1 :])


@given(st.integers(0, 80))
def test_any_truncation_is_refused(length: int) -> None:
    word = encode(token())
    with pytest.raises(TokenError):
        decode(word[: min(length, len(word) - 1)])


def test_white_space_of_a_mail_does_not_matter() -> None:
    word = encode(token())
    assert decode(f"{word[:20]}\n  {word[20:]} ") == token()


def test_long_runs_are_cut_and_joined() -> None:
    schedule = (1,) * 700 + (2,) * 255 + (1,)
    assert decode(encode(token(schedule))).schedule == schedule


def test_other_versions_are_named() -> None:
    with pytest.raises(TokenError, match="starts with 'hg2', not with 'hg1'"):
        decode("hg2.abc.123456")
