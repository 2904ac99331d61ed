"""Follow a schedule step by step and tell what each step did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.ends import end_findings
from hgeisim.drivers.explored.space import Space, Successor
from hgeisim.drivers.explored.verdict import Schedule


@dataclass(frozen=True)
class StepTaken:
    """One step: who, where, in which kernel function, doing what, changing which cells.

    `changes` holds (name, before, after) of each cell of kernel or machine state; `findings` what
    the checks said about the step and the state after it.
    """

    context: str
    cpu: int
    function: str
    op: str
    changes: tuple[tuple[str, int, int], ...]
    findings: tuple[Finding, ...]


def step_with(space: Space, state: bytes, slot: int) -> Successor | None:
    """The step of one context, None when it cannot step here."""
    return next((s for s in space.successors(state) if s[0] == slot), None)


def follow(space: Space, schedule: Schedule) -> Iterator[StepTaken]:
    """Yield the steps of a schedule.

    Raises `ValueError` with the number of the step when a context cannot step in its turn.
    """
    state = space.initial()
    for number, slot in enumerate(schedule, 1):
        taken = step_with(space, state, slot) if slot < len(space.locations) else None
        if taken is None:
            raise ValueError(f"step {number}: context {slot} cannot step")
        yield _describe(space, state, taken)
        state = taken[1]


def findings_of(space: Space, schedule: Schedule) -> tuple[Finding, ...]:
    """Everything that a schedule shows, in order; the end is looked at if it is one."""
    state = space.initial()
    found: list[Finding] = []
    for slot in schedule:
        taken = step_with(space, state, slot)
        if taken is None:
            return ()
        state = taken[1]
        found += (*taken[2], *space.invariants.of(state))
    if next(space.successors(state), None) is None:
        found += end_findings(space, state)
    return tuple(found)


def _describe(space: Space, state: bytes, taken: Successor) -> StepTaken:
    slot, after, findings = taken
    automaton = space.system.automata[slot]
    before_cells, after_cells = space.codebook.decode(state), space.codebook.decode(after)
    here = before_cells[automaton.location]
    node = automaton.nodes[here]
    space.system.memory.begin_step(after_cells)
    cpu = automaton.runner.cpu
    return StepTaken(
        automaton.name,
        cpu,
        node.functions[-1] if node and node.functions else "",
        str(node.op) if node else "interrupt",
        tuple(_changes(space, before_cells, after_cells)),
        (*findings, *space.invariants.of(after)),
    )


def _changes(space: Space, before: list[int], after: list[int]) -> Iterator[tuple[str, int, int]]:
    locations = set(space.locations)
    for address, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new and address not in locations:
            yield space.codebook.names[address], old, new
