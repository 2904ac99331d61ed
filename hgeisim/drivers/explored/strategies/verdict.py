"""What a search says in the end: the findings, and how much it covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hgeisim.checks.finding import Cause, Finding
from hgeisim.drivers.explored.model.budget import MemorySpent, PartSpent, Spent
from hgeisim.drivers.explored.model.codebook import CodebookFull

EXHAUSTED, BOUNDED, SAMPLED = "exhausted", "bounded", "sampled"

Schedule = tuple[int, ...]
"""The contexts that step, one after the other, from the initial state."""


Enough = Callable[[str], bool]
"""Whether a search may end with the finding of an id."""


def many(number: int, word: str, plural: str = "s") -> str:
    """A number of things in words: 1 state, 1,000 states."""
    return f"{number:,} {word}{'' if number == 1 else plural}"


def never(finding_id: str) -> bool:
    """Search on, whatever was found."""
    return False


class Found(Exception):
    """What the search was made for is found."""


@dataclass(frozen=True)
class Counterexample:
    """A finding, a schedule that ends in it, and the ids of what else shows on the way."""

    finding: Finding
    schedule: Schedule
    also_shows: tuple[str, ...] = ()

    @property
    def switches(self) -> int:
        """How often its context changes."""
        return sum(a != b for a, b in pairwise(self.schedule))


@dataclass
class Verdict:
    """The result of a search.

    `coverage` is one of the three words: all interleavings, those within a bound, or a sample.
    `bound` says which bound or how many schedules, `schedules` how many were drawn.  `states` and
    `transitions` count distinct states and steps taken; `ends` are the states in which nothing can
    happen any more.  `stopped` is the error, the interruption or the spent budget that ended the
    search or what follows it, if one did; `cut` says so of the search.  `earlier` is what was found
    before the search had to start again: it can happen, but is not the shortest way.
    """

    coverage: str = EXHAUSTED
    bound: str = ""
    states: int = 0
    transitions: int = 0
    ends: int = 0
    schedules: int = 0
    counterexamples: dict[str, Counterexample] = field(default_factory=dict)
    stopped: BaseException | None = None
    cut: str = ""
    is_out_of_memory: bool = False
    is_a_part: bool = False
    enough: Enough = never
    earlier: dict[str, Counterexample] = field(default_factory=dict, compare=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing should come after it: it was stopped, it was enough, or steps or time
        are spent."""
        cut = bool(self.cut) and not (self.is_out_of_memory or self.is_a_part)
        return cut or any(map(self.enough, self.counterexamples))

    @property
    def causes(self) -> dict[str, Cause]:
        """The cause of each finding."""
        return {i: each.finding.cause for i, each in self.counterexamples.items()}

    def note(self, finding: Finding, schedule: Schedule) -> None:
        """Keep the first counterexample of each finding; raises `Found` when it is enough."""
        if finding.id not in self.counterexamples:
            self.keep(Counterexample(finding, schedule))

    def keep(self, counterexample: Counterexample) -> None:
        """Keep one, in place of what there is; raises `Found` when it is enough."""
        finding_id = counterexample.finding.id
        self.counterexamples[finding_id] = counterexample
        if self.enough(finding_id):
            raise Found

    def begin_with(self, begun: Schedule) -> None:
        """The search began where a schedule ended: that belongs to each counterexample."""
        for finding_id, each in self.counterexamples.items() if begun else ():
            longer = replace(each, schedule=begun + each.schedule)
            self.counterexamples[finding_id] = longer

    def start_again(self) -> None:
        """Forget what was counted; what was found counts if the search does not come to its end."""
        self.earlier |= self.counterexamples
        self.counterexamples = {}
        self.states = self.transitions = self.ends = self.schedules = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what a search has found, whatever ends it early: then it is `bounded`."""
        try:
            yield
        except Found:
            self.coverage, self.bound = BOUNDED, "the first finding"
        except Spent as spent:
            self.coverage, self.cut = BOUNDED, f" in {spent}"
            self.bound = f"{many(self.states, 'state')}{self.cut}"
            self.is_out_of_memory = isinstance(spent, MemorySpent)
            self.is_a_part = isinstance(spent, PartSpent)
        except CodebookFull as full:
            self.coverage, self.bound = BOUNDED, f"{many(self.states, 'state')}, where {full}"
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.coverage, self.cut = BOUNDED, f", where it {ended(error)}"
            self.bound = f"{many(self.states, 'state')}{self.cut}"
            self.stopped = without_memory(error)
            self.is_out_of_memory = isinstance(error, MemoryError)
        if self.coverage == BOUNDED:
            self.counterexamples = self.earlier | self.counterexamples

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """What was found and covered stays as it is, whatever ends what comes after the search."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.stopped = self.stopped or without_memory(error)


def ended(error: BaseException) -> str:
    """How an error or an interruption ended something, in words."""
    if isinstance(error, MemoryError):
        return "ran out of memory"
    if isinstance(error, Spent):
        return f"had spent its {error}"
    if isinstance(error, Exception):
        return f"failed ({type(error).__name__})"
    return "was interrupted"


def without_memory(error: BaseException) -> BaseException:
    """The same error; where memory ran out, without the frames that hold what a report needs."""
    return error.with_traceback(None) if isinstance(error, MemoryError) else error
