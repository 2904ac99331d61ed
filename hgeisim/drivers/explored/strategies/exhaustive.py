"""Search every interleaving, breadth first, each state once: the first way found is shortest."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from math import inf

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.answer import Answer
from hgeisim.drivers.explored.model.endless import LoneRuns, endless
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.model.invariants import View
from hgeisim.drivers.explored.model.livelock import Round, WaysOut, findings_in_round
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.strategies.strategy import warm_up
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Schedule, Verdict, never

Progress = Callable[[int, int], None]
"""Told (states seen, states still to expand) now and then."""
PROGRESS_EVERY = 4096


def exhaustive(
    space: Space,
    states_max: int,
    avoid: frozenset[str] = frozenset(),
    progress: Progress | None = None,
    enough: Enough = never,
) -> Verdict:
    """Visit all reachable states, `states_max` at most.

    The verdict is `exhausted` when the queue ran empty, else `bounded`: by the states, by the first
    finding that is `enough`, or by what stopped the search.  With `avoid`, ids of findings, the
    search turns back where one of them shows: what is found then needs none of them.
    """
    verdict = Verdict(enough=enough)
    with verdict.kept():
        if space.contention is not None and not space.steps_learned:
            warm_up(space)
        while not _Search(space, verdict, avoid).run(states_max, progress):
            space.forget()
            verdict.start_again()
    return verdict


class _Search:
    """The states reached so far, numbered in the order in which they were reached and expanded.

    `origins` says how each state was reached first: the number of the state before it times the
    number of contexts, plus the context that stepped.  `parents` has, for each state still to be
    expanded, what the contexts answered in the state before it and what the checks saw there.
    `dead_ends` are the states from which every step led to a state seen before, and `returns` those
    among them from which it led to none that was reached later.
    """

    def __init__(self, space: Space, verdict: Verdict, avoid: frozenset[str]) -> None:
        self.space, self.verdict, self.avoid = space, verdict, avoid
        self.width = len(space.locations)
        start = space.initial()
        self.states, self.seen, self.origins = [start], {start: 0}, array("Q", [0])
        self.parents = deque[tuple[list[Answer], View]]()
        self.dead_ends, self.returns = array("Q"), array("Q")
        if self.note(0, space.invariants.of(start)):
            self.states.clear()  # what is to be avoided is there from the start

    def run(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states; False when a step was learned that makes the search invalid.

        It goes on for a while then: what else it learns need not be learned by another search.
        """
        try:
            if not self.expand_all(states_max, progress):
                return False
            self.look_for_loops()
            if self.verdict.coverage != BOUNDED and not self.avoid:
                self.look_for_livelocks()
        except Outgrown:
            return False
        else:
            return True
        finally:
            self.verdict.states = len(self.states)

    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states, in a space that has room for them; tell whether that was valid."""
        states, space, verdict = self.states, self.space, self.verdict
        last = inf
        for number, state in enumerate(states):
            self.expand(number, state)
            if space.outdated:
                last = min(last, number + number // 4 + 1000)
                if number >= last:
                    break
            queued = len(states) - number - 1
            if progress and number % PROGRESS_EVERY == 0:
                progress(len(states), queued)
            if queued and len(states) >= states_max:
                verdict.coverage, verdict.bound = BOUNDED, f"{states_max} states"
                break
        return not space.outdated

    def look_for_loops(self) -> None:
        """Find contexts that go round for ever; shipped kernels are not looked at, for the time it
        takes."""
        runs = LoneRuns(self.space)
        for number in self.dead_ends:
            if runs.all_go_round(self.states[number]):
                self.note(number, endless(self.space, self.states[number]))

    def look_for_livelocks(self) -> None:
        """Find contexts that go round for each other, once all states are known.

        Among states that none leaves, the last one that was reached leads back only.
        """
        ways, known = WaysOut(self.space), set[bytes]()
        for number in reversed(self.returns):
            state = self.states[number]
            if not ways.has_one(state) and state not in known:
                there = Round(self.space, state)
                if there.is_closed and there.slots:
                    known.update(there.states)
                    self.note_livelock([*self.slots(number), *there.schedule()])

    def note_livelock(self, slots: list[int]) -> None:
        """Keep one, with a schedule that goes round one time."""
        schedule = self.space.in_full(slots)
        for finding in findings_in_round(self.space, schedule):
            self.verdict.note(finding, schedule)

    def expand(self, number: int, state: bytes) -> None:
        """Find the successors of a state; the loop that takes all the time, so calls are few."""
        answers, view = here = self.look(number, state)
        first, seen, states, steps = number * self.width, self.seen, self.states, 0
        known, onward = 0, False
        for slot, step in enumerate(answers):
            if step.writes is None:
                continue
            steps += 1
            if step.findings and self.note(number, step.findings, slot):
                continue
            cells = bytearray(state)
            for place, code in step.writes:
                cells[place] = code
            there = bytes(cells)
            if there in seen:
                known += 1
                onward = onward or seen[there] > number
                continue
            if step.watched and self.breaks(view, step, there, number, slot):
                continue
            seen[there] = len(states)
            states.append(there)
            self.origins.append(first + slot)
            self.parents.append(here)
        self.verdict.transitions += steps
        if known == steps > 0:
            if not onward:
                self.returns.append(number)
            if self.space.system.own_patch:
                self.dead_ends.append(number)
        elif not steps:
            self.verdict.ends += 1
            self.note(number, end_findings(self.space, state))

    def look(self, number: int, state: bytes) -> tuple[list[Answer], View]:
        """What the contexts would do in a state, and what the checks see of it."""
        if not number:
            return self.space.answers(state), self.space.invariants.view(state)
        before, view = self.parents.popleft()
        step = before[self.origins[number] % self.width]
        if step.watched:
            view = self.space.invariants.follow(view, step, state)
        return self.space.answers_after(before, step, state), view

    def breaks(self, view: View, step: Answer, there: bytes, number: int, slot: int) -> bool:
        """Note what the checks say about a new state; True when the search turns back at it.

        Where they see what they saw before the step, all was noted when that was new.
        """
        sees = self.space.invariants.follow(view, step, there)
        return sees is not view and self.note(number, sees.findings, slot)

    def note(self, number: int, findings: tuple[Finding, ...], *last: int) -> bool:
        """Keep what is new among the findings; True when one to avoid is among them."""
        if self.avoid and any(finding.id in self.avoid for finding in findings):
            return True
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                self.verdict.note(finding, self.schedule(number, *last))
        return False

    def schedule(self, number: int, *last: int) -> Schedule:
        """How a state was reached, and a last step, with each operation told."""
        return self.space.in_full([*self.slots(number), *last])

    def slots(self, number: int) -> list[int]:
        """The contexts whose steps led to a state."""
        slots = list[int]()
        while number:
            number, slot = divmod(self.origins[number], self.width)
            slots.append(slot)
        return slots[::-1]
