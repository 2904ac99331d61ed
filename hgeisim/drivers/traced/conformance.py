"""Whether a variant of the model conforms to a trace: what was checked, and where it ends.

An event that fits into no state may give one vCPU the line of another: a stolen line.  Where the
kernel paths themselves lead there (a late free takes the line from its new owner), the follower
goes on, and the checks of every state report it.  `stolen` is for the other case: no path of the
model hands out, frees or uses the line of somebody else.

`also_agreeing` says what an agreement can tell apart: the other bases that the trace would agree
with as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced import guest_events as entry
from hgeisim.drivers.traced import guest_events as interrupts
from hgeisim.drivers.traced.booted_kernel import OVER, make_world, recorded_in
from hgeisim.drivers.traced.compare_event import described
from hgeisim.drivers.traced.interleavings import Failure, Follower, Handler, TooManyOrders
from hgeisim.drivers.traced.observed_state import begins_in_the_middle, is_unknown, vsfile_told
from hgeisim.drivers.traced.possible_state import Found, Hypothesis, Inferred
from hgeisim.drivers.traced.read_trace import Trace, stretches
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.variants import BASES, variant_problem
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.ftrace import Lost, Record
from hgeisim.trace.import_trace import Joint, Progress
from hgeisim.trace.interval import Event


class Given(NamedTuple):
    """A line that an event gives to `taker`, `how` it says so, and the kind of a theft."""

    kind: str
    how: str
    taker: Vcpu
    cpu: int
    line: int


def stolen(failures: Iterable[Failure], event: Event) -> Finding | None:
    """The theft that an event tells of, if it is one in every state that does not fit."""
    found = [_theft(each, event) for each in failures]
    return found[0] if found and all(found) else None


def _theft(failure: Failure, event: Event) -> Finding | None:
    """What is stolen, if the line of an event has another owner in a state."""
    h, late = failure.hypothesis, failure.late
    if late:
        given: Given | None = _named(late.vcpu, late.cpu, late.hgei)
    else:
        given = _given(h, event)
    owner = h.owner(given.cpu, given.line) if given else None
    if given is None or owner is None or owner is given.taker or is_unknown(h, owner):
        return None
    place = f"HART {given.cpu} line {given.line}"
    text = f"{place} {given.how} {given.taker.name}, but belongs to {owner.name}"
    return Finding(given.kind, "hgei", text)


def _given(h: Hypothesis, event: Event) -> Given | None:
    """The line that an event says is that of a vCPU."""
    told, context = event.meaning, h.contexts.get(event.thread)
    if isinstance(told, kvm.AllocReturn | kvm.Free):
        if context is None or not context.vcpu:
            return None
        taker = h.world.k.vcpu(context.vcpu)
        if isinstance(told, kvm.Free):
            return Given("not-owner", "is freed for", taker, told.cpu, told.line)
        return Given("double-owner", "is handed out to", taker, context.cpu, told.result)
    named = vsfile_told(told)
    if named is None:
        return None
    return _named(h.world.vcpus[named[0]], *named[1:])


def _named(vcpu: Vcpu, cpu: int, line: int) -> Given:
    """The line of a VS-file that an event names."""
    return Given("not-owner", "is the VS-file of", vcpu, cpu, line)


_PROGRESS_EVERY = 256
HANDLERS: dict[type[kvm.Meaning], Handler] = {
    kvm.Sgei: interrupts.sgei,
    kvm.Kick: interrupts.kick,
    kvm.Sweep: interrupts.sweep,
    kvm.Inject: entry.inject,
    kvm.Run: entry.run,
    **dict.fromkeys(OVER, entry.left),
    kvm.Wakeon: entry.wakeon,
}
"""How events are followed that are more than a probe of their thread's own call."""


@dataclass(frozen=True)
class Disagreement:
    """The event that does not fit.

    `why` are the reasons, one for each state that the kernel may have been in, `allowed` what the
    model would have done instead; `owners` are those of the lines of `cpu`, from line 1 on, "" for
    nobody.
    """

    record: Record
    why: tuple[str, ...]
    allowed: tuple[str, ...]
    cpu: int
    owners: tuple[str, ...]


@dataclass
class Conformance:
    """What following a trace came to.

    `checked` counts the events that were compared, by name; `states` is the largest number of
    states that the kernel may have been in at once.  `holes` are the places where events were lost
    or, `joints` of them, windows seem to be joined, the first in line `first_hole`; after each it
    is learned anew who owns what.  `last_line` is the last one of the longest prefix that agrees, 0
    if there is none.  `gave_up`: after it there were too many orders to follow them all.
    """

    trace: Trace
    variant: str
    checked: Counter[str] = field(default_factory=Counter)
    states: int = 1
    holes: int = 0
    joints: int = 0
    first_hole: int = 0
    last_line: int = 0
    gave_up: bool = False
    inferred: list[Inferred] = field(default_factory=list)
    findings: list[Found] = field(default_factory=list)
    disagreement: Disagreement | None = None

    @property
    def agreed(self) -> int:
        """How many events agree."""
        return self.checked.total() - (self.disagreement is not None)

    @property
    def is_over(self) -> bool:
        """Whether nothing can be said of what follows."""
        return self.gave_up or self.disagreement is not None


def check_trace(
    trace: Trace, variant: str, middle: bool = False, progress: Progress | None = None
) -> Conformance:
    """Let a variant of the kernel follow a trace, up to the first event that does not fit.

    `middle`: lines are held when the trace begins, even if its first event does not tell.
    Raises `ValueError` when there is no such variant.
    """
    result, recorded = Conformance(trace, variant), recorded_in(trace.events)
    for hole, events in stretches(trace.events):
        if hole:
            _note_hole(result, hole)
        elif in_the_middle := middle or begins_in_the_middle(events):
            text = "the trace begins in the middle: who owns what is learned"
            result.inferred += [Inferred(each.record.line, text) for each in events[:1]]
        unknown = hole is not None or in_the_middle
        world = make_world(variant, trace.topology, events, unknown, recorded)
        follower = Follower(world, HANDLERS)
        _follow(result, follower, events, progress)
        _conclude(result, follower, events)
        if result.is_over:
            break
    return result


def _note_hole(result: Conformance, hole: Lost) -> None:
    """Note where events are lost, or windows joined."""
    result.holes += 1
    result.joints += isinstance(hole, Joint)
    result.first_hole = result.first_hole or hole.line
    result.inferred.append(Inferred(hole.line, f"{lost(hole)}: who owns what is learned anew"))


def lost(hole: Lost) -> str:
    """Why a hole is one."""
    if isinstance(hole, Joint):
        return "windows seem to be joined here, no CPU has a record for a while"
    return f"events of CPU {hole.cpu} were lost"


def _follow(
    result: Conformance, follower: Follower, events: Sequence[Event], progress: Progress | None
) -> None:
    """Follow one stretch."""
    for event in events:
        try:
            agrees = follower.follow(event)
        except TooManyOrders:
            result.gave_up = True
            return
        result.checked[event.record.event] += follower.compared or not agrees
        if not agrees:
            result.disagreement = disagreement(event, follower.failures)
            note_theft(follower.failures, event)
            return
        result.last_line = event.record.line
        result.states = max(result.states, len(follower.hypotheses))
        if progress and result.checked.total() % _PROGRESS_EVERY == 0:
            progress(result.checked.total())


def _conclude(result: Conformance, follower: Follower, events: Sequence[Event]) -> None:
    """Add what was inferred and found on the way, in the state of the latest orders."""
    disagrees = result.disagreement is not None
    state = follower.failures[0].hypothesis if disagrees else follower.hypotheses[0]
    if events and not result.is_over:
        entry.note_sleepers(state, events[-1])
    result.inferred += state.inferred
    result.findings += state.findings.values()
    if not result.is_over:
        result.inferred += cut_short(follower, state, result.last_line)


def disagreement(event: Event, failures: Sequence[Failure]) -> Disagreement:
    """Put together why no state agrees; the owners are those of the state of the latest orders."""
    why = tuple(dict.fromkeys(failure.why for failure in failures))
    allowed = tuple(dict.fromkeys(failure.allowed for failure in failures if failure.allowed))
    state = failures[0].hypothesis
    cpu = getattr(failures[0].late or event.meaning, "cpu", None)
    if cpu is None or not 0 <= cpu < len(state.world.k.hgei):
        cpu = event.record.cpu
    return Disagreement(event.record, why, allowed, cpu, tuple(state.owners(cpu)))


def note_theft(failures: Sequence[Failure], event: Event) -> None:
    """Note in the state of the latest orders that the event gives somebody another's line."""
    if theft := stolen(failures, event):
        failures[0].hypothesis.note(event.record.line, theft)


def cut_short(follower: Follower, state: Hypothesis, last_line: int) -> Iterator[Inferred]:
    """What is under way at the end, or where events are lost: its next event, or an argument that
    has not come true."""
    state.install()
    yield from (Inferred(last_line, late.why) for _, late in sorted(state.late.items()))
    for actor in sorted(state.contexts):
        for after in follower.reach(state.fork(), actor):
            context = after.contexts[actor]
            if not context.done:
                text = f"not in the trace any more: {described(after, context)}, {context.who.name}"
                yield Inferred(last_line, text)
            break


def also_agreeing(
    trace: Trace, variant: str, middle: bool = False, progress: Progress | None = None
) -> list[str]:
    """The variants with the same patches on another base that follow a trace to its end."""
    others = (each for each in on_other_bases(variant) if not variant_problem(each))
    return [each for each in others if _follows(trace, each, middle, progress)]


def on_other_bases(variant: str) -> Iterator[str]:
    """The same patches on every other base."""
    base, plus, patches = variant.partition("+")
    return (f"{other}{plus}{patches}" for other in BASES if other != base)


def _follows(trace: Trace, variant: str, middle: bool, progress: Progress | None) -> bool:
    result = check_trace(trace, variant, middle, progress)
    return not result.is_over
