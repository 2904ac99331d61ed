"""Chains: every sequence of acquisitions that was judged once and need not be judged again.

A chain is a path in a tree, one tree for each context, and so the *position* of a context: all that
it holds.  A driver may keep positions and go from one to the next without the validator:

    position.after.get(step)    where a lock taken in this way leads; None: ask the validator
    position.below              where giving back the newest lock leads
    validator.resume(context, position)

A step is keyed by instance, by how it is taken and by the interrupt state, so that one look-up in a
dict stands for all rules.
"""

from __future__ import annotations

from hgeisim.lockorder.classes import EXCLUSIVE, KINDS, Flavour, How, Lock, LockClass
from hgeisim.lockorder.graph import Witness


class Step:
    """One acquisition: the key of a chain in the one that it makes longer.

    It is `kept` when nobody waited for it: the lock was held before and one below it is gone.
    There is one object for all times that a lock is taken in this way, see `Steps`.
    """

    __slots__ = ("how", "kept", "lock", "state")

    def __init__(self, lock: Lock, how: How, state: int, kept: bool = False) -> None:
        self.lock, self.how, self.state, self.kept = lock, how, state, kept


class Steps:
    """The steps of a validator: equal ones are the same, so that they are found by identity."""

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
    """All that is held, seen from its newest acquisition, with what was found out about it.

    `stack` is where it was first made; `lock` is its newest one, held by a `reader` or not.
    `after` holds the chains that are one acquisition longer, `again` those of them that are to be
    judged wherever they happen, since the context, and no lock, forbids the wait.  `below` is one
    shorter, of an empty chain itself.  `witness` is who waited for it to be complete, None when
    nobody could have waited.  `enabled` has bit s set once all its locks are known to have been
    held in interrupt state s.  `atomic` says that it belongs in `again`.
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
