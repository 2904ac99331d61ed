"""Findings: violations that a check saw, each with its cause and its standing against the base of a
patch; and the moment at which a check looks.

The cause of a finding is the history before it and the kernel functions that took part.  Two
findings with one id may have different causes; knowing one says nothing about the other.
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
    "kvm_riscv_aia_imsic_rw_attr": "attribute",
    "kvm_riscv_vcpu_trap_redirect": "trap",
}
"""Events that precede some findings, by the function that begins each."""
LINELESS = "lineless"
"""The machine has a HART without lines, which a check sees itself."""
ELSEWHERE = "elsewhere"
"""A vCPU sleeps on another HART than that of its VS-file, which a check sees itself."""
ABOVE_31 = "above-31"
"""Only identities above 31 are concerned, which a check sees itself."""
HAPPENINGS = (*LANDMARKS.values(), LINELESS, ELSEWHERE, ABOVE_31)

AIA_PREFIXES = ("kvm_riscv_", "hgei_", "imsic_")


def entry_function(functions: Iterable[str], default: str = "") -> str:
    """The outermost function of AIA in a call chain, by which reports name the chain."""
    return next((name for name in functions if name.startswith(AIA_PREFIXES)), default)


class Cause(NamedTuple):
    """Which of `HAPPENINGS` came before a finding, and its `parties`: the outermost functions of
    AIA that last wrote what the check looked at, or that stepped; of lock order the innermost ones,
    which take the locks.  `leading` are those and the ones whose steps led to theirs.  `pieces` are
    the functions of the model, each a piece of one of the kernel, that make the accesses of a data
    race.  Each is None where that is not known."""

    happened: frozenset[str] | None = None
    parties: frozenset[str] | None = None
    leading: frozenset[str] | None = None
    pieces: frozenset[str] | None = None

    def after(self, happened: frozenset[str]) -> Cause:
        """The same cause, with more of its history known."""
        return self._replace(happened=happened.union(self.happened or ()))

    @property
    def of_some_schedule(self) -> Cause:
        """The part that holds when another schedule, with fewer switches, has other parties."""
        return Cause(self.happened, pieces=self.pieces)


NOT_KNOWN = Cause()


def landmarks(functions: Iterable[str]) -> frozenset[str]:
    """The words for the events that some functions begin."""
    return frozenset(LANDMARKS[name] for name in functions if name in LANDMARKS)


def of_ids(ids: Iterable[str]) -> dict[str, Cause]:
    """Findings that are known by their ids only, each with an unknown cause."""
    return dict.fromkeys(ids, NOT_KNOWN)


@dataclass(frozen=True)
class Finding:
    """A violation.  `kind` and `about` (a class, never an instance or a line) are its stable id,
    `text` describes the instance; two findings with the same id are the same finding.

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

    `function` is the kernel function that completed it, `entry` the outermost one of AIA that led
    there, which stable ids name.  `touched` are the addresses of tracked memory that were accessed,
    `writes` those that were written; both are empty when nothing is tracked.  `accesses` are the
    accesses to guarded fields, made with the locks of these names `held`.
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
"""A search was cut short, so it may be any of these."""
GONE = "gone"
"""Only the base shows it."""
COUNTING = (INTRODUCED, EASIER, UNKNOWN)
"""The standings that speak against a patch."""


class Bounds(NamedTuple):
    """The number of switches that a finding needs; equal bounds mean that it is known exactly."""

    least: int
    most: int


class Standing(NamedTuple):
    """The comparison of a finding with the base, and the switches that the base needs, if it shows
    the finding and they were counted."""

    word: str
    base: Bounds | None = None
