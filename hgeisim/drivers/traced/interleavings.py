"""Every interleaving that a trace allows: it is followed event by event, in all possible states.

The trace leaves open in which order sections ran.  A call may go on as soon as the event of its
probe is in the trace, and has done so when the next event of its thread comes.  Here it goes on as
late as it can: for its own next event, or before another call enters the same section; then both
orders are tried, it before the other and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hgeisim.drivers.traced.booted_kernel import PROBES, World
from hgeisim.drivers.traced.call_starts import PREEMPTION_OFF, call_of
from hgeisim.drivers.traced.compare_event import contradictions, described, late_read
from hgeisim.drivers.traced.observed_state import is_of_before, learn, show_mode, show_unswept
from hgeisim.drivers.traced.possible_state import (
    Hypothesis,
    Inferred,
    LateRead,
    distinct,
    sgei_actor,
)
from hgeisim.drivers.traced.probed_call import NOTHING, Blocked, Context, Sections, vsfile
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event

STATES_MAX = 4096
"""A migration storm on 4 HARTs has 4 at once; 12 lines given back at once are as many as this."""


class TooManyOrders(Exception):
    """The trace leaves so much open that more than `STATES_MAX` states are possible at once."""


def before(start: Hypothesis, sections: Sections, actor: int | None = None) -> list[Hypothesis]:
    """All states that may precede a section that `actor` enters, the latest order first."""
    found, keys = [start], set()
    for base in found:  # grows
        for after in one_more(base, sections, actor):
            key = after.key()
            if key not in keys:
                keys.add(key)
                found.append(after)
        if len(found) > STATES_MAX:
            raise TooManyOrders
    return found


def one_more(base: Hypothesis, sections: Sections, actor: int | None) -> Iterator[Hypothesis]:
    """Let each other call that may enter one of the sections do so, in a state of its own."""
    for other, context in base.contexts.items():
        if other != actor and context.may_go_on and context.sections & sections:
            after = base.fork()
            try:
                after.advance(other)
            except (Blocked, AssertionError):
                continue
            yield after


INFERABLE = ("lread",)
"""Probes whose event can be missing: an IPI that lands inside the handler of another probe."""
Handler: TypeAlias = "Callable[[Follower, Hypothesis, Event], Iterator[Hypothesis]]"
"""Yields the states that are left of one, when an event comes; `Follower.fail` tells why not."""


@dataclass(frozen=True)
class Failure:
    """Why an event does not fit into one state: that state, the reason, what would have fitted;
    `late` is what an event before had told, if that has not come true by then."""

    hypothesis: Hypothesis
    why: str
    allowed: str = ""
    late: LateRead | None = None


class Follower:
    """All states that agree with the events so far; `follow` each event in order of time.

    `handlers` follow events that are more than a probe of their thread's own call.  `failures` are
    the reasons when no state is left; `compared` is whether the last event was compared with
    anything.
    """

    def __init__(self, world: World, handlers: Mapping[type[kvm.Meaning], Handler]) -> None:
        self.world, self.handlers = world, handlers
        self.hypotheses = [Hypothesis(world, list(world.start))]
        self.failures: list[Failure] = []
        self.compared = False

    def follow(self, event: Event) -> bool:
        """Go on to the next event; False when no state agrees with it."""
        self.failures, self.compared = [], True
        handle = self.handlers.get(type(event.meaning), at_probe)
        for each in self.hypotheses:
            learn(each, event)
        found = [
            after
            for each in self.hypotheses
            for quiet in self.others_over(each, event)
            for true in self.come_true(quiet, event.thread)
            for after in handle(self, true, event)
        ]
        for each in found:
            each.check(event.record.line)
        self.hypotheses = distinct(found)
        return bool(found)

    def fail(self, h: Hypothesis, why: str, context: Context | None = None) -> None:
        """Give a state up."""
        self.failures.append(Failure(h, why, described(h, context) if context else ""))

    def come_true(self, h: Hypothesis, actor: int) -> Iterator[Hypothesis]:
        """Let be true what the last event of a thread told, in every order of the others."""
        if actor not in h.late:
            yield h
            return
        for each in before(h, vsfile(h.late[actor].vcpu.id), actor):
            if late := each.late.get(actor):
                each.install()
                self.failures.append(Failure(each, late.why, late=late))
            else:
                yield each

    def reach(self, h: Hypothesis, actor: int) -> Iterator[Hypothesis]:
        """Let a call run to its next probe, in every order with the others."""
        context = h.contexts.get(actor)
        if context is None or not context.may_go_on:
            yield h
            return
        for each in before(h, context.sections, actor):
            try:
                each.advance(actor)
            except (Blocked, AssertionError) as error:
                self.fail(each, f"the model stops in {context.function}: {error}")
            else:
                yield each

    def arrive(self, h: Hypothesis, event: Event, actor: int) -> Iterator[Hypothesis]:
        """Let a call run to the probe of an event; past one whose event is missing."""
        for each in self.reach(h, actor):
            context = each.contexts.get(actor)
            if context is not None and is_missing(context, event):
                text = f"missing before this line: {described(each, context)}"
                each.inferred.append(Inferred(event.record.line, text))
                context.told = True
                yield from self.arrive(each, event, actor)
            else:
                yield each

    def agree(self, h: Hypothesis, actor: int, event: Event) -> Iterator[Hypothesis]:
        """Compare an event with the probe at which a call stands; it is told if they agree."""
        context = h.contexts[actor]
        name = PROBES[type(event.meaning)]
        if context.done or context.probe is None or context.probe.name != name:
            self.fail(h, "the model does something else", context)
            return
        reads = vsfile(context.probe.vcpu) if reads_vsfile(event.meaning) else NOTHING
        agreeing = []
        for each in before(h, reads, actor):
            wrong = list(contradictions(each, each.contexts[actor], event))
            if wrong:
                self.fail(each, "; ".join(wrong), each.contexts[actor])
                continue
            each.contexts[actor].told = True
            each.contexts[actor].line = event.record.line
            if isinstance(event.meaning, kvm.Release):
                show_unswept(each, event.meaning, actor)
            agreeing.append(each)
        yield from named_now(agreeing, event)

    def others_over(self, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
        """Calls of others on the CPU of an event are over, where they cannot be preempted: it is
        another thread that runs there now.  So is an SGEI handler, unless a kick of its own comes.
        """
        found = [h]
        for other, context in list(h.contexts.items()):
            if context.cpu == event.record.cpu and must_be_over(other, context, event):
                found = [after for each in found for after in self.over(each, other, event)]
        yield from found

    def over(self, h: Hypothesis, actor: int, event: Event) -> Iterator[Hypothesis]:
        """Let a call run to its end; give up if it says something on the way."""
        show_mode(h, h.contexts[actor], None)
        for each in self._arrived(h, event, actor):
            context = each.contexts[actor]
            if context.done:
                del each.contexts[actor]
                yield each
            else:
                self.fail(each, f"{context.function} is over, in the model it is not", context)

    def _arrived(self, h: Hypothesis, event: Event, actor: int) -> Iterator[Hypothesis]:
        """Let a call run to its next probe, after what it told has come true."""
        for true in self.come_true(h, actor):
            yield from self.arrive(true, event, actor)


def named_now(states: Sequence[Hypothesis], event: Event) -> Sequence[Hypothesis]:
    """The states in which a vCPU has the VS-file that an event names; if it has that in none, all
    of them, in which it must get it before the next event of the thread."""
    late = [late_read(each, event) for each in states]
    if not all(late):
        return [each for each, read in zip(states, late, strict=True) if read is None]
    for each, read in zip(states, late, strict=True):
        each.late |= {event.thread: read} if read else {}
    return states


def at_probe(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """An event of a call that its thread makes: the one under way, or a new one."""
    actor = event.thread
    show_mode(h, h.contexts.get(actor), event.meaning)
    for each in follower.arrive(h, event, actor):
        context = each.contexts.get(actor)
        if context is not None and not context.done:
            yield from follower.agree(each, actor, event)
        elif context is not None and is_release_of(context, event.meaning):
            follower.fail(each, "in the model imsic_update does not release it", context)
        elif (begun := call_of(each, event)) is not None:
            each.contexts[actor] = begun
            if not isinstance(event.meaning, kvm.Free | kvm.Release):
                each.begun.add(actor)
            for started in follower.arrive(each, event, actor):
                yield from follower.agree(started, actor, event)
        elif is_of_before(each, actor) and not is_repeated(context, event.meaning):
            yield each
        else:
            follower.fail(each, nothing_under_way(event.meaning), context)


def is_missing(context: Context, event: Event) -> bool:
    """Whether the event of the probe where a call stands may not be in the trace."""
    if context.done or context.probe is None or context.told:
        return False
    return context.probe.name in INFERABLE and PROBES.get(type(event.meaning)) != context.probe.name


def must_be_over(actor: int, context: Context, event: Event) -> bool:
    """Whether a call on the CPU of an event cannot be under way any more."""
    if actor == sgei_actor(context.cpu):
        return not isinstance(event.meaning, kvm.Kick)
    return actor != event.thread and context.function in PREEMPTION_OFF


def is_release_of(context: Context, told: kvm.Meaning) -> bool:
    """Whether a release comes of an update that has found no free line, and not of a reset."""
    probe = context.probe
    failed = probe is not None and probe.name == "alloc_ret" and probe.value < 0
    return failed and isinstance(told, kvm.Release) and told.vsfile_cpu >= 0


def is_repeated(context: Context | None, told: kvm.Meaning) -> bool:
    """Whether a line is freed that the same thread has freed just before, and nothing since."""
    probe = context.probe if context else None
    if probe is None or probe.name != "free" or not isinstance(told, kvm.Free):
        return False
    return (probe.cpu, probe.line) == (told.cpu, told.line)


def reads_vsfile(told: kvm.Meaning) -> bool:
    """Whether an event tells a VS-file that somebody else may be taking away."""
    return isinstance(told, kvm.Alloc | kvm.Update | kvm.Release)


def nothing_under_way(told: kvm.Meaning) -> str:
    """Why an event can neither go on with a call nor begin one."""
    if isinstance(told, kvm.Free):
        return "nobody owns this line"
    return "no call of this thread is under way"
