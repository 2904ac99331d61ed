"""Conditions: what they may say, what they mean, and that nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.study.condition import condition, target
from hgeisim.study.metrics import METRICS
from hgeisim.study.statistics import Interval

NAMES = {"A": "v7.1", "B": "v7.3"}
PLACE = ("compare", "fail_if")
VALUES: dict[tuple[str, str], Interval | None] = {
    ("A", "sw_file_time"): Interval(0.2, 0.18, 0.22, 5, "t"),
    ("B", "sw_file_time"): Interval(0.1, 0.09, 0.11, 5, "t"),
    ("A", "msi_wfi_p99"): Interval(20_500.0),
    ("B", "fail_entry"): None,
}


def holds(text: str) -> bool:
    return condition(text, NAMES, PLACE).holds(VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A.sw_file_time > 1.05 * B.sw_file_time", True),
        ("A.sw_file_time > 200% * B.sw_file_time", False),
        ("A.sw_file_time.low > B.sw_file_time.high", True),
        ("A.sw_file_time - B.sw_file_time >= 10 %", True),
        ("A.msi_wfi_p99 > 20us and A.msi_wfi_p99 <= 20.5us", True),
        ("not (A.sw_file_time < B.sw_file_time) or 1 > 2", True),
        ("0 < B.sw_file_time < A.sw_file_time < -(-1)", True),
        ("A.sw_file_time / B.sw_file_time == 2", True),
        ("A.sw_file_time / B.sw_file_time > 150%", True),
        ("A.msi_wfi_p99 - 20us < 105% * 1us", True),
        ("A.msi_wfi_p99 / 20us > 1 and A.msi_wfi_p99 > 20000", True),
        ("A.sw_file_time != 0.2", False),
    ],
)
def test_meaning(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A.sw_file_tim > 1", 'did you mean "sw_file_time"'),
        ("C.sw_file_time > 1", r"must be A.METRIC \(v7.1\) or B.METRIC \(v7.3\)"),
        ("A.sw_file_time.mid > 1", "must be A.METRIC"),
        ("A.sw_file_time", "must compare something"),
        ("-A.sw_file_time", "must compare something"),
        ("1 < 2 < 3", "must compare something"),
        ("not A.sw_file_time", "A.sw_file_time must be compared with something"),
        ("A.sw_file_time > 1 or 1", "1 must be compared with something"),
        ("(A.sw_file_time > 1) + 1 > 1", "A.sw_file_time > 1 is yes or no"),
        ("A.sw_file_time > 20us", r"A.sw_file_time \(share\) does not go with 20000ns \(ns\)"),
        ("A.lines_in_use > 5%", r"A.lines_in_use \(lines\) does not go with 5% \(share\)"),
        ("A.msi_wfi_p99 + 2 * A.sw_file_time > 1", "does not go with 2 [*] A.sw_file_time"),
        (f"A.sw_file_time * 1{'0' * 400} > 1", "has a number that is too large"),
        ("A.sw_file_time >", "must be a condition such as"),
        ("", "must be a condition such as"),
        ("__import__('os').system('x') > 1", "is not allowed"),
        ("A.sw_file_time.__class__ > 1", "must be A.METRIC"),
        ("(lambda: 1)() > 1", "is not allowed"),
        ("A.sw_file_time > 'x'", "is not allowed"),
        ("A.sw_file_time > True", "is not allowed"),
        ("A.sw_file_time > 2 ** 99999999", "is not allowed"),
        ("[1 for x in y] > 1", "is not allowed"),
        ("A.sw_file_time > 1.5ns", "whole number of nanoseconds"),
        ("-" * 300 + "1 > 2" + " " * 300, "at most 500 letters"),
        ("(" * 240 + "1" + ")" * 240, "must be a condition"),
        ("A.sw_file_time / 0 > 1", "divides by zero"),
        ("B.fail_entry > 1%", "B.fail_entry has no value here"),
        ("A.msi_wfi_p99.low > 1", "one run only"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        holds(text)


@given(st.text(alphabet="AB.sw_file_time<>=+-*/()% 019!&|\n\0\"'", max_size=60))
def test_whatever_is_written_is_a_condition_or_a_sentence(text: str) -> None:
    try:
        assert holds(text) in (True, False)
    except InputError as error:
        assert len(error.problems) == 1


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("sw_file_time < 1%", "sw_file_time", 0.01),
        ("fail_entry<1e-3", "fail_entry", 0.001),
        (" msi_wfi_p99 <= 20us ", "msi_wfi_p99", 20_000),
        ("lines_in_use < 12.5", "lines_in_use", 12.5),
    ],
)
def test_targets(text: str, metric: str, limit: float) -> None:
    found = target(text, ("capacity", "target"))
    assert found.metric == metric
    assert found.limit == pytest.approx(limit)
    assert found.metric in METRICS


def test_a_target_may_be_reached_if_it_says_so() -> None:
    """An interval that touches the limit keeps `<=`, and breaks `<`; one around it does neither."""
    below, reached = (target(f"no_line {sign} 1%", ("capacity", "target")) for sign in ("<", "<="))
    for interval, verdicts in (
        (Interval(0.01, 0.01, 0.01), (False, True, True, False)),
        (Interval(0.005, 0.0, 0.01), (False, False, True, False)),
        (Interval(0.02, 0.01, 0.03), (False, True, False, False)),
        (Interval(0.02, 0.015, 0.03), (False, True, False, True)),
        (Interval(0.001, 0.0, 0.002), (True, False, True, False)),
        (Interval(0.001), (False, False, False, False)),
    ):
        found = (below.kept, below.broken, reached.kept, reached.broken)
        assert tuple(each(interval) for each in found) == verdicts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sw_file_time > 1%", "must be METRIC < NUMBER"),
        ("sw_file_tme < 1%", 'did you mean "sw_file_time"'),
        ("sw_file_time < much", "must be a number"),
        ("sw_file_time < 5 parsecs", "must be a number"),
        ("sw_file_time < 20us", r"sw_file_time \(share\) does not go with 20us \(ns\)"),
        ("lines_in_use < 5%", r"lines_in_use \(lines\) does not go with 5% \(share\)"),
        ("", "must be METRIC < NUMBER"),
    ],
)
def test_mistakes_of_targets(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        target(text, ("capacity", "target"))
