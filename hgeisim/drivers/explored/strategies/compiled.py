"""The same search with its inner loop in C; Python is asked for what is new."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from math import inf
from weakref import finalize

from hgeisim.drivers.explored.compiled import library
from hgeisim.drivers.explored.compiled.library import LEARN, STEP, VIEW
from hgeisim.drivers.explored.compiled.tables import Tables
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.strategies.search import PROGRESS_EVERY, Progress, Search
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Verdict


class Compiled(Search):
    """The states reached so far, kept in C.

    `told` is what C says about the search, see `library.Told`.
    """

    def __init__(self, tables: Tables, verdict: Verdict, avoid: frozenset[str]) -> None:
        super().__init__(tables.space, verdict, avoid)
        self.tables, self.functions = tables, tables.functions
        self.search = self.functions.search_new(tables.pointer, self.space.system.own_patch)
        if not self.search:
            raise MemoryError
        finalize(self, self.functions.search_free, self.search)
        self.told: library.Told = self.search.contents
        self.codes = c.create_string_buffer(tables.places + 1)

    def __len__(self) -> int:
        return int(self.told.states)

    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Let C expand states, and answer what it asks."""
        verdict, last, news = self.verdict, inf, 1
        while True:
            before = int(min(news, last))
            wanted = self.functions.search_run(self.search, before, states_max)
            verdict.transitions, verdict.ends = self.told.transitions, self.told.ends
            if wanted == library.NO_MEMORY:
                raise MemoryError
            if wanted in {LEARN, STEP, VIEW, library.END}:
                self.answer(wanted)
                if self.space.outdated:
                    number = int(self.told.number)
                    last = min(last, number + number // 4 + 1001)
                continue
            if self.told.expanded == news:
                news += PROGRESS_EVERY
                if progress:
                    progress(len(self), len(self) - self.told.expanded)
            if wanted == library.BOUNDED:
                verdict.coverage, verdict.bound = BOUNDED, f"{states_max} states"
            if wanted != library.PAUSED or self.told.expanded >= last:
                return not self.space.outdated

    def answer(self, wanted: int) -> None:
        """Learn a step, or look at what checks say; at the end of a schedule there is nothing to
        turn back from."""
        number, slot = int(self.told.number), int(self.told.slot)
        if wanted == LEARN:
            self.space.ask(slot, self.state(number))
        elif wanted == STEP:
            step = self.tables.answers[self.told.answer]
            if step and self.note(number, step.findings, slot):
                self.functions.search_turn_back(self.search, STEP)
        elif wanted == VIEW:
            self.functions.search_next(self.search, self.codes)
            if self.note(number, self.space.invariants.of(self._codes()), slot):
                self.functions.search_turn_back(self.search, VIEW)
        else:
            self.note(number, end_findings(self.space, self.state(number)))

    def state(self, number: int) -> bytes:
        """A state by its number."""
        self.functions.search_state(self.search, number, self.codes)
        return self._codes()

    def _codes(self) -> bytes:
        return self.codes.raw[: self.tables.places]

    def origin(self, number: int) -> int:
        """How a state was reached first."""
        return int(self.functions.search_origin(self.search, number))

    @property
    def dead_ends(self) -> Sequence[int]:
        """The states from which every step led to a known one."""
        return self._list(returns=False)

    @property
    def returns(self) -> Sequence[int]:
        """Those among them from which it led to none that was reached later."""
        return self._list(returns=True)

    def _list(self, *, returns: bool) -> list[int]:
        items = c.POINTER(c.c_uint32)()
        count = self.functions.search_list(self.search, returns, c.byref(items))
        return items[:count] if count else []
