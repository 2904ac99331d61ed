"""Times with units: "800ns", "1.5us", "20ms", "2s", and nothing without a unit."""

from __future__ import annotations

import re
from fractions import Fraction

UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit, the largest first."""
DURATION_NS_MAX = 10**16
"""Longest time, about 115 days: a record of the occupancy has room for three of them."""
EXAMPLES = '"800ns", "1.5us", "20ms" or "2s"'
_PATTERN = re.compile(r"(-?)(\d{1,18}(?:\.\d{1,18})?) ?([a-zA-Zµ]*)", re.ASCII)


def parse_duration(text: object) -> int:
    """Nanoseconds of a time such as "1.5us"; ValueError says what is allowed instead."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"must be a time with a unit, such as {EXAMPLES}")
    sign, number, unit = match.groups()
    if unit not in UNIT_NS:
        raise ValueError(f"must have a unit, one of ns, us, ms and s, such as {EXAMPLES}")
    value = Fraction(number) * UNIT_NS[unit]
    if sign or value > DURATION_NS_MAX:
        raise ValueError(f'must be between "0ns" and "{format_duration(DURATION_NS_MAX)}"')
    if value.denominator != 1:
        raise ValueError("must be a whole number of nanoseconds")
    return int(value)


def format_duration(value_ns: int) -> str:
    """Write a time with the largest unit that needs no fraction; `parse_duration` reads it back."""
    unit = next(
        unit for unit, ns in UNIT_NS.items() if value_ns % ns == 0 and (value_ns or ns == 1)
    )
    return f"{value_ns // UNIT_NS[unit]}{unit}"
