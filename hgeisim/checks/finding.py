"""A violation that a check saw, and where a check looks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from hgeisim.checks.access import Access
from hgeisim.checks.cause import NOT_KNOWN, Cause
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True)
class Finding:
    """A violation.  `kind` and `about` (a class, never an instance or a line) are its stable id,
    `text` tells the instance; two findings with the same id are the same finding.

    `cause` is how it came about, as far as that is known."""

    kind: str
    about: str
    text: str = field(compare=False)
    cause: Cause = field(default=NOT_KNOWN, compare=False)

    @property
    def id(self) -> str:
        """The stable id, as baselines and `--json` name it."""
        return f"{self.kind}:{self.about}"


@dataclass(frozen=True)
class Moment:
    """One operation as a check sees it, just after it was completed.

    `function` is the kernel function that did, `entry` the outermost one of AIA that led there,
    which a stable id is about; `touched` are the addresses of tracked memory that were accessed,
    `writes` those that were written, empty when nothing is tracked.  `accesses` are those to
    guarded fields, made with the locks of these names `held`.
    """

    who: Runner
    op: Op
    function: str
    entry: str = ""
    touched: Collection[int] = ()
    writes: Collection[int] = ()
    accesses: Collection[Access] = ()
    held: tuple[str, ...] = ()
