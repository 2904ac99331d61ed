"""Shares and times as text for people."""

from __future__ import annotations


def percent(share: float) -> str:
    """Write a share with as many digits as mean something, never rounded to none or to all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}".replace(".0%", "%")


def time_unit(end_ns: int) -> tuple[str, int]:
    """Return the largest unit that fits into the time, and its nanoseconds."""
    units = (("s", 10**9), ("ms", 10**6), ("µs", 10**3))
    return next((unit for unit in units if end_ns >= unit[1]), ("ns", 1))


def short_time(ns: float) -> str:
    """Write a time with three digits: 140 ns, 7.46 µs, 1.59 ms."""
    unit, unit_ns = time_unit(round(ns))
    value = ns / unit_ns
    if unit == "ns" or value >= 100:
        return f"{value:.0f} {unit}"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"
