"""Lock types, lock instances, and lock classes, to which the rules apply.

As in lockdep (kernel/locking/lockdep.c), all instances initialised by one line of source form one
class, each subclass of an annotation is a class of its own, and wait types belong to the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

SUBCLASSES = 8
"""MAX_LOCKDEP_SUBCLASSES: subclasses are 0..7."""


class Wait(IntEnum):
    """How long an acquisition may make its task wait, as in enum lockdep_wait_type.

    CONFIG is a lock that spins, except on PREEMPT_RT, where it sleeps.
    """

    UNCHECKED = 0
    FREE = 1
    SPIN = 2
    CONFIG = 3
    SLEEP = 4
    ANY = 5


class Flavour(IntEnum):
    """The mode in which a lock is taken, on which it depends who waits for whom.

    A SHARED reader waits behind a writer that waits, a RECURSIVE one only for a writer inside.
    """

    EXCLUSIVE = 0
    SHARED = 1
    RECURSIVE = 2

    # Enum hashes its name in Python; this is a key on the warm path.
    __hash__ = int.__hash__

    @property
    def letter(self) -> str:
        """W, r or R, as reports print it."""
        return "WrR"[self]


@dataclass(frozen=True, eq=False)
class LockKind:
    """A lock type.

    `inner` is the longest wait that it allows inside, `outer` the wait that taking it needs
    (UNCHECKED: the same), `drain` the wait for its readers (synchronize_srcu).  Only a `checked`
    kind has dependencies and usage; a `local` one is per CPU; an `override` replaces the level.
    """

    name: str
    inner: Wait
    outer: Wait = Wait.UNCHECKED
    drain: Wait = Wait.UNCHECKED
    readers: Flavour | None = None
    checked: bool = True
    local: bool = False
    override: bool = False

    @property
    def need(self) -> Wait:
        """The wait that taking it needs."""
        return self.outer or self.inner

    @property
    def levels(self) -> str:
        """Its wait levels as reports and baselines print them, `need:inner`."""
        return f"{self.need.name.lower()}:{self.inner.name.lower()}"


_KINDS = (
    LockKind("raw_spinlock", Wait.SPIN),
    LockKind("spinlock", Wait.CONFIG),
    LockKind("rwlock", Wait.CONFIG, readers=Flavour.SHARED),
    LockKind("local_lock", Wait.CONFIG, local=True),
    LockKind("mutex", Wait.SLEEP),
    LockKind("mutex_novalidate", Wait.SLEEP, checked=False),
    LockKind("rt_mutex", Wait.SLEEP),
    LockKind("rwsem", Wait.SLEEP, readers=Flavour.SHARED),
    LockKind("srcu", Wait.UNCHECKED, drain=Wait.SLEEP, readers=Flavour.RECURSIVE),
    LockKind("lockdep_map", Wait.UNCHECKED, readers=Flavour.RECURSIVE),
    LockKind("wait_override_config", Wait.CONFIG, override=True),
    LockKind("rcu", Wait.CONFIG, Wait.FREE, Wait.SLEEP, Flavour.RECURSIVE, checked=False),
    LockKind("rcu_bh", Wait.CONFIG, Wait.FREE, Wait.SLEEP, Flavour.RECURSIVE, checked=False),
    LockKind("rcu_sched", Wait.SPIN, Wait.FREE, Wait.SLEEP, Flavour.RECURSIVE, checked=False),
    LockKind("event", Wait.UNCHECKED, drain=Wait.SLEEP),
    LockKind("ipi", Wait.UNCHECKED),
    LockKind("might_sleep", Wait.UNCHECKED, drain=Wait.SLEEP, checked=False),
)
KINDS = {kind.name: kind for kind in _KINDS}
"""Every lock type by name; the last three stand for waits for something other than a lock."""


@dataclass(frozen=True, eq=False)
class Lock:
    """One instance.  Locks of one `key` (the line that initialises them) and `kind` are one class.

    Instances with a `rank` may nest within their class in rising order, as a compare function of
    the class (lock_set_cmp_fn) allows in the kernel.
    """

    name: str
    kind: LockKind
    key: str = ""
    rank: int | None = None


class How(NamedTuple):
    """The way in which a lock is asked for.

    `nest` is the lock that serialises the takers of several locks of this class
    (mutex_lock_nest_lock); `drain` waits until the lock is free and takes nothing
    (synchronize_srcu, wait_for_completion).
    """

    flavour: Flavour = Flavour.EXCLUSIVE
    subclass: int = 0
    trylock: bool = False
    nest: Lock | None = None
    drain: bool = False


EXCLUSIVE = How()
DRAIN = How(drain=True)


@dataclass(frozen=True, eq=False)
class LockClass:
    """A node of the dependency graph."""

    name: str
    kind: LockKind


class Classes:
    """The class of each (key, kind, subclass), made when first asked for."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, str, int], LockClass] = {}
        self._kinds: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._classes)

    def __iter__(self) -> Iterator[LockClass]:
        return iter(self._classes.values())

    def of(self, lock: Lock, subclass: int = 0) -> LockClass:
        """The class of a lock: `name`, `name/1` for a subclass, `name#2` when a name is shared."""
        key = lock.key or lock.name
        place = (key, lock.kind.name, subclass)
        if place not in self._classes:
            kinds = self._kinds.setdefault(key, [])
            if lock.kind.name not in kinds:
                kinds.append(lock.kind.name)
            number = kinds.index(lock.kind.name) + 1
            name = f"{key}#{number}" if number > 1 else key
            name = f"{name}/{subclass}" if subclass else name
            self._classes[place] = LockClass(name, lock.kind)
        return self._classes[place]
