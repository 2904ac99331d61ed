"""Estimates as text: two digits of the uncertainty, and a zero without a minus sign."""

from __future__ import annotations

import pytest

from hgeisim.report.estimates import estimate, percent_of


def found(value: float, half: float) -> dict[str, object]:
    return {"value": value, "low": value - half, "high": value + half, "method": "t"}


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (-1e-9, 2e-5, "+0.00000 +- 0.00002 lines"),
        (-1.234, 0.056, "-1.234 +- 0.056 lines"),
        (12.34, 3.4, "+12.3 +- 3.4 lines"),
        (0.0, 0.0, "+0 lines in each"),
    ],
)
def test_a_difference_has_two_digits_of_its_uncertainty(
    value: float, half: float, text: str
) -> None:
    assert estimate(found(value, half), "lines", difference=True) == text


def test_a_share_is_a_percentage() -> None:
    assert estimate(found(0.158, 0.003), "share") == "15.80% +- 0.30"
    assert estimate(found(0.01, 0.03), "share") == "1.0% (0.0..4.0)"
    assert estimate(None, "share") == "-"


def test_a_relative_difference_has_its_sign() -> None:
    assert [percent_of(each) for each in (-1e-6, 0.1234, None)] == ["+0.0%", "+12.3%", ""]
