"""What is looked for along a trace, and what a trace must have for it."""

from __future__ import annotations

from hgeisim.checks.catalogue import At, Offer
from hgeisim.drivers.traced import sleeper
from hgeisim.drivers.traced.reading import Trace
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event

NEEDED: dict[str, tuple[type[kvm.Meaning], ...]] = {
    "double-free": (kvm.Free,),
    "stale-armed": (kvm.Wakeon, kvm.Sgei),
    "lost-wakeup": sleeper.NEEDED,
}
"""The events by which the follower itself finds something, by kind."""
ENTERED = (kvm.Run, kvm.Wakeon)
"""A guest was entered if it waits for an interrupt afterwards."""
TRACED = Offer((At.STATE, At.ENTERED), tuple(NEEDED), never=("foreign-vsfile", "irq-freed-enabled"))
"""What is asked along a trace: after every event, and where a guest is entered.  No VS-file is in
the middle of an access there, and the module is never unloaded."""


def offer_of(trace: Trace) -> Offer:
    """What can show in a trace: nothing whose events it does not have."""
    there = {type(event.meaning) for event in trace.events if isinstance(event, Event)}
    kinds = (kind for kind, needed in NEEDED.items() if there.issuperset(needed))
    unseen = () if there.issuperset(ENTERED) else ("guest-line",)
    return TRACED._replace(kinds=tuple(kinds), never=(*TRACED.never, *unseen))
