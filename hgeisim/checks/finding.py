"""A violation that a check saw, and what a check is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from hgeisim.kernel.module import Module
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
    """One operation as an observer sees it, just after it was completed and its path went on.

    `function` is the kernel function that did, `entry` the outermost one of AIA that led there,
    which a stable id is about; `touched` are the addresses of tracked memory that were accessed,
    `writes` those that were written, empty when nothing is tracked.
    """

    who: Runner
    op: Op
    function: str
    entry: str = ""
    touched: Collection[int] = ()
    writes: Collection[int] = ()


class StepCheck(Protocol):
    """A check that looks at each step."""

    def step(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Yield what is wrong with this step."""


class StateCheck(Protocol):
    """A check that looks at the state between steps."""

    def watches(self, k: Module) -> Iterator[int]:
        """Yield the addresses of tracked memory that the verdict depends on, and no others."""

    def state(self, k: Module) -> Iterator[Finding]:
        """Yield what is wrong with the state."""
