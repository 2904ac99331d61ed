"""A data race: two steps that can be made side by side."""

from __future__ import annotations

from typing import NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.races.access import Access
from hgeisim.drivers.explored.strategies.verdict import Schedule


class Side(NamedTuple):
    """One of the two: the context, the HART that it is on, and its access."""

    context: str
    hart: int
    access: Access


class Race(NamedTuple):
    """Two accesses to a cell after a schedule, the write first; and what the cell has before that
    write and after it."""

    field: str
    cell: str
    sides: tuple[Side, Side]
    before: int
    after: int
    schedule: Schedule

    @property
    def finding(self) -> Finding:
        """As the finding of a check: about the field, and the two functions in one order."""
        names = dict.fromkeys(sorted(side.access.functions[0] for side in self.sides))
        return Finding("data-race", f"{self.field} in {' and '.join(names)}", self.text)

    @property
    def text(self) -> str:
        """Who does what, and with which locks."""
        first, second = self.sides
        changed = self.before != self.after
        value = f"{self.before} -> {self.after}" if changed else f"where {self.before} stands"
        return f"{_does(first, self.cell)}, {value}, while {_does(second, 'it')}"


def _does(side: Side, what: str) -> str:
    access = side.access
    verb = "writes" if access.written else "reads"
    held = " and ".join(access.locks)
    return f"{side.context} {verb} {what} in {access.functions[0]} with {held or 'no lock'}"
