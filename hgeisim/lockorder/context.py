"""What one context holds, and in which interrupt state it is."""

from __future__ import annotations

from itertools import islice

from hgeisim.lockorder.chains import Chain
from hgeisim.lockorder.classes import Flavour, How, Lock, LockClass
from hgeisim.lockorder.graph import Hold
from hgeisim.lockorder.irqstate import BH_ON, HARDIRQ, IN_IRQ, TASK, THREADED


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
        """In which mode it is held."""
        return self.chain.step.how.flavour

    @property
    def irq(self) -> int:
        """In which irq context it was taken: bits of IN_IRQ."""
        return self.chain.step.state & IN_IRQ

    @property
    def hold(self) -> Hold:
        """What stays true of it after its release."""
        return Hold(self.lock, self.cls, self.flavour, self.stack)


class Waits:
    """Where a context had to wait since it began, and which events it told of how much of that."""

    def __init__(self) -> None:
        self._chains: dict[Chain, None] = {}
        self._told: dict[Lock, int] = {}

    def add(self, chain: Chain) -> None:
        """Note a wait; one that was noted before stays where it is."""
        self._chains[chain] = None

    def untold(self, event: Lock) -> list[Chain]:
        """What an event was not told of yet."""
        told = self._told.get(event, 0)
        self._told[event] = len(self._chains)
        return list(islice(self._chains, told, None))


class Context:
    """A task, with the interrupts that come on top of it.

    `stack` is the kernel functions that it is in, outermost first, and `place` the one that ids
    name, the innermost when it is empty; who drives the context keeps them current.  `state` is
    made of the bits of irqstate.py.  `waits` is where it had to wait since it began: whoever waits
    for it to complete an event waits for all of that.
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
        """All that it holds."""
        return self.held[-1].chain if self.held else self.root

    @property
    def in_interrupt(self) -> bool:
        """Whether it is in a handler, or has BH disabled, as the kernel's function of that name."""
        return bool(self.state & IN_IRQ or not self.state & BH_ON)

    def holding(self, lock: Lock) -> Held | None:
        """The newest entry of an instance, whatever the irq context."""
        return next((held for held in reversed(self.held) if held.lock is lock), None)

    def held_in(self, irq: int) -> list[Held]:
        """What was taken in an irq context, newest first."""
        return [held for held in reversed(self.held) if held.irq == irq]

    def enter(self, handler: int, threaded: bool = False) -> None:
        """Begin a handler, SOFTIRQ or HARDIRQ: it owes its own waits, not what it interrupts."""
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
