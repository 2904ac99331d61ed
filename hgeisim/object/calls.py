"""The calls in objects, as their relocations say.

A function whose address is taken may be called from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hgeisim.object.image import Function, Image
from hgeisim.object.relocation import CALLS


class CallSite(NamedTuple):
    """A call, or a place where the address of a function is taken (`is_call` is false)."""

    caller: Function
    address: int
    callee: str
    is_call: bool


def call_sites(image: Image) -> Iterator[CallSite]:
    """All places in code that name a symbol."""
    for segment in image.segments:
        if segment.section.is_code:
            for each in segment.section.relocations:
                at = segment.address + each.offset
                caller = image.function_at(at)
                if caller is not None and each.symbol.name:
                    yield CallSite(caller, at, each.symbol.name, each.kind in CALLS)


def reachable(image: Image, entries: Iterable[str]) -> list[CallSite]:
    """The sites in all functions that may run once some are entered."""
    sites: dict[str, list[CallSite]] = {}
    for site in call_sites(image):
        sites.setdefault(site.caller.name, []).append(site)
    defined = {each.name for each in image.functions}
    found, left, seen = list[CallSite](), list(entries), set[str]()
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            found += sites.get(name, ())
            left += [each.callee for each in sites.get(name, ()) if each.callee in defined]
    return found
