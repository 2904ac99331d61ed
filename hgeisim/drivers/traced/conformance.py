"""Conformance of a kernel variant to a trace: how many events were compared, and where it ends.

An event that fits into no state may give one vCPU the line of another: a stolen line.  Where the
kernel paths themselves lead there (a late free takes the line from its new owner), the follower
goes on, and the checks of every state report it.  `stolen` is for the other case: no path of the
model hands out, frees or uses a line that belongs to another vCPU.

`also_agreeing` shows how much an agreement proves: it lists the other bases that would agree with
the trace as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.booted_kernel import boot_for_trace, recorded_in
from hgeisim.drivers.traced.compare_event import described
from hgeisim.drivers.traced.event_handlers import HANDLERS
from hgeisim.drivers.traced.interleavings import Failure, Follower, TooManyOrders
from hgeisim.drivers.traced.observed_state import (
    begins_in_the_middle,
    is_placeholder,
    named_vsfile,
)
from hgeisim.drivers.traced.possible_state import Found, Hypothesis, Inferred
from hgeisim.drivers.traced.read_trace import Trace, stretches
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.variants import BASES, variant_problem
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.ftrace import Lost, Record
from hgeisim.trace.import_trace import Joint, Progress
from hgeisim.trace.interval import Event

_PROGRESS_EVERY = 256


@dataclass(frozen=True)
class Disagreement:
    """An event that does not fit.

    `why` are the reasons, one for each state that the kernel may have been in; `allowed` are the
    events that the model would have had instead.  `owners` own the lines of `cpu`, from line 1 on;
    "" is a free line.
    """

    record: Record
    why: tuple[str, ...]
    allowed: tuple[str, ...]
    cpu: int
    owners: tuple[str, ...]


@dataclass
class Conformance:
    """The outcome of following a trace.

    `checked` counts the compared events, by name; `states` is the largest number of states that the
    kernel may have been in at any time.  `holes` counts the places where events were lost or, in
    `joints` of them, windows seem to be joined; the first is in line `first_hole`.  After each of
    them, owners are learned anew.  `last_line` is the last line of the longest prefix that agrees,
    0 if there is none.  `gave_up`: after that line there were too many orders to follow them all.
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
        """The number of events that agree."""
        return self.checked.total() - (self.disagreement is not None)

    @property
    def is_over(self) -> bool:
        """Whether the rest of the trace cannot be followed."""
        return self.gave_up or self.disagreement is not None


def check_trace(
    trace: Trace, variant: str, middle: bool = False, progress: Progress | None = None
) -> Conformance:
    """Let a variant of the kernel follow a trace, up to the first event that does not fit.

    `middle`: lines are held when the trace begins, even if its first events do not show that.
    Raises `ValueError` for an unknown variant.
    """
    result, recorded = Conformance(trace, variant), recorded_in(trace.events)
    for hole, events in stretches(trace.events):
        if hole:
            result.holes += 1
            result.joints += isinstance(hole, Joint)
            result.first_hole = result.first_hole or hole.line
            why = _described_hole(hole)
            result.inferred.append(Inferred(hole.line, f"{why}: owners are learned anew"))
        elif in_the_middle := middle or begins_in_the_middle(events):
            text = "the trace begins in the middle: owners are learned"
            result.inferred += [Inferred(each.record.line, text) for each in events[:1]]
        unknown = hole is not None or in_the_middle
        booted = boot_for_trace(variant, trace.topology, events, unknown, recorded)
        follower = Follower(booted, HANDLERS)
        _follow(result, follower, events, progress)
        _conclude(result, follower, events)
        if result.is_over:
            break
    return result


def _described_hole(hole: Lost) -> str:
    if isinstance(hole, Joint):
        return "windows seem to be joined here, no CPU has a record for a while"
    return f"events of CPU {hole.cpu} were lost"


def _follow(
    result: Conformance, follower: Follower, events: Sequence[Event], progress: Progress | None
) -> None:
    """Follow a stretch of the trace, up to the first event that does not fit."""
    for event in events:
        try:
            agrees = follower.follow(event)
        except TooManyOrders:
            result.gave_up = True
            return
        result.checked[event.record.event] += follower.compared or not agrees
        if not agrees:
            result.disagreement = _disagreement(event, follower.failures)
            if theft := stolen(follower.failures, event):
                follower.failures[0].hypothesis.note(event.record.line, theft)
            return
        result.last_line = event.record.line
        result.states = max(result.states, len(follower.hypotheses))
        if progress and result.checked.total() % _PROGRESS_EVERY == 0:
            progress(result.checked.total())


def _conclude(result: Conformance, follower: Follower, events: Sequence[Event]) -> None:
    """Add the inferences and findings on the way to the state of the latest orders."""
    disagrees = result.disagreement is not None
    state = follower.failures[0].hypothesis if disagrees else follower.hypotheses[0]
    if events and not result.is_over:
        last = events[-1].record
        state.install()
        for vcpu in state.booted.vcpus.values():
            state.note(last.line, *state.sleepers.for_ever(vcpu, last.time_ns))
    result.inferred += state.inferred
    result.findings += state.findings.values()
    if not result.is_over:
        result.inferred += _cut_short(follower, state, result.last_line)


def _disagreement(event: Event, failures: Sequence[Failure]) -> Disagreement:
    """Collect why no state agrees; the owners are those in the state of the latest orders."""
    why = tuple(dict.fromkeys(failure.why for failure in failures))
    allowed = tuple(dict.fromkeys(failure.allowed for failure in failures if failure.allowed))
    state = failures[0].hypothesis
    cpu = getattr(failures[0].late or event.meaning, "cpu", None)
    if cpu is None or not 0 <= cpu < len(state.booted.k.hgei):
        cpu = event.record.cpu
    return Disagreement(event.record, why, allowed, cpu, tuple(state.owners(cpu)))


def _cut_short(follower: Follower, state: Hypothesis, last_line: int) -> Iterator[Inferred]:
    """Describe the calls under way at the end or at a hole, and the late reads not yet true."""
    state.install()
    yield from (Inferred(last_line, late.why) for _, late in sorted(state.late.items()))
    for actor in sorted(state.calls):
        for after in follower.reach(state.fork(), actor):
            call = after.calls[actor]
            if not call.done:
                text = f"not in the trace any more: {described(after, call)}, {call.who.name}"
                yield Inferred(last_line, text)
            break


def stolen(failures: Sequence[Failure], event: Event) -> Finding | None:
    """The theft of a line that an event shows, if it shows one in every state that does not fit."""
    found = [_theft(each, event) for each in failures]
    return found[0] if found and all(found) else None


def _theft(failure: Failure, event: Event) -> Finding | None:
    """The theft in one state: the event gives a vCPU a line that another vCPU owns."""
    h, late, meaning = failure.hypothesis, failure.late, event.meaning
    call, named = h.calls.get(event.thread), named_vsfile(meaning)
    kind, how = "not-owner", "is the VS-file of"
    taker: Vcpu
    if late:
        taker, cpu, line = late.vcpu, late.cpu, late.hgei
    elif isinstance(meaning, kvm.AllocReturn | kvm.Free):
        if call is None or not call.vcpu:
            return None
        taker = h.booted.k.vcpu(call.vcpu)
        if isinstance(meaning, kvm.Free):
            how, cpu, line = "is freed for", meaning.cpu, meaning.line
        else:
            kind, how, cpu, line = "double-owner", "is handed out to", call.cpu, meaning.result
    elif named:
        taker, (cpu, line) = h.booted.vcpus[named[0]], named[1:]
    else:
        return None
    owner = h.owner(cpu, line)
    if owner is None or owner is taker or is_placeholder(h, owner):
        return None
    text = f"HART {cpu} line {line} {how} {taker.name}, but belongs to {owner.name}"
    return Finding(kind, "hgei", text)


def also_agreeing(
    trace: Trace, variant: str, middle: bool = False, progress: Progress | None = None
) -> list[str]:
    """The variants with the same patches on another base that follow a trace to its end."""
    own_base, plus, patches = variant.partition("+")
    others = [f"{base}{plus}{patches}" for base in BASES if base != own_base]
    return [
        other
        for other in others
        if not variant_problem(other) and not check_trace(trace, other, middle, progress).is_over
    ]
