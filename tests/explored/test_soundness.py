"""The memo must change nothing: automata against the real generators, and the guard that refuses
paths whose future depends on more than their key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.automaton import REST, Automaton
from hgeisim.drivers.explored.model.frames import SeamError, frame_key
from hgeisim.drivers.explored.model.space import Space
from hgeisim.kernel.variants import BASES, SERIES
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Array, Field, Memory, Shared, build
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests.support.stateless import live, operation, without

VARIANTS = [
    *BASES,
    *(f"v6.12+{patch}" for patch in SERIES),
    "v7.0+percpu-v2+review-clamp+review-min",
]


def patch_race(variant: str, preemption: str = "full") -> Scenario:
    return load_scenario("patch-race", {"variant": variant, "preemption": preemption})


def agree_on_walk(scenario: Scenario, space: Space, below: Callable[[int], int]) -> int:
    """Guide both along one random schedule and compare after each step; returns its length."""
    contexts, state, steps = live(scenario), space.initial(), 0
    while True:
        choices = list(space.successors(state))
        able = [slot for slot, _, _ in choices]
        assert not [s for s in range(len(space.locations)) if s not in able and contexts.step(s)]
        if not choices:
            return steps
        slot, state, _ = choices[below(len(choices))]
        assert contexts.step(slot)
        cells = space.codebook.decode(state)
        assert contexts.shared() == without(cells, space.locations)
        standing = [operation(a, cells[a.location]) for a in space.system.automata]
        assert contexts.standing_at() == standing
        steps += 1


@pytest.mark.parametrize("preemption", ["full", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_automata_agree_with_real_generators(variant: str, preemption: str) -> None:
    scenario = patch_race(variant, preemption)
    space, below = space_of(scenario).fine, Streams(7).stream(variant).below
    assert sum(agree_on_walk(scenario, space, below) for _ in range(4)) > 200


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("variant", VARIANTS)
def test_automata_agree_with_real_generators_for_long(variant: str) -> None:
    scenario = patch_race(variant)
    space, below = space_of(scenario).fine, Streams(8).stream(variant).below
    assert sum(agree_on_walk(scenario, space, below) for _ in range(60)) > 4_000


class Pair(Shared):
    """Two cells and an array for toy paths."""

    x: Field
    y: Field
    some: Array


def loop_over_shared_range(o: Pair) -> Path[None]:
    for _ in range(o.x):
        yield STEP
        o.y += 1


def half_evaluated(o: Pair) -> Path[None]:
    o.y = o.x + ((yield STEP) or 0)


def call_arguments(o: Pair) -> Path[None]:
    o.y = max(o.x, (yield STEP) or 0)


def list_in_local(o: Pair) -> Path[None]:
    seen = [o.x]
    yield STEP
    o.y = seen[0]


def list_in_tuple(o: Pair) -> Path[None]:
    seen = (o.x, [o.y])
    yield STEP
    o.y = seen[0]


def generator_in_local(o: Pair) -> Path[None]:
    other = iter([o.x])
    yield STEP
    o.y = next(other)


def function_in_local(o: Pair) -> Path[None]:
    seen = [o.x]

    def last() -> int:
        return seen[-1]

    yield STEP
    o.y = last()


def method_of_a_list(o: Pair) -> Path[None]:
    take = [o.x].pop
    yield STEP
    o.y = take()


def list_in_a_cell(o: Pair) -> Path[None]:
    seen = [o.x]
    o.y = sum(seen[i] for i in range(1))
    yield STEP
    o.y = sum(seen[i] for i in range(1))


class Box:
    """An object that is not declared state."""

    def __init__(self, value: int) -> None:
        self.value = value


def undeclared_object(o: Pair) -> Path[None]:
    box = Box(o.x)
    yield STEP
    o.y = box.value


UNSOUND = [
    loop_over_shared_range,
    half_evaluated,
    call_arguments,
    list_in_local,
    list_in_tuple,
    generator_in_local,
    function_in_local,
    method_of_a_list,
    list_in_a_cell,
    undeclared_object,
]


@pytest.mark.parametrize("path", UNSOUND)
def test_guard_refuses_unsound_paths(path: Callable[[Pair], Path[None]]) -> None:
    suspended = path(build(Pair, Memory(), "o", some=2, x=3))
    suspended.send(None)
    with pytest.raises(SeamError, match="across a yield"):
        frame_key(suspended)


def plain_while(o: Pair) -> Path[None]:
    n, i = o.x, 0
    while i < n:
        yield STEP
        o.y += 1
        i += 1


def tuple_in_local(o: Pair) -> Path[None]:
    seen = (o.x, o.y)
    yield STEP
    o.y = seen[0] + seen[1]


def caught(o: Pair) -> Path[None]:
    try:
        seen = 1 // (o.x - o.x)
    except ZeroDivisionError:
        seen = o.y
    yield from below(o, 1)
    o.y = seen


def captured(o: Pair) -> Path[None]:
    seen, some, add = o.x, o.some, max
    below_it = sum(some[i] < seen for i in range(2))
    yield STEP
    o.y = add(sum(some[i] < seen for i in range(2)), below_it)


def dead_local(o: Pair) -> Path[None]:
    seen = o.x
    o.y += seen
    yield STEP
    seen = o.y
    o.x = seen
    yield STEP


def deeper(o: Pair) -> Path[None]:
    value = yield from below(o, 1)
    o.y = value


def below(o: Pair, by: int) -> Path[int]:
    yield STEP
    o.some[by] = o.x
    yield STEP
    return o.some[by]


def writer(o: Pair) -> Path[None]:
    o.x += 1
    yield STEP
    o.x += 2
    yield STEP
    o.y = 0


@pytest.mark.parametrize(
    "path", [plain_while, tuple_in_local, caught, captured, dead_local, deeper]
)
def test_memoised_ends_are_the_ends_of_stateless_search(
    path: Callable[[Pair], Path[None]],
) -> None:
    assert memoised_ends([path, writer]) == stateless_ends([path, writer])


def stateless_ends(paths: list[Callable[[Pair], Path[None]]]) -> list[tuple[int, ...]]:
    """Every interleaving, run from the start."""
    ends: list[tuple[int, ...]] = []
    work: list[tuple[int, ...]] = [()]
    while work:
        schedule = work.pop()
        memory = Memory()
        o = build(Pair, memory, "o", some=2, x=1)
        alive = dict(enumerate(path(o) for path in paths))
        for slot in schedule:
            if next(alive[slot], None) is None:
                del alive[slot]
        if not alive:
            ends.append(tuple(memory.cells))
        work += [(*schedule, slot) for slot in alive]
    return sorted(set(ends))


def memoised_ends(paths: list[Callable[[Pair], Path[None]]]) -> list[tuple[int, ...]]:
    """Every state once, with automata."""
    memory = Memory()
    o = build(Pair, memory, "o", some=2, x=1)
    automata = [Automaton(str(i), Runner(), 0) for i in range(len(paths))]
    start = tuple(a.start(partial(p, o)) for a, p in zip(automata, paths, strict=True))
    work = [(tuple(memory.cells), start)]
    seen = set(work)
    while work:
        cells, places = work.pop()
        for slot, here in enumerate(places):
            if here != REST:
                memory.begin_step(list(cells))
                there = automata[slot].advance(automata[slot].node(here), memory)
                after = tuple(memory.cells), (*places[:slot], there, *places[slot + 1 :])
                if after not in seen:
                    seen.add(after)
                    work.append(after)
    return sorted({cells for cells, places in seen if places == (REST,) * len(paths)})


def test_dead_locals_do_not_distinguish_states() -> None:
    memory = Memory()
    o = build(Pair, memory, "o", some=2)
    automaton = Automaton("a", Runner(), 0)
    node = automaton.node(automaton.start(lambda: dead_local(o)))
    places: set[Any] = set()
    for x in (1, 2, 3):
        memory.begin_step([x, 0, 0, 0])
        places.add(automaton.advance(node, memory))
    assert len(places) == 1


def test_hidden_input_is_noticed() -> None:
    """A step that depends on something that is not shared state gives two answers to one reading:
    the tree that asks for different cells says so."""
    scenario = patch_race("v6.12")
    space = space_of(scenario).fine
    state = space.initial()
    slot, _, _ = next(space.successors(state))
    trees = space.trees[slot]
    key = state[space.locations[slot]]
    trees[key] = (trees[key][0] + 1, {})
    with pytest.raises(SeamError, match="not shared state"):
        list(space.successors(state))
