"""The steps of a mail in columns of CPUs: each phase of a context is a sentence, then functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from hgeisim.drivers.explored.counterexample.evidence import REASON_TO_WAKE, SLEEP, Evidence
from hgeisim.drivers.explored.model.space import Space
from hgeisim.kernel.main import Module
from hgeisim.report.effects import Change, Facts, phrases, sentence
from hgeisim.report.kernel_names import Functions, distance, in_c, value_text
from hgeisim.report.layout import in_columns

CPUS_MAX = 3
"""CPUs that have a column each; with more, each line names its CPU."""
INDENT, STEP = 8, 6
"""Columns from one CPU to the next, and those for the number of a step."""
PHRASES_MAX = 4


class Detail(NamedTuple):
    """The amount to show of a step: changes of cells up to a distance, and maybe its operation."""

    reach: int
    ops: bool = False


@dataclass
class Names:
    """The names of a kernel's cells, vCPUs and functions."""

    cells: Sequence[str]
    vcpus: dict[int, str]
    functions: Functions

    @classmethod
    def of(cls, space: Space) -> Names:
        """The names in a space."""
        k: Module = space.system.k
        vcpus = {vcpu.id: vcpu.name for vcpu in k.vcpus if vcpu is not None}
        return cls(space.system.memory.names, vcpus, Functions(type(k)))


@dataclass
class Phases:
    """The steps of an evidence as text, for a number of CPUs."""

    found: Evidence
    names: Names
    cpus: int
    detail: Detail

    def lines(self, shown: Sequence[int]) -> Iterator[str]:
        """The head and the steps."""
        yield self._head(len(shown))
        steps = self.found.traced.steps
        for _, run in groupby(shown, key=lambda i: steps[i].happened.event.slot):
            yield from self._phase(list(run))

    def _head(self, shown: int) -> str:
        cpus = "".join(f"CPU{cpu}".ljust(INDENT) for cpu in range(self.cpus))
        columns = f"step  {cpus if self.cpus <= CPUS_MAX else 'CPU'.ljust(INDENT)}"
        number = len(self.found.traced.steps)
        return f"{columns}  {shown} of {number} steps; (2.x): docs/paths.md"

    def _phase(self, run: list[int]) -> Iterator[str]:
        """A sentence, then a line for each function of the kernel; the sentence has the number of
        the first step, unless a function has it."""
        step, rows = self.found.traced.steps[run[-1]], list(self._rows(run))
        parts = self._said(run) or [f"goes on in {self._function(run[0])}"]
        first = str(run[0] + 1) if rows else self._number(run)
        numbered = any(number.lstrip("*") == first for number, _ in rows)
        yield from self._line("" if numbered else first, step.cpu, sentence(step.context, parts), 0)
        for number, text in rows:
            yield from self._line(number, step.cpu, text, 2)

    def _rows(self, run: list[int]) -> Iterator[tuple[str, str]]:
        for name, group in groupby(run, key=self._function):
            places = list(group)
            if self.detail.ops:
                yield "", name
                yield from ((self._number([i]), f"  {self._what([i])}") for i in places)
            elif self.found.decides in places or self._says_something(places):
                text = ": ".join(filter(None, (name, self._what(places))))
                yield self._number(places), text

    def _says_something(self, places: list[int]) -> bool:
        """Whether steps have a sentence, in a function that docs/paths.md names by `(2.x)`."""
        return bool(self._said(places)) and " (" in self._function(places[0])

    def _number(self, places: list[int]) -> str:
        """The number of the step that decides, with a mark, or of the first with a sentence."""
        if self.found.decides in places:
            return f"*{self.found.decides + 1}"
        return str(next((i for i in places if self._said([i])), places[0]) + 1)

    def _said(self, run: list[int]) -> list[str]:
        """The parts of a sentence about some steps, at the end what the last of them waits for."""
        said = phrases(self._changes(run), self._facts(run), PHRASES_MAX)
        op = self.found.stands.get(run[-1])
        if op is not None:
            said.append("sleeps" if op == SLEEP else f"waits for {in_c(op)}")
        return said

    def _line(self, number: str, cpu: int, text: str, by: int) -> Iterator[str]:
        if self.cpus > CPUS_MAX:
            lead = f"{number:>4}  CPU{cpu:<3} " + " " * by
        else:
            lead = f"{number:>4}  " + " " * (INDENT * cpu + by)
        yield from in_columns(text, lead, " " * (len(lead) + 2))

    def _facts(self, run: list[int]) -> Facts:
        steps, cells = self.found.traced.steps, self.names.cells
        values: dict[str, int] = {}
        for i in run:
            values |= {cells[a]: value for a, value in steps[i].reads.items()}
            values |= {cells[a]: v for a, v in steps[i].writes.items() if v >= 0}
        return Facts(self.names.vcpus, values)

    def _changes(self, run: list[int]) -> list[Change]:
        """The reads of what another context wrote, and the net change of each cell."""
        steps, cells = self.found.traced.steps, self.names.cells
        made = list[Change]()
        net: dict[int, int] = {}
        for i in run:
            made += [Change(cells[c], value, value) for c, value in self._learned(i).items()]
            for cell, (old, new) in steps[i].changes.items():
                if cell in net:
                    made[net[cell]] = made[net[cell]]._replace(after=new)
                else:
                    net[cell] = len(made)
                    made.append(Change(cells[cell], old, new))
        return made

    def _learned(self, place: int) -> dict[int, int]:
        """The cells that make the order matter to a step, with the values that it finds."""
        step = self.found.traced.steps[place]
        wanted = {e.cell for e in self.found.slice.order if place in (e.first, e.then)}
        if place in self.found.sleepers:
            wanted |= {cell for cell in step.reads if REASON_TO_WAKE.search(self.names.cells[cell])}
        return {c: v for c, v in step.reads.items() if c in wanted and c not in step.changes}

    def _function(self, place: int) -> str:
        return self.names.functions.named(self.found.traced.steps[place].shown)

    def _what(self, places: list[int]) -> str:
        parts = [in_c(self.found.traced.steps[i].op) for i in places] if self.detail.ops else []
        near = (c for c in self._changes(places) if distance(c.cell) <= self.detail.reach)
        parts += map(self._change, near)
        return "; ".join(dict.fromkeys(filter(None, parts)))

    def _change(self, change: Change) -> str:
        cell, old, new = change
        before, after = (value_text(cell, value, self.names.vcpus) for value in (old, new))
        sign = f" = {before}" if old == new else f": {before} -> {after}"
        return f"{in_c(cell)}{sign}"
