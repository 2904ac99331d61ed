"""Every interleaving that a trace allows: all possible states, followed event by event.

The trace leaves the order of sections open.  A call may go on as soon as the trace has the event of
its probe, and it has gone on when the next event of its thread comes.  Here it is delayed until its
own next event, or until another call enters the same section; then both orders are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hgeisim.drivers.traced.booted_kernel import PROBES, BootedKernel
from hgeisim.drivers.traced.compare_event import contradictions, described, late_read
from hgeisim.drivers.traced.loaded_registers import skipped
from hgeisim.drivers.traced.observed_state import (
    learn_owners,
    note_mode,
    note_unswept,
)
from hgeisim.drivers.traced.possible_state import (
    Hypothesis,
    Inferred,
    LateRead,
    distinct,
    sgei_actor,
)
from hgeisim.drivers.traced.probed_call import (
    NOTHING,
    PREEMPTION_OFF,
    Blocked,
    Call,
    Sections,
    vsfile,
)
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

STATES_MAX = 4096
"""A migration storm on 4 HARTs has 4 states at a time; 12 lines freed together have this many."""


class TooManyOrders(Exception):
    """The trace leaves so much open that more than `STATES_MAX` states are possible at a time."""


def states_before(
    start: Hypothesis, sections: Sections, actor: int | None = None
) -> list[Hypothesis]:
    """All states in which `actor` may enter some sections; in the first one, others come later."""
    found, keys = [start], set()
    for base in found:  # which grows: a call may let others go on
        for after in _after_one_call(base, sections, actor):
            key = after.key()
            if key not in keys:
                keys.add(key)
                found.append(after)
        if len(found) > STATES_MAX:
            raise TooManyOrders
    return found


def _after_one_call(
    base: Hypothesis, sections: Sections, actor: int | None
) -> Iterator[Hypothesis]:
    """The states in which one of the other calls has entered one of the sections first."""
    for other, call in base.calls.items():
        if other != actor and call.may_go_on and call.sections & sections:
            after = base.fork()
            try:
                after.advance(other)
            except (Blocked, AssertionError):
                continue
            yield after


INFERABLE = ("lread",)
"""Probes whose event can be missing: their IPI may land inside the handler of another probe."""
States: TypeAlias = Iterator[Hypothesis]
Handler: TypeAlias = Callable[..., States]
"""Called with the follower, a state, an event and its meaning, of a class that the handler is for:
yields the states that agree with the event.  For the others it calls `Follower.fail`."""


@dataclass(frozen=True)
class Failure:
    """A state that an event does not fit into: the reason, and the event that would have fitted.

    `late` is the late read of an earlier event, if that has not come true.
    """

    hypothesis: Hypothesis
    why: str
    allowed: str = ""
    late: LateRead | None = None


class Follower:
    """All states that agree with the events so far; `follow` each event in order of time.

    `failures` are the reasons if no state is left.  `compared` is whether the last event was
    compared with anything.
    """

    def __init__(self, booted: BootedKernel, handlers: Mapping[type[kvm.Meaning], Handler]) -> None:
        self.booted, self.handlers = booted, handlers
        self.hypotheses = [Hypothesis(booted, list(booted.start))]
        self.failures: list[Failure] = []
        self.compared = False

    def follow(self, event: Event) -> bool:
        """Go on to the next event; False if no state agrees with it."""
        self.failures, self.compared = [], True
        handle = self.handlers[type(event.meaning)]
        for each in self.hypotheses:
            learn_owners(each, event)
        found = [
            after
            for each in self.hypotheses
            for quiet in self.finish_others(each, event)
            for true in self.fulfil(quiet, event.thread)
            for loaded in self.end_load(true, event)
            for after in handle(self, loaded, event, event.meaning)
        ]
        for each in found:
            each.check(event.record.line)
        self.hypotheses = distinct(found)
        return bool(found)

    def fail(self, h: Hypothesis, why: str, call: Call | None = None) -> None:
        """Give a state up."""
        self.failures.append(Failure(h, why, described(h, call) if call else ""))

    def fulfil(self, h: Hypothesis, actor: int) -> States:
        """Let a thread's late read come true, in every order of the other calls."""
        if actor not in h.late:
            yield h
            return
        for each in states_before(h, vsfile(h.late[actor].vcpu.id), actor):
            if late := each.late.get(actor):
                each.install()
                self.failures.append(Failure(each, late.why, late=late))
            else:
                yield each

    def end_load(self, h: Hypothesis, event: Event) -> States:
        """End the load before an event; it must have written the registers if the model does."""
        if wrong := skipped(h, event):
            self.fail(h, wrong)
        else:
            yield h

    def reach(self, h: Hypothesis, actor: int) -> States:
        """Let a call run to its next probe, in every order with the others."""
        call = h.calls.get(actor)
        if call is None or not call.may_go_on:
            yield h
            return
        for each in states_before(h, call.sections, actor):
            try:
                each.advance(actor)
            except (Blocked, AssertionError) as error:
                self.fail(each, f"the model stops in {call.function}: {error}")
            else:
                yield each

    def arrive(self, h: Hypothesis, event: Event, actor: int) -> States:
        """Let a call run to the probe of an event, past a probe whose event is missing."""
        for each in self.reach(h, actor):
            call = each.calls.get(actor)
            if call is not None and _is_missing(call, event):
                text = f"missing before this line: {described(each, call)}"
                each.inferred.append(Inferred(event.record.line, text))
                call.matched = True
                yield from self.arrive(each, event, actor)
            else:
                yield each

    def agree(self, h: Hypothesis, actor: int, event: Event) -> States:
        """Compare an event with the probe that a call has reached; it is matched if they agree."""
        call = h.calls[actor]
        name = PROBES[type(event.meaning)]
        if call.done or call.probe is None or call.probe.name != name:
            self.fail(h, "the model does something else", call)
            return
        # The event names a VS-file that another call may be taking away.
        reads_vsfile = isinstance(event.meaning, kvm.Alloc | kvm.Update | kvm.Release)
        reads = vsfile(call.probe.vcpu) if reads_vsfile else NOTHING
        agreeing = []
        for each in states_before(h, reads, actor):
            call = each.calls[actor]
            if wrong := list(contradictions(each, call, event)):
                self.fail(each, "; ".join(wrong), call)
                continue
            call.matched, call.line = True, event.record.line
            if isinstance(event.meaning, kvm.Release):
                note_unswept(each, event.meaning, actor)
            agreeing.append(each)
        yield from with_named_vsfile(agreeing, event)

    def finish_others(self, h: Hypothesis, event: Event) -> States:
        """Finish the calls that cannot be under way any more on the CPU of an event.

        Another thread runs there now, so a call that cannot be preempted is over.  So is the
        handler of an SGEI, unless the event is a kick.
        """
        found = [h]
        for other, call in list(h.calls.items()):
            if call.cpu == event.record.cpu and _must_be_over(other, call, event):
                found = [after for each in found for after in self.finish(each, other, event)]
        yield from found

    def finish(self, h: Hypothesis, actor: int, event: Event) -> States:
        """Let a call run to its end; fail if it reaches a probe on the way."""
        note_mode(h, h.calls[actor], None)
        arrived = (
            each for true in self.fulfil(h, actor) for each in self.arrive(true, event, actor)
        )
        for each in arrived:
            call = each.calls[actor]
            if call.done:
                del each.calls[actor]
                yield each
            else:
                self.fail(each, f"{call.function} is over, in the model it is not", call)


def with_named_vsfile(states: Sequence[Hypothesis], event: Event) -> Sequence[Hypothesis]:
    """The states in which a vCPU has the VS-file that an event names.

    If it has the file in none of them, return them all: then it must get the file before the next
    event of the thread.
    """
    late = [late_read(each, event) for each in states]
    if not all(late):
        return [each for each, read in zip(states, late, strict=True) if read is None]
    for each, read in zip(states, late, strict=True):
        each.late |= {event.thread: read} if read else {}
    return states


def _is_missing(call: Call, event: Event) -> bool:
    """Whether the trace seems to lack the event of the probe that a call has reached."""
    if call.done or call.probe is None or call.matched:
        return False
    return call.probe.name in INFERABLE and PROBES.get(type(event.meaning)) != call.probe.name


def _must_be_over(actor: int, call: Call, event: Event) -> bool:
    """Whether a call on the CPU of an event cannot be under way any more."""
    if actor == sgei_actor(call.cpu):
        return not isinstance(event.meaning, kvm.Kick)
    return actor != event.thread and call.function in PREEMPTION_OFF
