"""The result of a search: the findings with their schedules, and how much was covered."""

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
"""The contexts that step, in order, from the initial state."""


def switches(schedule: Schedule) -> int:
    """Count how often the context changes in a schedule."""
    return sum(a != b for a, b in pairwise(schedule))


Enough = Callable[[str], bool]
"""Whether a search may end once it has the finding with an id."""


def many(number: int, word: str, plural: str = "s") -> str:
    """A number of things in words: 1 state, 1,000 states."""
    return f"{number:,} {word}{'' if number == 1 else plural}"


def never(finding_id: str) -> bool:
    """Search on, whatever was found."""
    return False


class Found(Exception):
    """The search has found everything that it was made for."""


@dataclass(frozen=True)
class Counterexample:
    """A finding, a schedule that ends in it, and the ids of the other findings on the way."""

    finding: Finding
    schedule: Schedule
    also_shows: tuple[str, ...] = ()

    @property
    def switches(self) -> int:
        """How often the context changes in its schedule."""
        return switches(self.schedule)


@dataclass
class Verdict:
    """The result of a search.

    `coverage` is `EXHAUSTED` (all interleavings), `BOUNDED` (those within a bound) or `SAMPLED`.
    `bound` describes the bound or the sample in words; `schedules` counts the schedules drawn,
    `states` the distinct states, `transitions` the steps taken, and `ends` the states in which
    nothing more can happen.  `stopped` is the error or interruption that ended the search or what
    follows it; `cut` describes in words what ended the search itself early.  `earlier` has
    the counterexamples from before the search had to start again: they can happen, but are not the
    shortest.
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
        """Whether nothing should follow this search: it was stopped, it has found enough, or its
        steps or its time are spent."""
        cut = bool(self.cut) and not (self.is_out_of_memory or self.is_a_part)
        return cut or any(map(self.enough, self.counterexamples))

    @property
    def causes(self) -> dict[str, Cause]:
        """The cause of each finding."""
        return {i: each.finding.cause for i, each in self.counterexamples.items()}

    def note(self, finding: Finding, schedule: Schedule) -> None:
        """Keep the first counterexample of each finding; raises `Found` if that is enough."""
        if finding.id not in self.counterexamples:
            self.keep(Counterexample(finding, schedule))

    def keep(self, counterexample: Counterexample) -> None:
        """Keep a counterexample, replacing any other; raises `Found` if that is enough."""
        finding_id = counterexample.finding.id
        self.counterexamples[finding_id] = counterexample
        if self.enough(finding_id):
            raise Found

    def begin_with(self, begun: Schedule) -> None:
        """Prepend to each counterexample the schedule after which the search began."""
        for finding_id, each in self.counterexamples.items() if begun else ():
            longer = replace(each, schedule=begun + each.schedule)
            self.counterexamples[finding_id] = longer

    def start_again(self) -> None:
        """Reset the counts; what was found before counts only if the search does not finish."""
        self.earlier |= self.counterexamples
        self.counterexamples = {}
        self.states = self.transitions = self.ends = self.schedules = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what a search has found, whatever ends it early; its coverage is `BOUNDED` then."""
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
        """Run what follows a search; whatever ends that early, the search's result stays."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.stopped = self.stopped or without_memory(error)


def ended(error: BaseException) -> str:
    """Describe how an error or an interruption ended something."""
    if isinstance(error, MemoryError):
        return "ran out of memory"
    if isinstance(error, Spent):
        return f"had spent its {error}"
    if isinstance(error, Exception):
        return f"failed ({type(error).__name__})"
    return "was interrupted"


def without_memory(error: BaseException) -> BaseException:
    """The same error; after a MemoryError without its traceback, whose frames hold the memory that
    a report needs."""
    return error.with_traceback(None) if isinstance(error, MemoryError) else error
