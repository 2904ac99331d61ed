"""Lock order of an exploration, by sample: what the validator says along schedules.

A search never runs a path twice, so it has no operations to show.  Here some schedules are gone
through in single operations, those of the counterexamples and random ones, and the validator learns
from all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from hgeisim.checks.finding import Cause, Finding, landmarks
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.sampling import Random
from hgeisim.drivers.explored.strategies.strategy import Below, Chain, Given, Step, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule, without_memory
from hgeisim.kernel.script import SCRIPTED
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Watch
from hgeisim.watch.lock_order import LockOrder

WALKS = 64
"""Random schedules of an exploration."""


@dataclass
class NodeChains:
    """The call chain of the context that steps."""

    names: tuple[str, ...] = ()

    def functions(self, who: Runner) -> tuple[str, ...]:
        """What its local state says, without the script around it."""
        return self.names

    def entry(self, who: Runner) -> str:
        """The outermost function."""
        return self.names[0] if self.names else ""


@dataclass
class LockWalks:
    """`findings` with the schedule that showed each first, how many `schedules` there were, and the
    `order` that learned from them; `stopped` is what ended them early, if anything did, and `alone`
    says whether the schedule of a finding shows it without the others, where that was tried.
    `happened` are the landmarks of all schedules so far."""

    order: LockOrder
    findings: dict[str, tuple[Finding, Schedule]] = field(default_factory=dict)
    schedules: int = 0
    stopped: BaseException | None = None
    alone: dict[str, bool] = field(default_factory=dict)
    happened: frozenset[str] = frozenset()

    @property
    def causes(self) -> dict[str, Cause]:
        """The cause of each finding."""
        return {i: finding.cause for i, (finding, _) in self.findings.items()}

    def note(self, finding: Finding, schedule: Schedule) -> None:
        """Keep the first schedule of each finding."""
        if finding.id not in self.findings:
            cause = finding.cause.after(self.happened)
            self.findings[finding.id] = replace(finding, cause=cause), schedule

    def try_alone(self, space: Space) -> None:
        """Look at each schedule without the others."""
        for finding_id, (_, schedule) in self.findings.items():
            self.alone[finding_id] = finding_id in shown_alone(space, schedule)


def lock_walks(
    space: Space,
    known: Iterable[Schedule],
    walks: int,
    below: Below,
    order: LockOrder | None = None,
) -> LockWalks:
    """Go through some known schedules and a number of random ones.

    `order` learns; by default one that has seen only the start, and nobody else has to do with.
    """
    made = LockWalks(order or space.system.lock_order.copy())
    fine = space.fine
    fine.make_room()
    try:
        for schedule in schedules(fine, Chain(Given(known, loose=True), Random(below, walks))):
            _walk(fine, made, schedule)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller
        made.stopped = without_memory(error)
    for finding_id in made.order.redundant():
        made.findings.pop(finding_id, None)
    return made


def _walk(space: Space, made: LockWalks, schedule: Iterator[Step]) -> None:
    """Show one schedule to the validator, up to where this kernel can follow it."""
    order, gone = made.order, list[int]()
    order.rewind()
    watch = Watch(order)
    order.report = lambda finding: made.note(finding, tuple(gone))
    for finding in order.found:
        made.note(finding, ())
    for step in schedule:
        gone.append(step.slot)
        _show(space, made, watch, step)
    made.schedules += 1


def _show(space: Space, made: LockWalks, watch: Watch, step: Step) -> None:
    """Show the validator what a step completed, or began to wait for."""
    slot, state, there_state, _ = step
    automaton = space.system.automata[slot]
    location = automaton.location
    value = space.codebook.value
    node = automaton.nodes[value(location, state)]
    there = automaton.nodes[value(location, there_state)]
    if node is None:
        return
    made.happened |= landmarks(node.functions)
    order = made.order
    space.system.memory.begin_step(space.codebook.decode(there_state))
    order.chains = NodeChains(tuple(name for name in node.functions if name not in SCRIPTED))
    if there is not None and there.waiting and there.op == node.op:
        if not node.waiting:
            hart = automaton.runner.hart
            watch.show_wait(automaton.runner, node.op, hart.irq_off, hart.preempt_count)
    else:
        watch.show(automaton.runner, node.op)


def shown_alone(space: Space, schedule: Schedule) -> dict[str, Finding]:
    """What one schedule shows to a validator that has seen only the start before it."""
    walks = lock_walks(space, [schedule], 0, lambda _: 0)
    if walks.stopped is not None:
        raise walks.stopped
    return {i: finding for i, (finding, _) in walks.findings.items()}
