"""A space whose kernel has planted faults: it knows which of them each step has asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from hgeisim.checks.catalogue import At, asked
from hgeisim.drivers.explored.explored_scenario import system_of
from hgeisim.drivers.explored.model.cached_step import Answer
from hgeisim.drivers.explored.model.space import Space
from hgeisim.scenario.schema import Scenario


class Learned(NamedTuple):
    """A step that was learned: its context, the state that it was learned in, its answer."""

    slot: int
    state: bytes
    answer: Answer


class PlantedSpace(Space):
    """`asking` has for each fault the steps whose answers may depend on it; `at_boot` are the
    faults that were asked for until the tasks begin."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(system_of(scenario), asked(At.STATE), merging=True)
        k: Any = self.system.k
        self.at_boot = frozenset[int](k.asked)

    def _clear(self, live: Iterable[int], roomy: bool = False) -> None:
        super()._clear(live, roomy)
        self.asking: defaultdict[int, list[Learned]] = defaultdict(list)

    def _learn(self, slot: int, state: bytes) -> Answer:
        k: Any = self.system.k
        k.asked.clear()
        answer = super()._learn(slot, state)
        for number in k.asked:
            self.asking[number].append(Learned(slot, state, answer))
        return answer

    def turn_on(self, number: int) -> bool:
        """Turn a fault on, for ever; whether any step answers otherwise now.

        What other steps have answered stays known.
        """
        steps, k = self.asking[number], self.system.k
        cell: int = getattr(k, "fault")  # noqa: B009 - of a kernel with faults
        self.system.start[cell] = self.codebook.start[cell] = number
        self.mirror = None
        for slot, state, _ in steps:
            self.trees[slot].pop(state[self._places[slot]], None)
        return any(_differ(self.ask(slot, state), answer) for slot, state, answer in [*steps])


def _differ(one: Answer, other: Answer) -> bool:
    return (one.writes, one.findings, one.length) != (other.writes, other.findings, other.length)
