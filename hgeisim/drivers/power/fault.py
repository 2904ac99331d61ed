"""A fault that is planted in a kernel, and the switch that turns one on."""

from __future__ import annotations

from typing import Any, NamedTuple

from hgeisim.kernel.state import Kernel

DROP, UNLOCK, BOUND, INVERT = "drop", "no lock", "bound", "invert"
NAME = "planted.py:Faults"
"""What a patch of planted faults is called, as a user's own is."""


class Fault(NamedTuple):
    """One statement of a function that is left out or changed; `number` turns it on, 0 none."""

    number: int
    operator: str
    function: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.operator} {self.text}"


class Switched(Kernel):
    """A kernel with faults: all stand in one program, and at most one of them is on.

    Which one is a cell of the memory, where there is one, that no step has as an input, so that a
    path that is made anew sees what was on when it was there.  `asked` are the faults that were
    asked for, `from_boot` is the one that is on when a kernel is made.
    """

    from_boot = 0

    def __init__(k, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        k.asked = set[int]()
        k.fault = k.from_boot
        if k.memory is not None:
            k.fault = k.memory.cell("fault")
            k.memory.cells[k.fault] = k.from_boot

    def at(k, number: int) -> bool:
        """Whether a fault is on."""
        k.asked.add(number)
        on = k.fault if k.memory is None else k.memory.cells[k.fault]
        return on == number
