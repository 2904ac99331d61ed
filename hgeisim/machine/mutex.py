"""struct mutex and percpu_rw_semaphore: locks whose waiters sleep."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, AssertHeld, Op, Sleep, Try
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.task import Runner


class Mutex(Shared):
    """A mutex; `owner` is the id of the task that holds it, 0 for none."""

    owner: Field
    name: str
    lock_class: str
    tried: bool
    trylock: Try
    trylock_nest_lock: Try
    assert_held: AssertHeld
    lock: MutexLock
    unlock: MutexUnlock


def mutex(memory: Memory | None, name: str, lock_class: str, nest: Mutex | None = None) -> Mutex:
    """Make an unlocked mutex with its operations; whoever takes several of its class holds `nest`
    (mutex_trylock_nest_lock)."""
    made = build(Mutex, memory, name)
    made.name, made.lock_class = name, lock_class
    made.lock, made.unlock = MutexLock(made), MutexUnlock(made)
    made.trylock, made.assert_held, made.tried = Try(made.lock), AssertHeld(made), False
    made.trylock_nest_lock = Try(made.lock, nest)
    return made


@dataclass(frozen=True, slots=True)
class MutexLock(Sleep):
    """mutex_lock: sleeps until nobody holds it."""

    lock: Mutex

    def ready(self, who: Runner) -> bool:
        """Nobody holds it."""
        return self.lock.owner == 0

    def free(self, who: Runner) -> bool:
        """The same."""
        return self.ready(who)

    def end(self, who: Runner) -> None:
        """Hold it."""
        self.lock.owner = who.id

    def mover(self, who: Runner) -> str:
        """Keeps others out."""
        return BOUNDARY if self.lock.tried else RIGHT

    def __str__(self) -> str:
        return f"mutex_lock {self.lock}"


@dataclass(frozen=True, slots=True)
class MutexUnlock(Op):
    """mutex_unlock."""

    lock: Mutex

    def end(self, who: Runner) -> None:
        """Let others have it."""
        self.lock.owner = 0

    def mover(self, who: Runner) -> str:
        """Lets others in; no interrupt takes a mutex."""
        return BOUNDARY if self.lock.tried else LEFT

    def __str__(self) -> str:
        return f"mutex_unlock {self.lock}"


class RwSem(Shared):
    """A percpu_rw_semaphore: `readers` are inside, or `writer` is the id of the one that is.

    Simplified: a writer that waits does not keep new readers out.
    """

    readers: Field
    writer: Field
    name: str
    lock_class: str
    tried: bool
    down_read_trylock: Try
    assert_held: AssertHeld
    down_read: DownRead
    up_read: UpRead
    down_write: DownWrite
    up_write: UpWrite


def rwsem(memory: Memory | None, name: str, lock_class: str) -> RwSem:
    """Make an unlocked semaphore with its operations."""
    made = build(RwSem, memory, name)
    made.name, made.lock_class = name, lock_class
    made.down_read, made.up_read = DownRead(made), UpRead(made)
    made.down_write, made.up_write = DownWrite(made), UpWrite(made)
    made.down_read_trylock, made.assert_held = Try(made.down_read), AssertHeld(made)
    made.tried = False
    return made


@dataclass(frozen=True, slots=True)
class DownRead(Sleep):
    """percpu_down_read."""

    lock: RwSem

    def ready(self, who: Runner) -> bool:
        """No writer is inside."""
        return self.lock.writer == 0

    def free(self, who: Runner) -> bool:
        """The same."""
        return self.ready(who)

    def end(self, who: Runner) -> None:
        """Be inside."""
        self.lock.readers += 1

    def mover(self, who: Runner) -> str:
        """Keeps writers out."""
        return BOUNDARY if self.lock.tried else RIGHT

    def __str__(self) -> str:
        return f"down_read {self.lock}"


@dataclass(frozen=True, slots=True)
class UpRead(Op):
    """percpu_up_read."""

    lock: RwSem

    def end(self, who: Runner) -> None:
        """Be inside no longer."""
        self.lock.readers -= 1

    def mover(self, who: Runner) -> str:
        """Lets writers in."""
        return BOUNDARY if self.lock.tried else LEFT

    def __str__(self) -> str:
        return f"up_read {self.lock}"


@dataclass(frozen=True, slots=True)
class DownWrite(Sleep):
    """percpu_down_write."""

    lock: RwSem

    def ready(self, who: Runner) -> bool:
        """Nobody is inside."""
        return not (self.lock.readers or self.lock.writer)

    def end(self, who: Runner) -> None:
        """Be inside."""
        self.lock.writer = who.id

    def mover(self, who: Runner) -> str:
        """Keeps others out."""
        return BOUNDARY if self.lock.tried else RIGHT

    def __str__(self) -> str:
        return f"down_write {self.lock}"


@dataclass(frozen=True, slots=True)
class UpWrite(Op):
    """percpu_up_write."""

    lock: RwSem

    def end(self, who: Runner) -> None:
        """Be inside no longer."""
        self.lock.writer = 0

    def mover(self, who: Runner) -> str:
        """Lets others in."""
        return BOUNDARY if self.lock.tried else LEFT

    def __str__(self) -> str:
        return f"up_write {self.lock}"
