"""A context: what it holds, its interrupt state, and its position in the chains.

A chain is a sequence of acquisitions that was judged once and need not be judged again.  It is a
path in a tree, one tree for each context, and so the *position* of a context: all that it holds.  A
driver may keep positions, which it never changes, and go from one to the next without the
validator:

    position.after.get(step)    the position after a lock was taken in this way; None: ask the
                                validator, and then `context.chain` is the position
    position.below              the position after the newest lock was given back
    validator.resume(context, position)

A step is keyed by instance, by how it is taken and by the interrupt state, so that one look-up in a
dict stands for all rules.
"""

from __future__ import annotations

from itertools import islice

from hgeisim.lockorder.graph.dependency_graph import Hold, Witness
from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, KINDS, Flavour, How, Lock, LockClass
from hgeisim.lockorder.graph.usage import BH_ON, HARDIRQ, IN_IRQ, TASK, THREADED


class Step:
    """One acquisition: the key of a chain in the one that it makes longer.

    It is `kept` when nobody waited for it: the lock was held before and one below it is gone.
    One object stands for every time that a lock is taken in this way, see `Steps`.
    """

    __slots__ = ("how", "kept", "lock", "state")

    def __init__(self, lock: Lock, how: How, state: int, kept: bool = False) -> None:
        self.lock, self.how, self.state, self.kept = lock, how, state, kept


class Steps:
    """The steps of a validator: equal ones are one object, so that they are found by identity."""

    def __init__(self) -> None:
        self._steps: dict[tuple[Lock, How, int, bool], Step] = {}

    def of(self, lock: Lock, how: How, state: int, kept: bool = False) -> Step:
        """The step of an acquisition, made when first asked for."""
        key = lock, how, state, kept
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = Step(*key)
        return step


class Chain:
    """All locks that are held, from the newest acquisition down, with what is known of them.

    `stack` is the call chain that first took the newest `lock`, as a `reader` or not.  `after`
    holds the chains that are one acquisition longer.  `again` holds longer ones that are judged
    wherever they happen, since the context itself, and not a lock, forbids the wait; such a chain
    is `atomic`.  `below` is one acquisition shorter; an empty chain is its own.  `witness` is the
    wait for the newest lock, None when nobody could have waited.  `enabled` has bit s set once all
    locks are known to have been held in interrupt state s.
    """

    __slots__ = (
        *("after", "again", "atomic", "below", "cls", "enabled", "lock", "reader", "stack"),
        *("step", "witness"),
    )

    def __init__(
        self, step: Step, cls: LockClass, stack: tuple[str, ...] = (), below: Chain | None = None
    ) -> None:
        self.step, self.cls, self.stack, self.below = step, cls, stack, below or self
        self.lock, self.reader = step.lock, step.how.flavour != Flavour.EXCLUSIVE
        self.after: dict[Step, Chain] = {}
        self.again: dict[Step, Chain] = {}
        self.witness: Witness | None = None
        self.enabled = 0
        self.atomic = False

    @classmethod
    def empty(cls) -> Chain:
        """The chain of a context that holds nothing."""
        nothing = KINDS["lockdep_map"]
        return cls(Step(Lock("", nothing), EXCLUSIVE, 0), LockClass("", nothing))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return self.below is self

    def path(self) -> list[Chain]:
        """The chain of each lock that is held, the oldest first."""
        path, chain = [], self
        while not chain.is_empty:
            path.append(chain)
            chain = chain.below
        return path[::-1]


class Held:
    """An entry of the stack of held locks: its place in the chains, and where it was taken."""

    __slots__ = ("chain", "pins", "stack")

    def __init__(self, chain: Chain, stack: tuple[str, ...], pins: int = 0) -> None:
        self.chain, self.stack, self.pins = chain, stack, pins

    @property
    def lock(self) -> Lock:
        """The instance."""
        return self.chain.step.lock

    @property
    def cls(self) -> LockClass:
        """Its class, subclass included."""
        return self.chain.cls

    @property
    def how(self) -> How:
        """How it was taken."""
        return self.chain.step.how

    @property
    def flavour(self) -> Flavour:
        """The mode in which it is held."""
        return self.chain.step.how.flavour

    @property
    def irq(self) -> int:
        """The irq context in which it was taken: bits of IN_IRQ."""
        return self.chain.step.state & IN_IRQ

    @property
    def hold(self) -> Hold:
        """The facts about it that outlive its release."""
        return Hold(self.lock, self.cls, self.flavour, self.stack)


class Waits:
    """The waits of a context since it began, and how many of them each event depends on already."""

    def __init__(self) -> None:
        self._chains: dict[Chain, None] = {}
        self._handed_out: dict[Lock, int] = {}

    def add(self, chain: Chain) -> None:
        """Note a wait; one that was noted before stays where it is."""
        self._chains[chain] = None

    def new_to(self, event: Lock) -> list[Chain]:
        """The waits that an event has not got yet; it gets each one once."""
        start = self._handed_out.get(event, 0)
        self._handed_out[event] = len(self._chains)
        return list(islice(self._chains, start, None))


class Context:
    """A task, with the interrupts that come on top of it.

    `stack` is its call chain of kernel functions, outermost first, and `place` the one that ids
    name (empty: the innermost); the driver of the context keeps them current.  `state` is made of
    the bits of graph/usage.py.  `waits` are its waits since it began: whoever waits for it to
    complete an event waits for all of them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: tuple[str, ...] = ()
        self.place = ""
        self.state = TASK
        self.held: list[Held] = []
        self.bh_disabled = 0
        self.nofs = 0
        self.waits = Waits()
        self.root = Chain.empty()
        self._below: list[tuple[int, int, Waits]] = []

    @property
    def chain(self) -> Chain:
        """Its position: all that it holds."""
        return self.held[-1].chain if self.held else self.root

    @property
    def in_interrupt(self) -> bool:
        """Whether it is in a handler or has BH disabled, as the kernel's function says it."""
        return bool(self.state & IN_IRQ or not self.state & BH_ON)

    def holding(self, lock: Lock) -> Held | None:
        """The newest entry of an instance, whatever the irq context."""
        return next((held for held in reversed(self.held) if held.lock is lock), None)

    def held_in(self, irq: int) -> list[Held]:
        """The entries that were taken in an irq context, newest first."""
        return [held for held in reversed(self.held) if held.irq == irq]

    def enter(self, handler: int, threaded: bool = False) -> None:
        """Begin a handler, SOFTIRQ or HARDIRQ: it owes its own waits, not the interrupted ones."""
        self._below.append((handler, self.state, self.waits))
        if handler == HARDIRQ:
            self.state = self.state & ~THREADED | (THREADED if threaded else 0)
        self.state |= handler
        self.waits = Waits()

    def leave(self, handler: int) -> bool:
        """Go back to what a handler interrupted; False when the context is not in that handler."""
        if not self._below or self._below[-1][0] != handler:
            return False
        _, before, self.waits = self._below.pop()
        kept = IN_IRQ | THREADED
        self.state = self.state & ~kept | before & kept
        return True

    def mask(self, bit: int, on: bool) -> None:
        """Set IRQS_ON or BH_ON."""
        self.state = self.state | bit if on else self.state & ~bit
