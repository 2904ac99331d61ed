"""How many MSIs a run has sent, and what has become of each."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class Books(Protocol):
    """What a tally reads of the books of a guest."""

    owed: int
    gone: int


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
