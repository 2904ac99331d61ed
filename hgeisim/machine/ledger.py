"""The books of a vCPU's guest: what it has set up, and which interrupts it is still owed.

They are ghost state: no path reads them, and only what is outside of the kernel writes them, the
guest, devices, scripts and user space.  Checks compare them with what the kernel has kept.

Where nothing is tracked, a tally counts how many MSIs a run has sent, and what became of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Protocol

from hgeisim.machine.shared import Field, Memory, Shared, build


class Books(Protocol):
    """The numbers that a tally reads from the books of a guest."""

    owed: int
    gone: int


class Asked(Protocol):
    """The number of changes that the books had when an ioctl began."""

    asked: int


class Tally:
    """Counts of the MSIs of one vCPU: `sent` is the sum of all others in the end.

    `dropped` has a count for each rule by which an MSI need not be kept: "reset" and "destroyed".
    `by_sgei` took an SGEI on their way; `waiting` has those of each identity that may still do so.
    """

    def __init__(self) -> None:
        self.sent = self.delivered = self.merged = self.lost = self.by_sgei = 0
        self.dropped: Counter[str] = Counter()
        self.waiting: Counter[int] = Counter()

    def send(self, books: Books, identity: int) -> None:
        """One more is sent."""
        self.sent += 1
        if books.gone:
            self.dropped["destroyed"] += 1
            return
        self.waiting[identity] += 1
        if books.owed & identity:
            self.merged += 1

    def take(self, books: Books, identities: int) -> None:
        """The guest takes identities."""
        self.delivered += (books.owed & identities).bit_count()
        self._settle(identities)

    def drop(self, books: Books, rule: str) -> None:
        """Nothing of what is owed has to be kept any more."""
        self.dropped[rule] += books.owed.bit_count()
        self.waiting.clear()

    def lose(self, identities: int) -> None:
        """Identities are pending nowhere."""
        self.lost += identities.bit_count()
        self._settle(identities)

    def sgei(self, identities: int) -> None:
        """An SGEI is handled while identities are pending."""
        self.by_sgei += self._settle(identities)

    def _settle(self, identities: int) -> int:
        """How many of some identities were waiting, which they do no more."""
        return sum(self.waiting.pop(each) for each in [*self.waiting] if each & identities)


def aside(method: Callable[..., None]) -> Callable[..., None]:
    """Decorate an entry in the books: what it reads is an input of the step that it stands in, but
    neither that nor what it writes is an access of a path."""

    @wraps(method)
    def entered(ledger: Ledger, *args: Any) -> None:
        if ledger.memory is None:
            method(ledger, *args)
        else:
            ledger.memory.aside(method, ledger, *args)

    return entered


class Ledger(Shared):
    """The interrupts that the guest of one vCPU may expect of the kernel; identities are bits.

    `setup` has the identities that the guest has enabled, 0 until it has set its interrupt file up.
    `owed` has those that were sent and that it has not taken, `sent` all that were sent since the
    last reset began, or that were `on_the_way` then: `senders` are just sending those.  `storing`
    is the id of the vCPU to whose page this guest has stored, while that trap is emulated.
    `stray` has bit 0 once it took one that nobody has sent, bit 1 once that was a software
    interrupt; `gone` is 1 once its end has begun.
    Of software interrupts (vsip.SSIP), `soft_owed` is 1 while one was sent since the guest took the
    last one, and `soft_sent` counts those that it may still take: one that is sent before it takes
    another is merged with that, or comes after it.  `soft_senders` counts those that are just being
    sent: such a one may come, and come again once it has been sent.
    `changes` counts how often `setup` was written, `before` is what it was when the guest began to
    disable identities.
    `tally` counts, where nothing is tracked.
    """

    setup: Field
    owed: Field
    sent: Field
    senders: Field
    on_the_way: Field
    storing: Field
    stray: Field
    gone: Field
    soft_owed: Field
    soft_sent: Field
    soft_senders: Field
    changes: Field
    before: Field
    memory: Memory | None
    tally: Tally | None

    @aside
    def send(self, iid: int) -> None:
        """A device, a guest or a script begins to send an identity.

        A second send of what is pending is merged with the first (AIA specification, chapter 3).
        """
        identity = 1 << iid
        if self.tally:
            self.tally.send(self, identity)
        self.senders += 1
        if not self.on_the_way & identity:
            self.on_the_way |= identity
        if self.gone:
            return
        if not self.owed & identity:
            self.owed |= identity
        if not self.sent & identity:
            self.sent |= identity

    @aside
    def arrive(self) -> None:
        """One of those who send has done so: the identity is in a file."""
        self.senders -= 1
        if not self.senders:
            self.on_the_way = 0

    @aside
    def store_traps(self, target: int) -> None:
        """This guest has stored to the page of a vCPU, and the store has trapped."""
        self.storing = target

    @aside
    def store_emulated(self, targets: Mapping[int, Ledger]) -> None:
        """KVM has emulated that store; `targets` are the books of all vCPUs of the VM."""
        if self.storing:
            targets[self.storing].arrive()
            self.storing = 0

    @aside
    def take(self, identities: int) -> None:
        """The guest claims identities, and serves them."""
        if self.tally:
            self.tally.take(self, identities)
        if identities & ~self.sent and not self.stray & 1:
            self.stray |= 1
        if self.owed & identities:
            self.owed &= ~identities

    @aside
    def soft_begins(self) -> None:
        """Another guest begins to send a software interrupt."""
        self.soft_senders += 1
        self.soft_sent += 1
        if not self.gone:
            self.soft_owed = 1

    @aside
    def soft_ends(self) -> None:
        """It has been sent."""
        self.soft_senders -= 1

    @aside
    def take_soft(self) -> None:
        """The guest clears vsip.SSIP, and serves the interrupt."""
        self.soft_owed = 0
        if self.soft_senders:
            return
        if self.soft_sent:
            self.soft_sent -= 1
        elif not self.stray & 2:
            self.stray |= 2

    @aside
    def drop_soft(self) -> None:
        """The vCPU was reset: software interrupts that were sent until now need not come."""
        if self.soft_owed:
            self.soft_owed = 0

    @aside
    def set_up(self, eie: int) -> None:
        """The guest has enabled identities, and delivery."""
        self.setup |= eie
        self.changes += 1

    @aside
    def disable(self, identities: int) -> None:
        """The guest disables identities."""
        self.before = self.setup
        self.setup &= ~identities
        self.changes += 1

    @aside
    def restore(self, eie: int) -> None:
        """User space has enabled identities of a file that the guest has set up."""
        if self.setup:
            self.set_up(eie)

    @aside
    def ask(self, data: Asked) -> None:
        """An ioctl about this vCPU begins."""
        data.asked = self.changes

    @aside
    def reset_begins(self) -> None:
        """The vCPU is reset: the guest will have to set its interrupt file up again, and of what
        was sent before, only what is still on its way may come."""
        if self.setup:
            self.setup = 0
            self.changes += 1
        self.sent, self.soft_sent = self.on_the_way, self.soft_senders

    @aside
    def reset_ends(self) -> None:
        """All that was sent until now is dropped with the reset."""
        self._drop("reset")

    @aside
    def end(self) -> None:
        """User space begins to destroy the vCPU: nothing has to be kept any more."""
        self._drop("destroyed")
        self.setup, self.soft_owed, self.gone = 0, 0, 1

    def lose(self, identities: int) -> None:
        """In a run these were found to be pending nowhere: counted once, and owed no more."""
        if self.tally and identities:
            self.tally.lose(identities)
            self.owed &= ~identities

    def _drop(self, rule: str) -> None:
        if self.tally:
            self.tally.drop(self, rule)
        if self.owed:
            self.owed = 0


def ledger(memory: Memory | None, name: str) -> Ledger:
    """Make empty books."""
    made = build(Ledger, memory, f"{name}.ledger")
    made.memory, made.tally = memory, Tally() if memory is None else None
    return made
