"""What an agreement can tell apart: the other bases that a trace would agree with as well."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.conformance import check_trace
from hgeisim.drivers.traced.reading import Progress, Trace
from hgeisim.kernel.variants import BASES, variant_problem


def also_agreeing(
    trace: Trace, variant: str, middle: bool = False, progress: Progress | None = None
) -> list[str]:
    """The variants with the same patches on another base that follow a trace to its end."""
    others = (each for each in on_other_bases(variant) if not variant_problem(each))
    return [each for each in others if _follows(trace, each, middle, progress)]


def on_other_bases(variant: str) -> Iterator[str]:
    """The same patches on every other base."""
    base, plus, patches = variant.partition("+")
    return (f"{other}{plus}{patches}" for other in BASES if other != base)


def _follows(trace: Trace, variant: str, middle: bool, progress: Progress | None) -> bool:
    result = check_trace(trace, variant, middle, progress)
    return not result.is_over
