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
    """

    def __init__(self) -> None:
        self.sent = self.delivered = self.merged = self.lost = 0
        self.dropped: Counter[str] = Counter()

    def send(self, books: Books, identity: int) -> None:
        """One more is sent."""
        self.sent += 1
        if books.gone:
            self.dropped["destroyed"] += 1
        elif books.owed & identity:
            self.merged += 1

    def take(self, books: Books, identities: int) -> None:
        """The guest takes identities."""
        self.delivered += (books.owed & identities).bit_count()

    def drop(self, books: Books, rule: str) -> None:
        """Nothing of what is owed has to be kept any more."""
        self.dropped[rule] += books.owed.bit_count()
