"""The kinds of checks: of an operation, of a call or its return, and of a part of the state.

A check only looks.  It has no past: two looks at the same thing say the same.  Its docstring states
a law, and ends with the source of that law.

Checks of the state have a class for each kind of subject: a CPU's lines, a HART, a vCPU, a VM.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl, Vcpu, Vm
from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Op

S = TypeVar("S")


def vcpus(k: Module) -> Iterator[Vcpu]:
    """Yield all vCPUs, including freed ones."""
    return (vcpu for vcpu in k.vcpus if vcpu is not None)


class OperationCheck:
    """A check of operations of the classes `about`, just after each of them.

    Without any, it is asked after whole steps, with the cells that they touched.
    """

    about: ClassVar[tuple[type[Op], ...]] = ()

    def applies(self, k: Module) -> bool:
        """Whether it can find anything in this kernel."""
        return True

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Yield the faults of an operation."""
        raise NotImplementedError


class CallCheck:
    """A check of each call of the function `about`, with its arguments, as it begins."""

    about: ClassVar[str]

    def wrong(self, k: Module, *arguments: Any) -> Iterator[Finding]:
        """Yield the faults of a call."""
        raise NotImplementedError


class ReturnCheck:
    """A check of each return of the function `about`, with its result and its arguments."""

    about: ClassVar[str]

    def wrong(self, k: Module, ret: Any, *arguments: Any) -> Iterator[Finding]:
        """Yield the faults after a call."""
        raise NotImplementedError


class StateCheck(Generic[S]):
    """A check of each of its subjects: by default, of the kernel as a whole."""

    def watches(self, k: Module) -> Iterable[int]:
        """Yield the addresses of tracked memory that the verdict depends on, and no others."""
        raise NotImplementedError

    def subjects(self, k: Module) -> Iterable[Any]:
        """Yield the subjects, one by one."""
        return (k,)

    def valid(self, k: Module, subject: S) -> bool:
        """Whether a subject can be judged now: no context is in the middle of changing it."""
        return True

    def suspects(self, k: Module, subject: S) -> bool:
        """A cheap look: False means that nothing can be wrong."""
        return True

    def wrong(self, k: Module, subject: S) -> Iterator[Finding]:
        """Yield the faults of a subject that can be judged."""
        raise NotImplementedError

    def of(self, k: Module, subject: S) -> Iterator[Finding]:
        """Yield the faults of one subject, if it can be judged."""
        if self.valid(k, subject):
            yield from self.wrong(k, subject)

    def state(self, k: Module) -> Iterator[Finding]:
        """Yield the faults of all subjects."""
        for subject in self.subjects(k):
            yield from self.of(k, subject)


class OfCpus(StateCheck[HgeiControl]):
    """A check of the HGEI lines of each CPU."""

    def subjects(self, k: Module) -> Iterable[HgeiControl]:
        """All CPUs."""
        return k.hgei


class OfHarts(StateCheck[Hart]):
    """A check of each HART."""

    def subjects(self, k: Module) -> Iterable[Hart]:
        """All HARTs."""
        return k.hart


class OfVcpus(StateCheck[Vcpu]):
    """A check of each vCPU."""

    def subjects(self, k: Module) -> Iterable[Vcpu]:
        """All vCPUs."""
        return vcpus(k)


class OfVms(StateCheck[Vm]):
    """A check of each VM."""

    def subjects(self, k: Module) -> Iterable[Vm]:
        """All VMs."""
        return k.vms


class Unwatched(StateCheck[S]):
    """A check that a search asks only when nothing can happen any more: no verdict is kept."""

    def watches(self, k: Module) -> Iterator[int]:
        """Nothing."""
        yield from ()
