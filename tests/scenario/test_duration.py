"""Times with units, and actions: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.scenario.action import Action, parse_action
from hgeisim.scenario.table import DURATION_NS_MAX, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "value_ns"),
    [
        ("800ns", 800),
        ("1.5us", 1_500),
        ("1.50 us", 1_500),
        ("20ms", 20_000_000),
        ("2s", 2_000_000_000),
        ("0.000000001s", 1),
        ("0ms", 0),
    ],
)
def test_parse(text: str, value_ns: int) -> None:
    assert parse_duration(text) == value_ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (5, "must be a time with a unit, such as"),
        (None, "must be a time with a unit, such as"),
        ("", "must be a time with a unit, such as"),
        ("fast", "must be a time with a unit, such as"),
        ("1e3us", "must be a time with a unit, such as"),
        ("٣us", "must be a time with a unit, such as"),
        ("5", "must have a unit, one of ns, us, ms and s, such as"),
        ("5 min", "must have a unit, one of ns, us, ms and s, such as"),
        ("5US", "must have a unit, one of ns, us, ms and s, such as"),
        ("-1us", 'must be between "0ns" and "10000000s"'),
        ("10000001s", 'must be between "0ns" and "10000000s"'),
        ("1.5ns", "must be a whole number of nanoseconds"),
        ("0.0001us", "must be a whole number of nanoseconds"),
    ],
)
def test_refuse(text: object, expected: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_duration(text)
    assert str(caught.value).startswith(expected)


@given(value_ns=st.integers(0, DURATION_NS_MAX))
def test_format_is_read_back(value_ns: int) -> None:
    assert parse_duration(format_duration(value_ns)) == value_ns


def test_format_takes_the_largest_whole_unit() -> None:
    assert [format_duration(ns) for ns in (0, 1_500, 2_000, 10**7, 3 * 10**9)] == [
        "0ns",
        "1500ns",
        "2us",
        "10ms",
        "3s",
    ]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("migrate 3", Action("migrate", hart=3)),
        ("run", Action("run")),
        ("block", Action("block")),
        ("destroy v1", Action("destroy", vcpu="v1")),
        ("offline 0", Action("offline", hart=0)),
        ("online 0", Action("online", hart=0)),
        ("msi 7", Action("msi", vcpu="7")),
    ],
)
def test_actions(text: str, action: Action) -> None:
    assert parse_action(text) == action
    assert str(action) == text


@pytest.mark.parametrize("text", ["", " ", 5, "halt", "run 1", "migrate", "migrate x", "msi a b"])
def test_no_actions(text: object) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        parse_action(text)
    assert caught.value.args[0].startswith(('must be "', 'must be one of "'))


def test_nearest_verb() -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        parse_action("destory v1")
    assert caught.value.args[1] == 'did you mean "destroy"?'
