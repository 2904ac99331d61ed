"""A violation as data, for people and machines, with an id that stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b

from hgeisim.lockorder.graph.usage import Mark


class Grade(Enum):
    """The grade of a cycle: it can happen as observed, or something keeps it from happening."""

    POSSIBLE = "possible"
    INSTANCES = "instances"
    GUARDED = "guarded"
    ONE_TASK = "one-task"

    @property
    def suffix(self) -> str:
        """The part of a finding's kind that names the grade."""
        return "" if self is Grade.POSSIBLE else f"-{self.value}"


@dataclass(frozen=True)
class LockView:
    """A lock as it stood when the report was made."""

    name: str
    cls: str
    mode: str
    usage: str
    wait: str
    stack: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """One dependency of a chain: `who` held `source` since `since` and wanted `target` at `stack`.

    `owed`: `source` was not held, it is an event that `who` would have completed.  `through` are
    the classes that `who` took after `source` and held as well.
    """

    source: str
    target: str
    kind: str
    verb: str
    who: str
    since: tuple[str, ...]
    stack: tuple[str, ...]
    owed: bool = False
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A violation.

    `kind` and `about` (classes, modes and functions, never instances or lines) and the grade make
    its id.  `chain` begins with the new dependency; `marks` are a safe and an unsafe usage.
    """

    kind: str
    about: tuple[str, ...]
    who: str
    stack: tuple[str, ...]
    grade: Grade = Grade.POSSIBLE
    wanted: LockView | None = None
    holding: LockView | None = None
    chain: tuple[Link, ...] = ()
    marks: tuple[Mark, ...] = ()
    held: tuple[LockView, ...] = ()
    notes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The stable id: the same violation has it in every run and in every version."""
        text = "\n".join((self.kind, self.grade.value, *self.about))
        return "LO-" + blake2b(text.encode(), digest_size=4).hexdigest()


class Reports:
    """All reports, each id once, in the order in which they were made."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}

    def add(self, report: Report) -> None:
        """Keep a report unless one with its id was made before."""
        self._reports.setdefault(report.id, report)

    def __iter__(self) -> Iterator[Report]:
        return iter(self._reports.values())

    def __len__(self) -> int:
        return len(self._reports)


def cycle_about(links: tuple[Link, ...]) -> tuple[str, ...]:
    """The part of an id that names a cycle, the same wherever the cycle is entered."""
    steps = [f"{link.source} -{link.kind}->" for link in links]
    return min(tuple(steps[i:] + steps[:i]) for i in range(len(steps)))
