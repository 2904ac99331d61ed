"""Replay tokens: a round trip for every schedule, and a refusal for every damage."""

from __future__ import annotations

import base64
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.drivers.explored.counterexample.token import Token, TokenError, command, decode, encode

schedules = st.lists(st.integers(0, 2000), max_size=400).map(tuple)
words = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20)


def token(schedule: tuple[int, ...] = (0, 0, 3), scenario: str = "patch-race") -> Token:
    return Token(scenario, "v6.12+percpu-v2", "full", "8a5d091e", schedule)


@given(schedules, words)
def test_round_trip(schedule: tuple[int, ...], scenario: str) -> None:
    assert decode(encode(token(schedule, scenario))) == token(schedule, scenario)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=20))
def test_every_file_name_can_be_in_a_token(scenario: str) -> None:
    """The name of a file need not be text: lone surrogates stand for its bytes."""
    decoded = decode(encode(token(scenario=scenario))).scenario
    assert decoded == "".join(c if c.isprintable() else "?" for c in scenario)


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
    with pytest.raises(TokenError, match="starts with 'hg9', not with 'hg2'"):
        decode("hg9.abc.123456")


def test_older_versions_are_refused_with_a_sentence() -> None:
    with pytest.raises(TokenError, match="version hg1, which counted steps in another way") as bad:
        decode("hg1.cGF0Y2gtcmFjZQp2Ni4xMg.f7a1f8")
    assert bad.value.remedy == "explore again with this version"


def word(packed: bytes) -> str:
    body = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return f"hg2.{body}.{blake2b(body.encode(), digest_size=3).hexdigest()}"


@pytest.mark.parametrize(
    "packed",
    [
        b"a\0v7.0\0full\0" + b"8a5d091e",
        b"a\0v7.0\0full\x008a5d091e\0\x01",
        b"a\0v7.0\0full\x008a5d091e\0\x01\x81",
        b"a\0v7.0\0full\x008a5d091e\0\x01" + b"\xff" * 8 + b"\x01",
        b"a\x1b[31m\0v7.0\0full\x008a5d091e\0\x01\x01",
        b"\xff\0v7.0\0full\x008a5d091e\0\x01\x01",
    ],
    ids=["no runs", "half a run", "no end", "too long", "not printable", "not UTF-8"],
)
def test_content_that_no_search_wrote(packed: bytes) -> None:
    with pytest.raises(TokenError, match="its content"):
        decode(word(packed))


def test_the_command_names_files_and_nothing_else() -> None:
    plain = token()
    assert command(plain) == f"hgeisim replay {encode(plain)}"
    of_files = Token("my dir/a.toml", "v7.0+b.py:B", "full", "8a5d091e", (0,))
    files = "--scenario 'my dir/a.toml' --variant v7.0+b.py:B"
    assert command(of_files) == f"hgeisim replay {encode(of_files)} {files}"
    moved = command(of_files, scenario="c.toml", variant="v7.0+d.py:B")
    assert moved.endswith("--scenario c.toml --variant v7.0+d.py:B")
