"""The cause of a finding: what happened before it, and which kernel functions took part.

Two findings with one id may have different causes; what is known of one says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

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
