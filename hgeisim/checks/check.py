"""What a check is: of an operation, of a call, or of a part of the state.

A check only looks.  It has no past: two looks at the same thing say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import Op

S = TypeVar("S")


class OperationCheck:
    """A check of operations of the classes `about`, just after each of them."""

    about: ClassVar[tuple[type[Op], ...]] = ()

    def applies(self, k: Module) -> bool:
        """Whether it can find anything in a kernel."""
        return True

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Yield what is wrong with an operation."""
        raise NotImplementedError


class CallCheck:
    """A check of each call of the function `about`, with its arguments, as it begins."""

    about: ClassVar[str]

    def wrong(self, k: Module, *arguments: Any) -> Iterator[Finding]:
        """Yield what is wrong with a call."""
        raise NotImplementedError


class ReturnCheck:
    """A check of each return of the function `about`, with its result and its arguments."""

    about: ClassVar[str]

    def wrong(self, k: Module, ret: Any, *arguments: Any) -> Iterator[Finding]:
        """Yield what is wrong after a call."""
        raise NotImplementedError


class StateCheck(Generic[S]):
    """A check of each of its subjects: HARTs, vCPUs, VMs or, by default, the kernel as a whole."""

    def watches(self, k: Module) -> Iterable[int]:
        """Yield the addresses of tracked memory that the verdict depends on, and no others."""
        raise NotImplementedError

    def subjects(self, k: Module) -> Iterable[Any]:
        """Yield what it looks at, one by one."""
        return (k,)

    def valid(self, k: Module, subject: S) -> bool:
        """Whether a subject can be judged now, since nobody is in the middle of changing it."""
        return True

    def suspects(self, k: Module, subject: S) -> bool:
        """A cheap look: False when nothing can be wrong."""
        return True

    def wrong(self, k: Module, subject: S) -> Iterator[Finding]:
        """Yield what is wrong with a subject that can be judged."""
        raise NotImplementedError

    def of(self, k: Module, subject: S) -> Iterator[Finding]:
        """Yield what is wrong with one subject."""
        if self.valid(k, subject):
            yield from self.wrong(k, subject)

    def state(self, k: Module) -> Iterator[Finding]:
        """Yield what is wrong with all of them."""
        for subject in self.subjects(k):
            yield from self.of(k, subject)
