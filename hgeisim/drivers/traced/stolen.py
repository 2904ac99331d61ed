"""A line that is stolen: an event that fits into no state gives one vCPU the line of another.

Where the kernel paths themselves lead there (a late free takes the line from its new owner), the
follower goes on, and the checks of every state report it.  This is for the other case: no path of
the model hands out, frees or uses the line of somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.follower import Failure
from hgeisim.drivers.traced.hypothesis import Hypothesis
from hgeisim.drivers.traced.middle import is_unknown, vsfile_told
from hgeisim.kernel.structs import Vcpu
from hgeisim.trace import meaning as kvm
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
