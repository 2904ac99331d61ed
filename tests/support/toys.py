"""Small explored systems around a lock: a booted kernel, one HART and one task for each path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from hgeisim.drivers.explored.model.automaton import MakePath
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.machine.shared import Memory
from hgeisim.scenario.streams import Streams
from tests.support import kernels
from tests.support.stateless import Live, operation, without

STATES_MAX = 200_000
Paths: TypeAlias = Sequence[MakePath]
Toy: TypeAlias = Callable[[Memory], Paths]
"""Makes the shared state in a memory, and the paths of the tasks that work on it."""


def system(toy: Toy) -> System:
    """The tasks of a toy, each on a HART of its own, called t0, t1, ..."""
    memory = Memory()
    paths = toy(memory)
    k = kernels.booted(kernels.V6_12, [1] * len(paths), memory)
    made = System(k, "full")
    for cpu, path in enumerate(paths):
        made.add_task(k.add_thread(f"t{cpu}", cpu), path)
    made.seal()
    return made


def hangs(toy: Toy) -> set[str]:
    """Search every interleaving; return the ids of the findings: there is no check, so hangs.

    Steps of many operations must show the same.
    """
    verdict = exhaustive(Space(system(toy)), STATES_MAX)
    assert verdict.coverage == "exhausted"
    assert verdict.ends
    merged = exhaustive(Space(system(toy), merging=True), STATES_MAX)
    assert merged.counterexamples.keys() == verdict.counterexamples.keys()
    return set(verdict.counterexamples)


def reachable(toy: Toy) -> list[dict[str, int]]:
    """The cells by name, in every state that can be reached."""
    space = Space(system(toy))
    found = [space.initial()]
    seen = set(found)
    for state in found:
        new = [after for _, after, _ in space.successors(state) if after not in seen]
        found += dict.fromkeys(new)
        seen.update(new)
    names = space.codebook.names
    return [dict(zip(names, space.codebook.decode(state), strict=True)) for state in found]


def agree(toy: Toy, walks: int = 8) -> int:
    """Lead automata and live generators along random schedules, comparing every cell after every
    step; returns the number of steps."""
    space, below, steps = Space(system(toy)), Streams(3).stream("toys").below, 0
    for _ in range(walks):
        contexts, state = Live(system(toy)), space.initial()
        while choices := list(space.successors(state)):
            able = [slot for slot, _, _ in choices]
            rest = [slot for slot in range(len(space.locations)) if slot not in able]
            assert not [slot for slot in rest if contexts.step(slot)]
            slot, state, _ = choices[below(len(choices))]
            assert contexts.step(slot)
            cells = space.codebook.decode(state)
            assert contexts.shared() == without(cells, space.locations)
            standing = [operation(a, cells[a.location]) for a in space.system.automata]
            assert contexts.standing_at() == standing
            steps += 1
    return steps
