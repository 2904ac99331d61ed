"""A schedule with what each step read and wrote, up to where it shows a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hgeisim.checks.catalogue import CATALOGUE, At, is_lock_order
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.events import Happened, Progress
from hgeisim.drivers.explored.counterexample.replay import context_name
from hgeisim.drivers.explored.model.endless import endless
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.model.livelock import findings_in_round
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.lock_walks import shown_alone
from hgeisim.drivers.explored.strategies.strategy import Given, Step, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.shared import address_of, addresses


class Access(NamedTuple):
    """A step: where it was made, in which functions, holding which locks, and what it touched.

    `reads` has the values that it found, `writes` those that it left, `changes` both where they
    differ.
    """

    happened: Happened
    context: str
    cpu: int
    functions: tuple[str, ...]
    op: str
    locks: tuple[str, ...]
    reads: Mapping[int, int]
    writes: Mapping[int, int]
    changes: Mapping[int, tuple[int, int]]


class Traced(NamedTuple):
    """The steps until a finding shows, the finding, and the cells by which its check saw it.

    `at_end`: it shows when nothing can happen any more.  `final` is the last state.
    """

    schedule: Schedule
    steps: tuple[Access, ...]
    finding: Finding
    cells: frozenset[int]
    at_end: bool
    final: bytes

    def last_of(self, slot: int) -> int | None:
        """The last step of a context."""
        own = (i for i in reversed(range(len(self.schedule))) if self.schedule[i] == slot)
        return next(own, None)


class NotShown(ValueError):
    """A schedule does not show a finding."""


def trace(space: Space, schedule: Schedule, finding_id: str) -> Traced:
    """Follow a schedule until it shows a finding.  Raises `NotShown` if it does not."""
    space, progress = space.fine, Progress(space.fine)
    made, state = list[Access](), space.initial()
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


def _access(space: Space, progress: Progress, step: Step) -> Access:
    """Make a step once more, and see what it reads and writes."""
    system, location = space.system, space.locations[step.slot]
    automaton, memory = system.automata[step.slot], system.memory
    before, after = space.codebook.decode(step.before), space.codebook.decode(step.after)
    memory.begin_step(list(before))
    cpu = automaton.runner.cpu
    system.attempt(step.slot, before[location])
    node = automaton.nodes[before[location]] or automaton.nodes[after[location]]
    pairs = enumerate(zip(before, after, strict=True))
    return Access(
        progress.note(step.slot, step.before, step.after),
        context_name(automaton, node),
        cpu,
        node.functions if node else (),
        str(node.op) if node and before[location] else "interrupt",
        tuple(node.balance.locks()) if node else (),
        {address: value for address, value in memory.reads.items() if address != location},
        {address: value for address, value in memory.writes.items() if address != location},
        {a: (old, new) for a, (old, new) in pairs if old != new and a not in space.locations},
    )


def _cells(space: Space, moment: At, state: bytes, finding: Finding) -> frozenset[int]:
    """What a check of states reads of the subject that a finding is about."""
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
        yield from map(_of_a_sleeper, filter(None, k.vcpus))


def _of_a_sleeper(vcpu: Vcpu) -> frozenset[int]:
    """Where a vCPU would be woken from, and where it is."""
    files = addresses(vcpu, "vsfile_cpu", "vsfile_hgei")
    harts = (cell for hart in vcpu.thread.harts for cell in addresses(hart, "hgeie", "hgeip"))
    return frozenset((*files, *harts, address_of(vcpu.thread, "cpu")))
