"""The searches and walks with their inner loops in C, which asks Python for every new step."""

from __future__ import annotations

import ctypes as c
from array import array
from collections.abc import Sequence
from math import inf
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.compiled import library
from hgeisim.drivers.explored.compiled.library import END, LEARN, STEP, VIEW
from hgeisim.drivers.explored.compiled.tables import Tables
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.levels import EnoughStates, Levels, Wish
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.explored.strategies.search import PROGRESS_EVERY, Kinds, Progress, Search
from hgeisim.drivers.explored.strategies.strategy import LONGEST
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Schedule, Verdict, many

ASKING = frozenset((LEARN, STEP, VIEW, END))
"""The requests of C that Python answers."""
DEAD_ENDS, RETURNS, TAKEN, MADE = range(4)
WORDS = 8192
"""Random words that are drawn in one go."""
CONTEXTS_MAX = 64
"""Contexts that a search by switches has bits for."""


class Core:
    """A search in C; `status` is shared with C, see `library.Status`."""

    def __init__(self, tables: Tables, *, keeps_dead_ends: bool = False) -> None:
        self.tables, self.functions = tables, tables.functions
        self.pointer = self.functions.search_new(tables.pointer, keeps_dead_ends)
        if not self.pointer:
            raise MemoryError
        finalize(self, self.functions.search_free, self.pointer)
        self.status: library.Status = self.pointer.contents
        self.codes = c.create_string_buffer(tables.places + 1)

    def run(self, function: Any, *arguments: Any) -> int:
        """Let C go on, and return what it wants then.  Raises `MemoryError`."""
        wanted = int(function(self.pointer, *arguments))
        if wanted == library.NO_MEMORY:
            raise MemoryError
        return wanted

    def learn(self) -> None:
        """Learn the step that C lacks."""
        self.tables.space.ask(int(self.status.slot), self.state(int(self.status.state)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the step that C asks about."""
        answer = self.tables.answers[self.status.answer]
        return answer.findings if answer else ()

    def state(self, number: int) -> bytes:
        """A state by its number."""
        self.functions.search_state(self.pointer, number, self.codes)
        return self.codes.raw[: self.tables.places]

    def state_after(self) -> bytes:
        """The state after the step that C asks about."""
        self.functions.search_next(self.pointer, self.codes)
        return self.codes.raw[: self.tables.places]

    def list_of(self, which: int) -> list[int]:
        """A list that C has kept: `DEAD_ENDS` or `RETURNS`; of a walk the contexts that have
        `TAKEN` steps, or the answers that were `MADE`."""
        items = c.POINTER(c.c_uint32)()
        count = self.functions.search_list(self.pointer, which, c.byref(items))
        return items[:count] if count else []

    @property
    def bytes_used(self) -> int:
        """The memory that the search takes."""
        return int(self.functions.search_bytes(self.pointer))


class Compiled(Search):
    """The states reached so far, kept in C."""

    def __init__(self, tables: Tables, verdict: Verdict, avoid: frozenset[str]) -> None:
        super().__init__(tables.space, verdict, avoid)
        self.core = Core(tables, keeps_dead_ends=self.space.system.own_patch)
        self.status = self.core.status

    def __len__(self) -> int:
        return int(self.status.states)

    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Let C expand states, and answer its requests."""
        core, verdict, last, news = self.core, self.verdict, inf, 1
        budget, status = self.space.system.budget, self.status
        while True:
            # So few states cannot make more steps than the budget has left.
            few = status.expanded + budget.left // self.width + 1
            before = int(min(news, last, few))
            wanted = core.run(core.functions.search_run, before, states_max)
            made = status.transitions - verdict.transitions
            verdict.transitions, verdict.ends = status.transitions, status.ends
            if wanted != library.FINISHED:
                budget.spend(made)
            if wanted in ASKING:
                self.answer(wanted)
                if self.space.outdated:
                    # As in `Plain`: go on for a while, to learn more steps for the next search.
                    number = int(status.number)
                    last = min(last, number + number // 4 + 1001)
                continue
            if status.expanded == news:
                news += PROGRESS_EVERY
                budget.look_at_memory()
                if progress:
                    progress(len(self), len(self) - status.expanded)
            if wanted == library.BOUNDED:
                verdict.coverage, verdict.bound = BOUNDED, many(states_max, "state")
            if wanted != library.PAUSED or status.expanded >= last:
                return not self.space.outdated

    def answer(self, wanted: int) -> None:
        """Learn a step, or note the findings of a state; C turns back from one that is to be
        avoided, unless nothing comes after it anyway."""
        core, number, slot = self.core, int(self.status.number), int(self.status.slot)
        if wanted == LEARN:
            core.learn()
        elif wanted == END:
            self.note(number, end_findings(self.space, core.state(number)))
        else:
            new = self.space.invariants.of(core.state_after()) if wanted == VIEW else core.findings
            if self.note(number, new, slot):
                core.functions.search_turn_back(core.pointer, wanted)

    def pairs(self, kinds: Kinds, harts: tuple[list[int], bytes]) -> dict[tuple[int, int], int]:
        """The first state of each pair of kinds."""
        answers = self.core.tables.answers
        first = np.zeros((kinds.numbers, kinds.numbers), np.uint32)
        of_answers = array("H", (kinds.of.get(answer, 0) if answer else 0 for answer in answers))
        late = bytes(answer in kinds.late for answer in answers)
        places, table = harts
        self.core.run(
            *(self.core.functions.search_pairs, len(answers), of_answers.tobytes(), late),
            *(kinds.numbers, array("H", places).tobytes(), table, first.ctypes.data),
        )
        found = zip(*map(np.ndarray.tolist, np.nonzero(first)), strict=True)
        return {(one, other): int(first[one, other]) - 1 for one, other in found}

    @property
    def expanded(self) -> int:
        """How many states were expanded."""
        return int(self.status.expanded)

    def knows(self, state: bytes) -> bool:
        """Whether a state was reached."""
        known = int(self.core.functions.search_knows(self.core.pointer, state))
        if known < 0:
            raise MemoryError
        return known > 0

    def state(self, number: int) -> bytes:
        """A state by its number."""
        return self.core.state(number)

    def origin(self, number: int) -> int:
        """How a state was reached first."""
        return int(self.core.functions.search_origin(self.core.pointer, number))

    @property
    def dead_ends(self) -> Sequence[int]:
        """The states from which every step led to a known one."""
        return self.core.list_of(DEAD_ENDS)

    @property
    def returns(self) -> Sequence[int]:
        """The states from which every step led to an earlier one."""
        return self.core.list_of(RETURNS)


class CompiledLevels(Levels):
    """The search by switches, with its nodes kept in C."""

    def __init__(self, tables: Tables, states_max: int, wish: Wish) -> None:
        super().__init__(tables.space, states_max, wish)
        self.core = Core(tables)
        self.status = self.core.status

    def __len__(self) -> int:
        return int(self.status.states)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return int(self.status.transitions)

    def origin(self, node: int) -> int:
        """How a node was reached."""
        return int(self.core.functions.search_node(self.core.pointer, node))

    def level(self, progress: Progress | None) -> bool:
        """Let C make a level, and answer its requests."""
        before, count = int(self.status.expanded), len(self)
        if before == count:
            return False
        budget, states = self.space.system.budget, len(self)
        while True:
            if self.status.expanded == before:
                before += PROGRESS_EVERY
                budget.look_at_memory()
                if progress:
                    progress(len(self), count - self.status.expanded)
            wanted = self.core.run(self.core.functions.search_level, before, self.states_max)
            made, states = len(self) - states, len(self)
            budget.spend(made)
            if wanted in ASKING:
                self.answer(wanted)
            elif wanted == library.BOUNDED:
                raise EnoughStates
            elif wanted == library.FINISHED:
                return True

    def answer(self, wanted: int) -> None:
        """Learn a step, or note findings."""
        core, node, there = self.core, int(self.status.number), int(self.status.state)
        if wanted == LEARN:
            core.learn()
        elif wanted == STEP:
            self.note(core.findings, node, int(self.status.slot))
        elif wanted == VIEW:
            self.look(node, core.state(there))
        else:
            self.result.ends += 1
            self.note(end_findings(self.space, core.state(there)), node)


class CompiledWalks:
    """Random schedules of a space, made in C.

    C draws from the same words of the stream as Python would; they are fetched by the thousand.
    """

    def __init__(self, tables: Tables, draw: Draw, verdict: Verdict) -> None:
        self.one_in, stream = draw.one_in, draw.stream
        self.core, self.space, self.verdict = Core(tables), tables.space, verdict
        self.stream, self.status = stream, self.core.status
        self.supply(stream.words(WORDS))

    def walk(self) -> None:
        """Make one schedule, and note what it shows."""
        wanted = None
        while wanted not in {END, library.FINISHED}:
            words, verdict, status = c.byref(self.words), self.verdict, self.status
            wanted = self.core.run(self.core.functions.search_walk, words, LONGEST, self.one_in)
            made = status.transitions - verdict.transitions
            verdict.transitions, verdict.ends = status.transitions, status.ends
            verdict.states = len(self)
            self.space.system.budget.spend(made)
            self.answer(wanted)
        self.space.system.budget.look_at_memory()

    def __len__(self) -> int:
        return int(self.status.states)

    def supply(self, drawn: NDArray[np.uint64]) -> None:
        """Provide words to draw from, and keep them in place as long as C may read them."""
        self.drawn = drawn
        self.words = library.Words(drawn.ctypes.data, len(drawn), 0)

    def answer(self, wanted: int) -> None:
        """Give C the step or the words that it lacks, or note findings."""
        if wanted == LEARN:
            self.core.learn()
        elif wanted == library.PAUSED:
            rest = self.drawn[self.words.used :]
            self.supply(np.concatenate((rest, self.stream.words(WORDS))))
        elif wanted in {VIEW, END}:
            there = self.core.state(int(self.status.state))
            if wanted == VIEW:
                self.note((*self.core.findings, *self.space.invariants.of(there)))
            else:
                self.note(end_findings(self.space, there))

    def note(self, findings: tuple[Finding, ...]) -> None:
        """Keep the new findings, with the steps that were made."""
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                self.verdict.note(finding, self.schedule())

    def schedule(self) -> Schedule:
        """The steps that were made, in single operations.

        C numbers the answers, since the space may have forgotten since how long a step was.
        """
        core = self.core
        answers = (core.tables.answers[number] for number in core.list_of(MADE))
        made = zip(core.list_of(TAKEN), answers, strict=True)
        return tuple(slot for slot, answer in made if answer for _ in range(answer.length))
