"""A data race: two steps that can be made side by side, whose accesses to a plain field conflict.

In the kernel's memory model two accesses race if they happen at the same time, one is a write and
one is plain (tools/memory-model/Documentation/explanation.txt).  By default KCSAN takes plain
writes for marked ones (CONFIG_KCSAN_ASSUME_PLAIN_WRITES_ATOMIC), and so does this: it reports a
plain read beside a write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

from hgeisim.checks.access import site
from hgeisim.checks.check import vcpus
from hgeisim.checks.finding import Cause, Finding, Moment
from hgeisim.drivers.explored.model.cached_step import Answer, mask
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel import structs
from hgeisim.kernel.annotations import PLAIN, Plain
from hgeisim.kernel.main import Module
from hgeisim.machine.balance import GIVES
from hgeisim.machine.ops import Irq, Op, Preempt
from hgeisim.machine.rwlock import RwLock
from hgeisim.machine.shared import Shared, addresses

Key: TypeAlias = tuple[str, frozenset[str]]
"""A race: its id, and the pieces of functions that it is in."""
DEAF = "interrupts of HART "
"""With a number, a pseudo lock: each interrupt of the HART takes it, and so does disabling them."""


class Access(NamedTuple):
    """One access: the cell, whether it is a write and whether it is marked; the functions that make
    it, innermost first, and the `piece` of them in the model; and the locks held, `alone` or shared
    with others.  It is `late` if its step has given something back before it."""

    address: int
    written: bool
    marked: bool
    functions: tuple[str, ...]
    piece: str
    alone: frozenset[str]
    shared: frozenset[str]
    late: bool

    def same_place(self, other: Access) -> bool:
        """Whether two accesses are the same except for the locks held."""
        return self[:5] == other[:5]

    @property
    def locks(self) -> list[str]:
        """The names of the locks held, sorted."""
        return sorted(name for name in self.alone | self.shared if not name.startswith(DEAF))


def conflict(one: Access, other: Access) -> bool:
    """Whether two accesses race if they are made side by side: no lock keeps them apart."""
    if one.address != other.address or one.written == other.written:
        return False
    if one.alone & (other.alone | other.shared) or other.alone & one.shared:
        return False
    return not (other if one.written else one).marked


def plain_cells(k: Module) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Each cell with plain accesses, the name of its field, and the functions that mark theirs."""
    for struct in (*k.hgei, *k.per_cpu, k.globals, *k.vms, *vcpus(k)):
        for plain in _of(struct):
            for field in plain.fields:
                yield from ((address, field, plain.marked) for address in addresses(struct, field))


def _of(struct: Shared) -> Iterator[Plain]:
    """The entries for a struct, and one for the fields that patches have added to it."""
    yield from (plain for plain in PLAIN if isinstance(struct, plain.struct))
    made = type(struct)
    kind = next(each for each in made.__mro__ if each.__module__ == structs.__name__)
    declared = {*vars(kind)["fields"], *vars(kind)["arrays"]}
    added = (field for field in (*made.fields, *made.arrays) if field not in declared)
    yield Plain(kind, tuple(added))


def gives_back(op: Op) -> bool:
    """Whether an operation lets other contexts in, so that it does not order what comes after."""
    return isinstance(op, GIVES) or (isinstance(op, Irq | Preempt) and not op.off)


class Accesses:
    """The plain accesses of the steps of a space; each step is executed once more to see them."""

    def __init__(self, space: Space) -> None:
        self.space, self.k = space, space.system.k
        cells = [*plain_cells(self.k)]
        self.fields = {address: field for address, field, _ in cells}
        self.marked = {address: functions for address, _, functions in cells}
        places = space.codebook.places
        self.places = mask(place for a in self.fields for place in places.get(a, ()))
        locks: list[Any] = [vcpu.vsfile_lock for vcpu in vcpus(self.k)]
        self.sharable = {lock.name: lock for lock in locks if isinstance(lock, RwLock)}
        self._known: dict[Answer, tuple[Access, ...]] = {}
        self._made: list[Access] = []
        self._heard: list[tuple[int, bool, bool, tuple[str, ...], str]] = []

    def of(self, slot: int, state: bytes, answer: Answer) -> tuple[Access, ...]:
        """The plain accesses of a step: the answer of a context in a state."""
        if answer.writes is None or not (answer.reads | answer.written) & self.places:
            return ()
        known = self._known.get(answer)
        if known is None:
            known = self._known[answer] = self._make(slot, state)
        return known

    def _make(self, slot: int, state: bytes) -> tuple[Access, ...]:
        space = self.space
        cells, asker = space.codebook.decode(state), space.system.asker
        self._made, self._heard, asker.listener = [], [], self
        try:
            space.system.memory.begin_step(cells)
            space.system.attempt(slot, cells[space.locations[slot]], space.contention)
        finally:
            asker.listener = None
        return tuple(dict.fromkeys(self._made))

    def heard(self, address: int, written: bool, frame: FrameType) -> None:
        """Note an access of the path."""
        place = site(frame, type(self.k)) if address in self.fields else None
        if place is not None and place.paths:
            marked = place.marked or place.paths[0] in self.marked[address]
            self._heard.append((address, written, marked, place.paths, place.piece))

    def ended(self, moment: Moment, held: tuple[str, ...]) -> None:
        """Keep the accesses since the last operation, with the locks held."""
        if self._heard:
            alone = frozenset(name for name in held if self._is_alone(name))
            shared = frozenset(held) - alone
            who, hart = moment.who, moment.who.hart
            if not who.id or self.space.system.memory.aside(lambda: hart.irq_off or hart.hardirq):
                alone |= {f"{DEAF}{hart.id}"}
            late = gives_back(moment.op)
            self._made += (Access(*each, alone, shared, late) for each in self._heard)
            self._heard = []

    def _is_alone(self, name: str) -> bool:
        """Whether a lock that is held keeps all other contexts out."""
        aside, cpus = self.space.system.memory.aside, self.k.cpu_hotplug_lock
        if name in self.sharable:
            return bool(aside(lambda: self.sharable[name].writers_inside))
        if name == cpus.name:
            return bool(aside(lambda: cpus.writer))
        return not name.endswith(".srcu")


class Side(NamedTuple):
    """One side of a race: the context, its HART, and its access."""

    context: str
    hart: int
    access: Access


class Race(NamedTuple):
    """Two accesses to a cell after a schedule, the write first, and the values of the cell before
    and after that write."""

    field: str
    cell: str
    sides: tuple[Side, Side]
    before: int
    after: int
    schedule: Schedule

    @property
    def finding(self) -> Finding:
        """The finding, named after the field and the two functions in sorted order."""
        names = dict.fromkeys(sorted(side.access.functions[0] for side in self.sides))
        cause = Cause(pieces=self.pieces)
        return Finding("data-race", f"{self.field} in {' and '.join(names)}", self.text, cause)

    @property
    def pieces(self) -> frozenset[str]:
        """The pieces of kernel functions in which it is; the id names these functions alone."""
        accesses = (side.access for side in self.sides)
        return frozenset(each.piece for each in accesses if each.piece != each.functions[0])

    @property
    def key(self) -> Key:
        """The key that all instances of the same race share."""
        return key_of(self.finding)

    @property
    def text(self) -> str:
        """The two accesses in words, with the locks held."""
        first, second = self.sides
        changed = self.before != self.after
        value = f"{self.before} -> {self.after}" if changed else f"where {self.before} stands"
        return f"{_does(first, self.cell)}, {value}, while {_does(second, 'it')}"


def key_of(finding: Finding) -> Key:
    """Which race a finding is about."""
    return finding.id, finding.cause.pieces or frozenset()


def first_of_each(races: Iterable[Race]) -> dict[str, Race]:
    """The first race of each id."""
    found = dict[str, Race]()
    for race in races:
        found.setdefault(race.finding.id, race)
    return found


def _does(side: Side, what: str) -> str:
    access = side.access
    verb = "writes" if access.written else "reads"
    held = " and ".join(access.locks)
    return f"{side.context} {verb} {what} in {access.functions[0]} with {held or 'no lock'}"
