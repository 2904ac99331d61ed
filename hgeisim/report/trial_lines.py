"""What a comparison with the base says in text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.report.findings import bounds_text, nothing_found
from hgeisim.report.layout import count, indented


def comparison_lines(result: dict[str, Any]) -> Iterator[str]:
    """How the base was searched, and what the patch has that was not reached, or is new to it."""
    if "base" not in result:
        return
    yield from indented(f"compared with {_base(result['base'])}", 0)
    yield from never_entered(result["never_entered"], "")
    for edge in result.get("lock_order", {}).get("new_edges", ()):
        yield from indented(edge, 0)


def gone_lines(result: dict[str, Any]) -> Iterator[str]:
    """What only the base shows, with the question that this leaves."""
    variant = result.get("base", {}).get("variant")
    for finding in result.get("gone", ()):
        name = f" ({finding['known_as']})" if finding["known_as"] else ""
        needed = bounds_text(finding["base_switches"])
        words = f"gone: {finding['id']}{name}, {needed} in {variant}: is it mended, or hidden?"
        yield from indented(words, 0)


def twin_line(twin: dict[str, Any]) -> Iterator[str]:
    """What the clean twin is, and how much of it was searched."""
    bound = f", {twin['bound']}" if twin["bound"] else ""
    found = "; no finding" if nothing_found(twin["findings"]) else ""
    words = f"clean twin, without {', '.join(twin['left_out'])}: {twin['coverage']}{bound}"
    yield from indented(f"{words}; {count(twin['states'], 'state')}{found}", 0)
    yield from never_entered(twin["never_entered"], " here")
    yield from gone_lines(twin)


def never_entered(functions: list[str], where: str) -> Iterator[str]:
    """The functions of the patch that were not tested."""
    if functions:
        words = f"functions of the patch that no task entered{where}: {', '.join(functions)}"
        yield from indented(words, 0)


def _base(base: dict[str, Any]) -> str:
    variant = base["variant"]
    if base["coverage"] == "sampled":
        return f"{variant}, along the same schedules and as many random ones"
    if base["recorded"]:
        return f"{variant}, by the fewest switches; what it shows here is recorded"
    if base["coverage"] == "exhausted":
        return f"{variant}, by the fewest switches; {count(base['states'], 'state')}"
    made = count(base["levels"] - 1, "switch", "es") if base["levels"] else ""
    up_to = f": every schedule of up to {made}" if made else ""
    beside = "; and as many random ones" if base["sampled"] else ""
    return f"{variant}, whose search was cut short{up_to}{beside}"
