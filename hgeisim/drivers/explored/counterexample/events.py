"""The steps of a schedule by name: a context, an operation in a function, and for which time.

A number of a step means something in one schedule only.  An event means the same in all schedules
of a space, so an order of events can be kept by others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.drivers.explored.model.automaton import REST
from hgeisim.drivers.explored.model.space import Space


class Event(NamedTuple):
    """Context `slot` completes an operation in a function for the `nth` time, from 0.

    `label` has both, and is empty where an interrupt or a move begins.
    """

    slot: int
    label: str
    nth: int


class Happened(NamedTuple):
    """A step of an event: 0 `waits` completes it, any other is the number of a step in which it
    began to wait, or went on waiting."""

    event: Event
    waits: int = 0


@dataclass
class Progress:
    """How often each context has completed which operation, and in which wait it is."""

    space: Space
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    labels: dict[tuple[int, int], str] = field(default_factory=dict)

    def coming(self, slot: int, state: bytes) -> Event:
        """The event that the next step of a context belongs to."""
        label = self._label(slot, self._here(slot, state))
        return Event(slot, label, self.counts[slot, label])

    def happens(self, slot: int, before: bytes, after: bytes) -> Happened:
        """What a step from one state to the next one is, or would be."""
        event = self.coming(slot, before)
        return Happened(event, self.waits[slot] + 1 if self.is_wait(slot, before, after) else 0)

    def is_wait(self, slot: int, before: bytes, after: bytes) -> bool:
        """Whether a step completes nothing."""
        nodes = self.space.system.automata[slot].nodes
        node, there = nodes[self._here(slot, before)], nodes[self._here(slot, after)]
        if node is None or there is None:
            return False
        return there.waiting and there.op == node.op

    def note(self, slot: int, before: bytes, after: bytes) -> Happened:
        """Count a step that was made."""
        happened = self.happens(slot, before, after)
        self.waits[slot] = happened.waits
        if not happened.waits:
            self.counts[slot, happened.event.label] += 1
        return happened

    def start_again(self) -> None:
        """Forget the steps, but not what they are called."""
        self.counts.clear()
        self.waits.clear()

    def _here(self, slot: int, state: bytes) -> int:
        return self.space.codebook.value(self.space.locations[slot], state)

    def _label(self, slot: int, here: int) -> str:
        label = self.labels.get((slot, here))
        if label is None:
            node = self.space.system.automata[slot].nodes[here]
            label = "" if here == REST or node is None else f"{node.functions} {node.op}"
            self.labels[slot, here] = label
        return label
