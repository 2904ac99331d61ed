"""A deadlock, as contexts that wait for each other: who holds what, wants which, and of whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hgeisim.drivers.explored.model.automaton import REST, Node
from hgeisim.drivers.explored.model.blocked import Blocked
from hgeisim.drivers.explored.model.space import Space
from hgeisim.machine.ipi import Ipi


class Stuck(NamedTuple):
    """A context that can never go on, where it stands, and the context that it waits for.

    `wants` is None where its CPU is kept by that context.  In a `hardirq`
    interrupts are off.
    """

    slot: int
    context: str
    cpu: int
    functions: tuple[str, ...]
    holds: tuple[str, ...]
    wants: str | None
    of: int
    hardirq: bool = False


def circle_of(space: Space, state: bytes) -> tuple[Stuck, ...]:
    """A circle of contexts in a state in which nothing can happen any more, each waiting for the
    next and the last for the first; empty where there is none."""
    system = space.fine.system
    system.memory.begin_step(space.fine.codebook.decode(state))
    blocked = Blocked(system, space.fine.pending(state))
    waits = {slot: _waits(space, blocked, slot) for slot in blocked.stuck}
    for start in waits:
        way, slot = list[int](), start
        while slot in waits and slot not in way:
            way.append(slot)
            stuck = waits[slot]
            slot = -1 if stuck is None else stuck.of
        if slot in way:
            found = (waits[each] for each in way[way.index(slot) :])
            return tuple(each for each in found if each is not None)
    return ()


def _waits(space: Space, blocked: Blocked, slot: int) -> Stuck | None:
    node, system = blocked.waiting[slot], space.system
    who = system.automata[slot].runner
    if who.id and not system.may_run(who, node.op):
        wants, others = None, list(_on_cpu(space, who.cpu))
    else:
        wants, others = str(node.op), list(_keepers(space, slot, node))
    others = [other for other in others if other != slot and other in blocked.stuck]
    if not others:
        return None
    name, locks = system.automata[slot].name, node.balance.locks()
    return Stuck(slot, name, who.cpu, node.functions, locks, wants, others[0], hardirq=not who.id)


def _keepers(space: Space, slot: int, node: Node) -> Iterator[int]:
    """The contexts that hold the lock which one waits for, or have to take its interrupt."""
    lock = getattr(getattr(node.op, "lock", None), "name", None)
    memory = space.system.memory
    for other, automaton in enumerate(space.system.automata):
        there = automaton.nodes[memory.cells[automaton.location]]
        if there is not None and lock in there.balance.locks() and other != slot:
            yield other
    if isinstance(node.op, Ipi):
        waits_for = space.system.automata[slot].runner.ipi_wait
        for cpu in range(len(space.system.k.hart)):
            if waits_for >> cpu & 1:
                yield from _on_cpu(space, cpu)


def _on_cpu(space: Space, cpu: int) -> Iterator[int]:
    """What a CPU executes: the handler of an interrupt, else its task."""
    system = space.system
    running = [
        slot
        for slot, automaton in enumerate(system.automata)
        if automaton.runner.cpu == cpu and system.memory.cells[automaton.location] != REST
    ]
    yield from sorted(running, key=lambda slot: (system.automata[slot].runner.id != 0, slot))
