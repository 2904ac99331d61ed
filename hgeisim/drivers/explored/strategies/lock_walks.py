"""Lock walks: a sample of an exploration's schedules, shown to the lock-order validator.

A search never runs a path twice, so it has no operations to show.  Here some schedules, those of
the counterexamples and random ones, are followed in single operations, and the validator learns
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
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Watch
from hgeisim.watch.lock_order import LockOrder

WALKS = 64
"""Random schedules of an exploration."""


@dataclass
class NodeChains:
    """The call chain of the context that steps, as its local state has it."""

    names: tuple[str, ...] = ()

    def functions(self, who: Runner) -> tuple[str, ...]:
        """The functions, outermost first, without the script around them."""
        return self.names

    def entry(self, who: Runner) -> str:
        """The outermost function."""
        return self.names[0] if self.names else ""


@dataclass
class LockWalks:
    """The result of lock walks: the `findings`, each with the schedule that showed it first.

    `schedules` counts the walks, and `order` has learned from them.  `stopped` is the error that
    ended them early, if one did.  `alone` says of each finding whether its schedule shows it
    without the others, where that was tried.  `happened` are the landmarks of all schedules so far.
    """

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
        """Find out which schedules show their finding without the others."""
        for finding_id, (_, schedule) in self.findings.items():
            self.alone[finding_id] = finding_id in shown_alone(space, schedule)


def lock_walks(
    space: Space,
    known: Iterable[Schedule],
    walks: int,
    below: Below,
    order: LockOrder | None = None,
) -> LockWalks:
    """Follow some known schedules and a number of random ones.

    `order` learns from them; by default it is a fresh one that has seen only the start.
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
    """Show one schedule to the validator, as far as this kernel can follow it."""
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
    node, there = space.node(step.slot, step.before), space.node(step.slot, step.after)
    if node is None:
        return
    made.happened |= landmarks(node.functions)
    made.order.chains = NodeChains(node.shown)
    space.system.memory.begin_step(space.codebook.decode(step.after))
    who = space.system.automata[step.slot].runner
    if there is not None and there.waits_at(node.op):
        if not node.waiting:
            watch.show_wait(who, node.op, who.hart.irq_off, who.hart.preempt_count)
    else:
        watch.show(who, node.op)


def shown_alone(space: Space, schedule: Schedule) -> dict[str, Finding]:
    """The findings of one schedule, for a validator that has seen only the start before it."""
    walks = lock_walks(space, [schedule], 0, lambda _: 0)
    if walks.stopped is not None:
        raise walks.stopped
    return {i: finding for i, (finding, _) in walks.findings.items()}
