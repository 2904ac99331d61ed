"""A suspended function of an object, and the table that gives each one a number."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hgeisim.object.request import Request
from hgeisim.object.unwritten import NOTHING, Unwritten


@dataclass(frozen=True, slots=True)
class Suspended:
    """A function of an object between two steps.

    `stack` is the number of its stack, `pc` the next instruction, `registers` the 32 registers with
    0 in dead ones, `frames` the bytes of the stack from its pointer to the top.  `count` is its
    share of preempt_count.  `callers` are the return addresses of the calls that it is in, the
    outermost first.  `answer` is what the kernel has answered to its `request`, None until then.
    `site` is the call that it waits for, 0 if it waits for none: after a tail call, `pc` is in
    another function.  `unwritten` is what of its stack was never written.
    """

    stack: int
    pc: int
    registers: tuple[int, ...]
    frames: bytes
    count: int
    request: Request
    answer: int | None = None
    callers: tuple[int, ...] = ()
    site: int = 0
    unwritten: Unwritten = NOTHING


class Suspensions:
    """All suspended functions that were ever met, by their number.

    A number stands for all that decides how the function goes on, apart from shared memory; so a
    path that holds one is remembered like any other.
    """

    def __init__(self) -> None:
        self._all: list[Suspended] = []
        self._numbers: dict[Suspended, int] = {}
        self._answered: dict[tuple[int, int], int] = {}

    def number(self, state: Suspended) -> int:
        """The number of a suspended function, each time the same."""
        known = self._numbers.get(state)
        if known is None:
            known = self._numbers[state] = len(self._all)
            self._all.append(state)
        return known

    def __getitem__(self, number: int) -> Suspended:
        return self._all[number]

    def __len__(self) -> int:
        return len(self._all)

    def answered(self, number: int, answer: int) -> int:
        """The same function with the answer to its request."""
        known = self._answered.get((number, answer))
        if known is None:
            made = replace(self._all[number], answer=answer & ((1 << 64) - 1))
            known = self._answered[number, answer] = self.number(made)
        return known
