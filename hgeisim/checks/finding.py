"""A finding: a violation that a check saw, its cause, and how it compares with what the base of
a patch shows; and the moment at which a check looks.

The cause of a finding is what happened before it, and which kernel functions took part.  Two
findings with one id may have different causes; what is known of one says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.checks.access import Access
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner

LANDMARKS = {
    "cpu_down": "offline",
    "kvm_shutdown": "shutdown",
    "riscv_kvm_exit": "unload",
    "kvm_destroy_vm": "destroy",
}
"""What must have happened before some findings, by the function that begins it."""
LINELESS = "lineless"
"""The same of a machine with a HART without lines, which a check knows itself."""
ELSEWHERE = "elsewhere"
"""The same of a vCPU that sleeps on another HART than that of its VS-file."""
HAPPENINGS = (*LANDMARKS.values(), LINELESS, ELSEWHERE)

AIA_PREFIXES = ("kvm_riscv_", "hgei_", "imsic_")


def entry_function(functions: Iterable[str], default: str = "") -> str:
    """The outermost function of AIA in a call chain: what a report is about."""
    return next((name for name in functions if name.startswith(AIA_PREFIXES)), default)


class Cause(NamedTuple):
    """Which of `HAPPENINGS` came before a finding, and its `parties`: the outermost functions of
    AIA that last wrote what the check looked at, or that stepped; of lock order the innermost ones,
    which take the locks.  `leading` are those and the ones whose steps led to theirs.  Each is None
    where that is not known."""

    happened: frozenset[str] | None = None
    parties: frozenset[str] | None = None
    leading: frozenset[str] | None = None

    def after(self, happened: frozenset[str]) -> Cause:
        """The same, now that more is known of what happened."""
        return self._replace(happened=happened.union(self.happened or ()))

    @property
    def of_some_schedule(self) -> Cause:
        """What it tells where another schedule, with fewer switches, may have other parties."""
        return Cause(self.happened)


NOT_KNOWN = Cause()


def landmarks(functions: Iterable[str]) -> frozenset[str]:
    """The words for what some functions begin."""
    return frozenset(LANDMARKS[name] for name in functions if name in LANDMARKS)


def of_ids(ids: Iterable[str]) -> dict[str, Cause]:
    """Findings of which nothing but their ids is known."""
    return dict.fromkeys(ids, NOT_KNOWN)


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


INTRODUCED = "introduced"
"""Only the variant shows it."""
EASIER = "easier"
"""The variant shows it in fewer switches than the base."""
PRE_EXISTING = "pre-existing"
"""The base shows it as easily."""
UNKNOWN = "unknown"
"""A search was cut short, so that it is one or another of these."""
GONE = "gone"
"""Only the base shows it."""
COUNTING = (INTRODUCED, EASIER, UNKNOWN)
"""What speaks against a patch."""


class Bounds(NamedTuple):
    """How many switches a finding needs: the two are equal where that is known exactly."""

    least: int
    most: int


class Standing(NamedTuple):
    """How a finding compares, and what the base needs, if it shows it and that was counted."""

    word: str
    base: Bounds | None = None
