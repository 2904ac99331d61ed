"""Estimates with their intervals as text: `15.8% +- 0.3`, `0% (0..0.12)`, `-19.3 +- 0.2 points`.

Two digits of the uncertainty are shown, and the estimate to the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import floor, log10
from typing import Any

from hgeisim.report.layout import indented
from hgeisim.runs.units import time_unit

Found = Mapping[str, Any]
"""An interval of a JSON document: value, low, high, method."""
DIGITS_MAX = 5


def estimate(found: Found | None, unit: str, *, difference: bool = False) -> str:
    """An estimate with its bounds; "-" where there is none.  A difference has its sign."""
    if found is None:
        return "-"
    factor, name = _scale(found, unit)
    if difference and unit == "share":
        name = " points"
    value, low, high = (
        None if found[key] is None else found[key] / factor for key in ("value", "low", "high")
    )
    sign = "+" if difference else ""
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:{sign}.4g}{name}"
    if low == high:
        return f"{value:{sign}.4g}{name} in each"
    digits = _digits(max(value - low, high - value), value)
    number = f"{value:{sign}z.{digits}f}"  # z: 0 has no minus sign
    if unit == "share" and not difference and (low < 0 or high > 100):  # t knows no ends
        return f"{number}{name} ({max(low, 0):.{digits}f}..{min(high, 100):.{digits}f})"
    if found["method"] == "t":
        half = f"{(high - low) / 2:.{digits}f}"
        return f"{number}{name} +- {half}" if name == "%" else f"{number} +- {half}{name}"
    return f"{number}{name} ({low:.{digits}f}..{high:.{digits}f})"


def _scale(found: Found, unit: str) -> tuple[float, str]:
    """The number by which one is divided to be shown, and the unit that it has then."""
    if unit == "share":
        return 0.01, "%"
    if unit == "ns":
        name, ns = time_unit(round(abs(found["value"])))
        return ns, f" {name.replace('µ', 'u')}"
    return 1, "" if unit == "count" else f" {unit}"


def _digits(half: float, value: float) -> int:
    """The places after the point that show two digits of the uncertainty."""
    size = half or abs(value)
    return min(max(1 - floor(log10(size)), 0), DIGITS_MAX) if size > 0 else 0


def percent_of(share: float | None) -> str:
    """A relative difference."""
    return "" if share is None else f"{share:+z.1%}"


def meanings(metrics: Iterable[Found]) -> Iterator[str]:
    """A line for each metric: what it is, and what it is divided by."""
    for metric in metrics:
        unit = metric["unit"]
        what = "share of" if unit == "share" else f"in {unit}, over"
        words = f"{metric['name']}: {metric['meaning']}; {what} {metric['denominator']}"
        yield from indented(words, 0)
