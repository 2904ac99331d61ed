"""Looks at each access to a guarded field while a path with a user's patch is executed in time.

The fields of such a kernel are properties, and `owners` is a list that says when it is used; other
kernels have plain slots.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from hgeisim.checks.access import Access, site
from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.lockset import UnderItsLock, holds
from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.guards import GUARDED_BY, Guard
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.balance import NOTHING, Balance
from hgeisim.machine.ops import STEP
from hgeisim.machine.shared import Shared, whole
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import returned

LOOK = [check for check in asked(At.ACCESS) if isinstance(check, UnderItsLock)]


class Guarding:
    """Notes what is wrong with the accesses of whoever executes a path now, `None` for nobody."""

    def __init__(self, k: Module, note: Callable[[Iterable[Finding]], None]) -> None:
        self.k, self.note = k, note
        self.who: Runner | None = None
        self.kept: Balance = NOTHING
        for struct in (*vcpus(k), *k.hgei):
            self._watch(struct)

    def begins(self, who: Runner, kept: Balance) -> None:
        """A context executes its path, and keeps some locks."""
        self.who, self.kept = who, kept

    def ends(self) -> None:
        """It has come to its next operation."""
        self.who = None

    @returned("add_vcpu")
    def born(self, vcpu: Vcpu, *how: object) -> None:
        """A vCPU was made."""
        self._watch(vcpu)

    def _watch(self, struct: Any) -> None:
        """Let a struct show what is done with its guarded fields."""
        space: dict[str, Any] = {"__slots__": ()}
        for guard in GUARDED_BY:
            for field in guard.fields if isinstance(struct, guard.struct) else ():
                if field in type(struct).arrays:
                    setattr(struct, field, self._array(guard, struct, field))
                else:
                    space[field] = self._field(guard, type(struct), field)
        cls: Any = type(struct)
        struct.__class__ = type(cls)(cls.__name__, (cls,), space)

    def _field(self, guard: Guard, cls: Any, field: str) -> property:
        slot = vars(next(each for each in cls.__mro__ if field in vars(each)))[field]

        def fetch(struct: Shared) -> int:
            self._access(guard, struct, field, False)
            return int(slot.__get__(struct))

        def store(struct: Shared, value: int) -> None:
            self._access(guard, struct, field, True)
            slot.__set__(struct, whole(value, field))

        return property(fetch, store)

    def _array(self, guard: Guard, struct: Any, field: str) -> list[int]:
        look = self._access

        class Shown(list[int]):
            def __getitem__(self, index: Any) -> Any:
                look(guard, struct, field, False)
                return super().__getitem__(index)

            def __setitem__(self, index: Any, value: Any) -> None:
                look(guard, struct, field, True)
                super().__setitem__(index, whole(value, field))

        return Shown(getattr(struct, field))

    def _access(self, guard: Guard, struct: Shared, field: str, written: bool) -> None:
        who, held = self.who, self.kept.locks()
        if who is None or holds(self.k, guard, struct, written, held):
            return
        place = site(sys._getframe(2))
        if place is not None:
            self.who = None
            access = Access(guard, struct, field, written, place.function, place.marked)
            moment = Moment(who, STEP, access.function, accesses=(access,), held=held)
            for check in LOOK:
                self.note(check.wrong(self.k, moment))
            self.who = who
