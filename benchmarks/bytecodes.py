"""How many bytecodes an operation is: a measure of the seam that no busy core disturbs.

    python -m benchmarks.bytecodes

The sides of benchmarks/seam.py, and a whole scenario with and without its timeline recorded.  What
runs in C (the heap, arrays, resuming a generator) counts as the bytecode that calls it.
"""

from __future__ import annotations

import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any

from benchmarks.load import Load
from benchmarks.recording import SIDES as RECORDING
from benchmarks.seam import SIDES
from hgeisim.scenario.load import load_scenario

UNTIL_NS = {4: 1_000_000, 64: 100_000}
"""Simulated ns by number of HARTs: counting is a hundred times as slow as running."""
PARTS = 12
"""So many functions are listed, those that take the most."""


class Count:
    """Counts the bytecodes that are executed while it is entered, by code object."""

    def __init__(self) -> None:
        self.by_code: Counter[CodeType] = Counter()

    def __enter__(self) -> Count:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    @property
    def total(self) -> int:
        """All of them."""
        return self.by_code.total()

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode":
            self.by_code[frame.f_code] += 1
        return self._trace


def operation(name: str, harts: int) -> tuple[float, dict[str, float]]:
    """The bytecodes of an operation of a side, and the functions with most of them."""
    side = SIDES[name](harts, Load(UNTIL_NS[harts]))
    with Count() as count:
        ops = side.run()
    parts = {c.co_qualname: n / ops for c, n in count.by_code.most_common(PARTS)}
    return count.total / ops, parts


def recording(scenario: str, until: str) -> float:
    """By how much more bytecodes a run has when its timeline is recorded."""
    loaded = load_scenario(scenario, {"until": until})
    totals = []
    for name in ("off", "occupancy"):
        simulation = RECORDING[name](loaded)
        with Count() as count:
            simulation.run(loaded.run.until)
        totals.append(count.total)
    return totals[1] / totals[0] - 1


def main() -> None:
    """Print how many."""
    print(f"HARTs {' '.join(f'{name:>9}' for name in SIDES)}   bytecodes an operation")
    for harts in UNTIL_NS:
        print(f"{harts:>5} {' '.join(f'{operation(name, harts)[0]:>9.0f}' for name in SIDES)}")
    print("\nof those of direct on 4 HARTs:")
    for part, share in operation("direct", 4)[1].items():
        print(f"{share:>9.0f}  {part.removeprefix('outer.<locals>.')}")
    print(f"\nrecording the timeline of big-little: {recording('big-little', '3ms'):.1%} more")


if __name__ == "__main__":
    main()
