"""Named streams of random numbers.

A stream depends on (seed, replication, name) and on nothing else: not on the order in which
streams are made, the worker, the variant of the kernel or PYTHONHASHSEED.  So two variants see the
same arrivals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from hgeisim.errors import ModelError
from hgeisim.scenario.timing import Empirical, Exponential, Law, Uniform

BLOCK_MAX = 1024
"""Most numbers drawn in one call, since a call of numpy costs more than the number it returns.
The first blocks are smaller: a machine has thousands of streams, and most are used only a few
times."""

WORDS = 1 << 64
"""The number of different words, each equally likely."""

T = TypeVar("T")


class Stream:
    """One sequence of random numbers."""

    def __init__(self, bits: PCG64) -> None:
        self._bits = bits
        self._generator = Generator(bits)
        self._exponentials: list[float] = []
        self._words: list[int] = []
        self._block = 8

    def draw(self, distribution: Law) -> int:
        """A time in ns, at least 0; exponential times are rounded to nearest and at least 1."""
        if isinstance(distribution, Exponential):
            return max(1, round(distribution.mean * self._exponential()))
        if isinstance(distribution, Uniform):
            return distribution.low + self.below(distribution.high - distribution.low + 1)
        if isinstance(distribution, Empirical):
            return self._between(distribution.quantiles)
        return distribution.value

    def _between(self, quantiles: Sequence[int]) -> int:
        """A time within one step of the distribution function; all steps are equally likely."""
        step = self.below(len(quantiles) - 1)
        low, high = quantiles[step : step + 2]
        return low + self.below(high - low + 1)

    def drawer(self, distribution: Law) -> Callable[[], int]:
        """A function that returns what `draw` would, without a look at the kind of distribution."""
        if not isinstance(distribution, Exponential):
            return lambda: self.draw(distribution)
        mean = distribution.mean

        def draw() -> int:
            drawn = self._exponentials.pop() if self._exponentials else self._exponential()
            return round(mean * drawn) or 1

        return draw

    def below(self, n: int) -> int:
        """Draw a whole number in 0..n-1, each equally likely; n is at most 2**64."""
        if not (0 < n <= WORDS):
            raise ModelError(f"below({n}) must be 1..2**64")
        while True:
            product = self._word() * n
            rest = product & WORDS - 1
            if rest >= n or rest >= WORDS % n:  # these leave each result equally many words
                return product >> 64

    def words(self, count: int) -> NDArray[np.uint64]:
        """The next words that `below` would draw from."""
        ready = [self._words.pop() for _ in range(min(count, len(self._words)))]
        fresh = self._bits.random_raw(count - len(ready))
        return np.concatenate((np.array(ready, dtype=np.uint64), fresh))

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each equally likely."""
        return items[self.below(len(items))]

    def _exponential(self) -> float:
        if not self._exponentials:
            drawn = self._generator.standard_exponential(self._next_block())
            self._exponentials = drawn[::-1].tolist()
        return self._exponentials.pop()

    def _word(self) -> int:
        if not self._words:
            self._words = self._bits.random_raw(self._next_block())[::-1].tolist()
        return self._words.pop()

    def _next_block(self) -> int:
        """The size of the next block, doubled each time up to the most."""
        self._block = min(2 * self._block, BLOCK_MAX)
        return self._block


class Streams:
    """All streams of one replication of a run."""

    def __init__(self, seed: int, replication: int = 0) -> None:
        self.seed = seed
        self.replication = replication
        self._by_name: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The stream of this name; a second call continues the same sequence."""
        if name not in self._by_name:
            self._by_name[name] = Stream(self._bits(name))
        return self._by_name[name]

    def forget(self, owner: str) -> None:
        """Drop the streams of an owner that is gone, `owner/...`."""
        for name in [name for name in self._by_name if name.startswith(f"{owner}/")]:
            del self._by_name[name]

    def generator(self, name: str) -> Generator:
        """A generator of numpy at the beginning of the stream of this name, for a library that
        wants one."""
        return Generator(self._bits(name))

    def _bits(self, name: str) -> PCG64:
        number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
        spawn_key = (self.replication, number >> 32, number & 0xFFFFFFFF)
        return PCG64(SeedSequence(entropy=self.seed, spawn_key=spawn_key))
