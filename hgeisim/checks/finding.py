"""A violation that a check saw, and what a check is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True)
class Finding:
    """A violation.  `kind` and `about` (a class, never an instance or a line) are its stable id,
    `text` tells the instance; two findings with the same id are the same finding."""

    kind: str
    about: str
    text: str = field(compare=False)

    @property
    def id(self) -> str:
        """The stable id, as baselines and `--json` name it."""
        return f"{self.kind}:{self.about}"


@dataclass(frozen=True)
class Moment:
    """One atomic step as an observer sees it, just after it happened.

    `function` is the kernel function that stepped; `reads` and `writes` are addresses of tracked
    memory, empty when nothing is tracked.
    """

    who: Runner
    op: Op
    function: str
    reads: Collection[int] = ()
    writes: Collection[int] = ()


class StepCheck(Protocol):
    """A check that looks at each step."""

    def step(self, k: Cpuhp, moment: Moment) -> Iterator[Finding]:
        """Yield what is wrong with this step."""


class StateCheck(Protocol):
    """A check that looks at the state between steps."""

    def watches(self, k: Cpuhp) -> Iterator[int]:
        """Yield the addresses of tracked memory that the verdict depends on, and no others."""

    def state(self, k: Cpuhp) -> Iterator[Finding]:
        """Yield what is wrong with the state."""
