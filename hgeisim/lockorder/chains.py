"""Chains: every sequence of acquisitions that was judged once and need not be judged again.

A chain is a path in a tree, one tree for each context.  A step is keyed by instance, by how it is
taken and by the interrupt state, so that one look-up in a dict stands for all rules.
"""

from __future__ import annotations

from typing import NamedTuple

from hgeisim.lockorder.classes import EXCLUSIVE, KINDS, How, Lock, LockClass
from hgeisim.lockorder.graph import Witness


class Step(NamedTuple):
    """One acquisition: the key of a chain in the one that it makes longer.

    It is `kept` when nobody waited for it: the lock was held before and one below it is gone.
    """

    lock: Lock
    how: How
    state: int
    kept: bool = False


class Chain:
    """All that is held, seen from its newest acquisition, with what was found out about it.

    `stack` is where it was first made.  `after` holds the chains that are one acquisition longer.
    `witness` is who waited for it to be complete, None when nobody could have waited.  `enabled`
    holds the interrupt states in which all its locks are known to have been held.  `atomic` tells
    that its context, and no lock, forbids the wait: that is judged wherever it happens.
    """

    __slots__ = ("after", "atomic", "cls", "enabled", "stack", "step", "witness")

    def __init__(self, step: Step, cls: LockClass, stack: tuple[str, ...] = ()) -> None:
        self.step, self.cls, self.stack = step, cls, stack
        self.after: dict[tuple[Lock, How, int, bool], Chain] = {}
        self.witness: Witness | None = None
        self.enabled: set[int] = set()
        self.atomic = False

    @classmethod
    def empty(cls) -> Chain:
        """The chain of one who holds nothing."""
        nothing = KINDS["lockdep_map"]
        return cls(Step(Lock("", nothing), EXCLUSIVE, 0), LockClass("", nothing))
