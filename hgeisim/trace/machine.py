"""What a trace tells of the machine: how many HARTs, and how many lines each can hand out.

A failed allocation proves the number: all lines were owned.  Elsewhere it is at least the highest
line that was seen, and less than the pages from one HART's guest files to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.trace.occupancy import Occupancy

_PAGE_SHIFT = 12
_INDEX_BITS_MAX = 6


@dataclass(frozen=True)
class Machine:
    """The HARTs, and for each whether its number of lines is `proven`, by the trace or the user."""

    topology: Topology
    proven: tuple[bool, ...]


def machine_of(occupancy: Occupancy, harts: int, source: str, given: Sequence[int] = ()) -> Machine:
    """Return what is known of a machine with at least so many HARTs.

    `given` are the lines of each HART, or of all when it is one number, if the user knows them.
    """
    highest = _highest_lines(occupancy, harts)
    bits = guest_index_bits(occupancy.pages)
    if given:
        lines = _given_lines(given, harts, source)
        proven = [True] * len(lines)
    else:
        proven = [_is_proven(occupancy, hart, highest[hart]) for hart in range(harts)]
        most = (1 << bits) - 1 if bits else max([1, *highest])
        lines = [
            line if known else max(line, most) for line, known in zip(highest, proven, strict=True)
        ]
    specs = tuple(HartSpec(count) for count in lines)
    index_bits = bits or max(lines).bit_length()
    return Machine(Topology(specs, index_bits, source), tuple(proven))


def guest_index_bits(pages: Mapping[tuple[int, int], int]) -> int:
    """Return how many bits of a host page number count guest files, from the pages of lines.

    The page of line L of HART H is base + (H << bits) + L.  0 if the pages do not tell, or do not
    lie like this (more than one group of HARTs).
    """
    bases = sorted({(hart, (hpa >> _PAGE_SHIFT) - line) for (hart, line), hpa in pages.items()})
    strides = {
        divmod(page - page_before, hart - hart_before) if hart > hart_before else (0, 1)
        for (hart_before, page_before), (hart, page) in pairwise(bases)
    }
    for bits in range(1, _INDEX_BITS_MAX + 1):
        if strides == {(1 << bits, 0)}:
            return bits
    return 0


def _highest_lines(occupancy: Occupancy, harts: int) -> list[int]:
    highest = [0] * harts
    for owner in occupancy.ownerships:
        highest[owner.hart] = max(highest[owner.hart], owner.line)
    return highest


def _is_proven(occupancy: Occupancy, hart: int, highest: int) -> bool:
    """Whether an allocation failed there while all lines that were ever seen were owned."""
    return highest > 0 and any(
        each.failed and each.hart == hart and each.owned >= highest
        for each in occupancy.allocations
    )


def _given_lines(given: Sequence[int], harts: int, source: str) -> list[int]:
    if len(given) == 1:
        return [*given] * harts
    if len(given) < harts:
        allowed = f"must be one number, or one for each of the {harts} HARTs in {source}"
        raise InputError([Problem("--lines", "", ",".join(map(str, given)), allowed)])
    return [*given]
