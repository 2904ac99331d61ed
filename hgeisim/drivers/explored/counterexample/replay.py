"""Replay: a schedule followed step by step, with what each step did, read and wrote.

A schedule counts single operations (`Space.fine`), so it means the same whatever a search merged.
`follow` describes its steps for a reader, `findings_of` finds out what it shows, and `trace` keeps
the accesses of each step up to a finding.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple

from hgeisim.checks.access import site
from hgeisim.checks.catalogue import CATALOGUE, At, is_lock_order
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.event_order import Happened, Progress
from hgeisim.drivers.explored.model.automaton import Automaton, Node
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.nontermination import endless, findings_in_round
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.lock_walks import shown_alone
from hgeisim.drivers.explored.strategies.strategy import LONGEST, Given, Step, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel.interrupts import DEVICE_HANDLERS
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.kernel_name import innermost
from hgeisim.machine.shared import address_of, addresses

SCENARIO = "(scenario)"
"""Whose code a context executes that only does what its task in the scenario says."""


class Change(NamedTuple):
    """A cell of kernel or machine state that a step changed, and the function that changed it
    (empty if the operation itself did)."""

    cell: str
    before: int
    after: int
    function: str = ""


@dataclass(frozen=True)
class StepTaken:
    """One step: its context and CPU, the operation of a kernel function that it completed, and the
    changes it made.

    `findings` are those of the step and of the state after it.  `source` is where the operation
    stands, file:line, in a function of an object.
    """

    context: str
    cpu: int
    function: str
    op: str
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    source: str = ""


def follow(space: Space, schedule: Schedule) -> Iterator[StepTaken]:
    """Yield the steps of a schedule.  Raises `CannotStep` if one of them is impossible."""
    space = space.fine
    for steps in schedules(space, Given([schedule])):
        yield from (_describe(space, step) for step in steps)


def findings_of(space: Space, schedule: Schedule) -> tuple[Finding, ...]:
    """All findings of a schedule, in order; none if the schedule cannot be followed.

    Those of its end count if nothing more can happen there, if contexts loop for ever from there,
    or if they have gone round in a livelock.
    """
    return Followed(space).findings_of(schedule)


class Followed:
    """A schedule that was followed, so that others with the same beginning need not start anew.

    `states` are those before its steps and after the last one, and `found` has the findings of each
    step; nothing comes after a step that has `crashed`.
    """

    def __init__(self, space: Space) -> None:
        self.given, self.space = space, space.fine
        self.schedule: list[int] = []
        self.states = [self.space.initial()]
        self.found: list[tuple[Finding, ...]] = []
        self.crashed = False

    def findings_of(self, schedule: Schedule) -> tuple[Finding, ...]:
        """All findings of another schedule, see the function `findings_of`."""
        if not self._follow(schedule):
            return ()
        space, state = self.space, self.states[-1]
        found = [finding for step in self.found for finding in step]
        if next(space.successors(state), None) is None:
            found += end_findings(space, state)
        else:
            found += endless(space, state) if space.system.own_patch else ()
            if state in self.states[1:-1]:
                found += findings_in_round(self.given, schedule)
        return tuple(found)

    def _follow(self, schedule: Schedule) -> bool:
        """Follow a schedule from where it leaves the present one; False if that is impossible."""
        both = zip(self.schedule, schedule, strict=False)
        same = next((i for i, (old, new) in enumerate(both) if old != new), None)
        same = min(len(self.schedule), len(schedule)) if same is None else same
        self.crashed = self.crashed and same == len(self.schedule)
        del self.schedule[same:], self.found[same:], self.states[same + 1 :]
        for slot in schedule[same:LONGEST]:
            if self.crashed:
                break
            if not self._step(slot):
                return False
        return True

    def _step(self, slot: int) -> bool:
        """Let a context step; False if it does not exist or cannot step."""
        if slot >= len(self.space.locations):
            return False
        answer = self.space.ask(slot, self.states[-1])
        if answer.writes is None:
            return False
        state = after(self.states[-1], answer.writes)
        found = *answer.findings, *self.space.invariants.of(state)
        self.schedule.append(slot)
        self.states.append(state)
        self.found.append(found)
        self.crashed = answer.crashes
        return True


def _describe(space: Space, step: Step) -> StepTaken:
    automaton = space.system.automata[step.slot]
    node, there = space.node(step.slot, step.before), space.node(step.slot, step.after)
    cells_after = space.codebook.decode(step.after)
    changes = tuple(_changes(space, step.slot, space.codebook.decode(step.before), cells_after))
    source = _source(space, automaton, node)
    space.system.memory.begin_step(cells_after)
    return StepTaken(
        context_name(automaton, node or there),
        automaton.runner.cpu,
        _place(space, node),
        _operation(node, there),
        changes,
        (*step.findings, *space.invariants.of(step.after)),
        source,
    )


def _source(space: Space, automaton: Automaton, node: Node | None) -> str:
    """Where in its source the path of an object stands."""
    k = space.system.k
    if node is None or not k.objects:
        return ""
    generators = automaton.generators(node, space.system.memory)
    return k.source_of([each.gi_frame for each in generators])


def _place(space: Space, node: Node | None) -> str:
    """Which function of the kernel a context is in, or whose code it executes instead; empty before
    its first step."""
    if node is None or not node.functions:
        return ""
    return innermost(type(space.system.k), node.shown) or SCENARIO


def context_name(automaton: Automaton, node: Node | None) -> str:
    """The name of a context in a local state: the hardirq of a device is not an IPI."""
    entry = node.functions[0] if node and node.functions else ""
    hardirq = automaton.name.startswith("ipi/") and entry in DEVICE_HANDLERS
    return f"irq/{automaton.runner.cpu}" if hardirq else automaton.name


def _operation(node: Node | None, there: Node | None) -> str:
    """The operation of a step as text; one that has to wait begins, waits and ends."""
    if node is None:
        return "interrupt"
    if there is not None and there.waits_at(node.op):
        return f"waits: {node.op}" if node.waiting else f"begin: {node.op}"
    return f"end: {node.op}" if node.waiting else str(node.op)


def _changes(space: Space, slot: int, before: list[int], after: list[int]) -> Iterator[Change]:
    functions = _writers(space, slot, before)
    for address, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new and address not in space.locations:
            yield Change(space.codebook.names[address], old, new, functions.get(address, ""))


def _writers(space: Space, slot: int, before: list[int]) -> dict[int, str]:
    """Make a step once more to see which kernel function writes each cell."""
    memory, functions = space.system.memory, dict[int, str]()

    def note(address: int) -> None:
        functions[address] = _writing_function(sys._getframe(1), type(space.system.k))

    memory.begin_step(list(before))
    memory.on_write = note
    space.system.attempt(slot, before[space.locations[slot]])
    memory.on_write = None
    return functions


def _writing_function(frame: FrameType, kernel: type) -> str:
    """The name of the path of a kernel that is writing at this moment; "" if none is."""
    place = site(frame, kernel)
    return innermost(kernel, place.paths[::-1]) if place else ""


class TracedStep(NamedTuple):
    """A step: its event and context, its call chain and locks, and the cells that it touched.

    `functions` is the call chain in the model, `shown` the one by the names of the kernel.
    `reads` has the values that it found, `writes` those that it left, and `changes` both where they
    differ.
    """

    happened: Happened
    context: str
    cpu: int
    functions: tuple[str, ...]
    shown: tuple[str, ...]
    op: str
    locks: tuple[str, ...]
    reads: Mapping[int, int]
    writes: Mapping[int, int]
    changes: Mapping[int, tuple[int, int]]


class Traced(NamedTuple):
    """The steps until a finding shows, the finding, and the cells in which its check saw it.

    `at_end`: the finding shows because nothing more can happen.  `final` is the last state.
    """

    schedule: Schedule
    steps: tuple[TracedStep, ...]
    finding: Finding
    cells: frozenset[int]
    at_end: bool
    final: bytes

    def last_of(self, slot: int) -> int | None:
        """The last step of a context."""
        own = (i for i in reversed(range(len(self.schedule))) if self.schedule[i] == slot)
        return next(own, None)


class NotShown(ValueError):
    """A schedule does not show the finding that it is said to show."""


def trace(space: Space, schedule: Schedule, finding_id: str) -> Traced:
    """Follow a schedule until it shows a finding.  Raises `NotShown` if it does not."""
    space, progress = space.fine, Progress(space.fine)
    made, state = list[TracedStep](), space.initial()
    for steps in schedules(space, Given([schedule])):
        for step in steps:
            made.append(_access(space, progress, step))
            state = step.after
            for finding in (*step.findings, *space.invariants.of(state)):
                if finding.id == finding_id:
                    cells = _cells(space, At.STATE, state, finding)
                    return Traced(schedule[: len(made)], tuple(made), finding, cells, False, state)
    at_end = _at_end(space, schedule, state, finding_id)
    cells = _cells(space, At.QUIET, state, at_end)
    return Traced(schedule, tuple(made), at_end, cells, not is_lock_order(finding_id), state)


def _at_end(space: Space, schedule: Schedule, state: bytes, finding_id: str) -> Finding:
    ended = next(space.successors(state), None) is None
    for_ever = (*endless(space, state), *findings_in_round(space, schedule))
    for finding in end_findings(space, state) if ended else for_ever:
        if finding.id == finding_id:
            return finding
    found = shown_alone(space, schedule).get(finding_id) if is_lock_order(finding_id) else None
    if found is None:
        raise NotShown(finding_id)
    return found


def _access(space: Space, progress: Progress, step: Step) -> TracedStep:
    """Make a step once more, and see what it reads and writes."""
    system, location = space.system, space.locations[step.slot]
    automaton, memory = system.automata[step.slot], system.memory
    before, after = space.codebook.decode(step.before), space.codebook.decode(step.after)
    memory.begin_step(list(before))
    cpu = automaton.runner.cpu
    system.attempt(step.slot, before[location])
    node = automaton.nodes[before[location]] or automaton.nodes[after[location]]
    pairs = enumerate(zip(before, after, strict=True))
    return TracedStep(
        progress.note(step.slot, step.before, step.after),
        context_name(automaton, node),
        cpu,
        node.functions if node else (),
        node.shown if node else (),
        str(node.op) if node and before[location] else "interrupt",
        tuple(node.balance.locks()) if node else (),
        {address: value for address, value in memory.reads.items() if address != location},
        {address: value for address, value in memory.writes.items() if address != location},
        {a: (old, new) for a, (old, new) in pairs if old != new and a not in space.locations},
    )


def _cells(space: Space, moment: At, state: bytes, finding: Finding) -> frozenset[int]:
    """The cells that a state check reads of the subject that a finding is about."""
    return frozenset(
        address for read in _readings(space, moment, state, finding) for address in read
    )


def _readings(space: Space, moment: At, state: bytes, found: Finding) -> Iterator[frozenset[int]]:
    k, memory = space.system.k, space.system.memory
    for row in CATALOGUE:
        if found.kind in row.kinds and moment in row.moments:
            for subject in row.check.subjects(k):
                memory.begin_step(space.codebook.decode(state))
                if any(each.id == found.id for each in row.check.of(k, subject)):
                    yield frozenset(memory.reads)
    if found.kind == "lost-wakeup":
        of_one = _of_an_ipi if found.about == "software" else _of_a_sleeper
        yield from map(of_one, filter(None, k.vcpus))


def _of_an_ipi(vcpu: Vcpu) -> frozenset[int]:
    """The cells by which a vCPU gets a software interrupt."""
    return frozenset(addresses(vcpu, "irqs_pending", "irqs_pending_mask", "hvip"))


def _of_a_sleeper(vcpu: Vcpu) -> frozenset[int]:
    """The cells from which a vCPU would be woken, and the one that says where it is."""
    files = addresses(vcpu, "vsfile_cpu", "vsfile_hgei")
    harts = (cell for hart in vcpu.thread.harts for cell in addresses(hart, "hgeie", "hgeip"))
    return frozenset((*files, *harts, address_of(vcpu.thread, "cpu")))
