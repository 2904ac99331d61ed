"""The conformance score: how far the validator agrees with a file of cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hgeisim.lockorder.cases.case_file import Case, Place
from hgeisim.lockorder.cases.operations import OPERATIONS, Player
from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.report.violation import Report
from hgeisim.lockorder.rules.validator import Validator


@dataclass(frozen=True)
class Played:
    """The outcome of a case: its reports, and the operation that made the first one."""

    reports: tuple[Report, ...]
    fails_at: Place | None


@dataclass(frozen=True)
class Disagreement:
    """A case with another outcome than its file expects; both as a kind of violation or `pass`."""

    case: str
    expected: str
    found: str


@dataclass(frozen=True)
class Conformance:
    """The score of the cases in scope: `agree` in verdict and kind, `in_place` in the operation
    as well; `out_of_scope` cases are not played.  `groups` has the agreeing and all cases of each
    group, in the order of the file."""

    total: int
    agree: int
    in_place: int
    out_of_scope: int
    disagreements: tuple[Disagreement, ...]
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)


def conformance(cases: Iterable[Case]) -> Conformance:
    """Play all cases in scope and compare."""
    every = list(cases)
    played = [(case, play(case)) for case in every if case.in_scope]
    wrong = [Disagreement(c.id, wanted(c), found(c, p)) for c, p in played if differs(c, p)]
    in_place = sum(not differs(c, p) and c.fails_at in (None, p.fails_at) for c, p in played)
    out = len(every) - len(played)
    groups: dict[str, tuple[int, int]] = {}
    for case, shown in played:
        agree, total = groups.get(case.group, (0, 0))
        groups[case.group] = agree + (not differs(case, shown)), total + 1
    agree = len(played) - len(wrong)
    return Conformance(len(played), agree, in_place, out, tuple(wrong), groups)


def play(case: Case) -> Played:
    """Run the threads of a case one after another over a fresh validator."""
    validator = Validator(case.config)
    locks = {
        name: Lock(name, KINDS[k], case.keys.get(name, name)) for name, k in case.kinds.items()
    }
    fails_at = None
    for thread_number, thread in enumerate(case.threads):
        player = Player(validator, validator.context(thread.name), locks)
        for number, op in enumerate(thread.ops):
            player.context.stack = (thread.name, f"{op.name} {op.argument}".strip())
            OPERATIONS[op.name].play(player, op)
            if fails_at is None and len(validator.reports):
                fails_at = Place(thread_number, number)
    return Played(tuple(validator.reports), fails_at)


def differs(case: Case, played: Played) -> bool:
    """Whether the outcome is not the expected one."""
    return wanted(case) != found(case, played)


def wanted(case: Case) -> str:
    """The expected outcome in one word or two."""
    return _outcome(case.violation, case.reports_min)


def found(case: Case, played: Played) -> str:
    """The outcome in the same words."""
    first = played.reports[0].kind if played.reports else None
    return _outcome(first, min(len(played.reports), case.reports_min))


def _outcome(kind: str | None, reports: int) -> str:
    word = kind or "pass"
    return f"{word} and {reports} reports" if reports else word
