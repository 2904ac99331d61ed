"""The answers of checks/known.toml, for every finding it names in every variant in use."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from string import ascii_letters

from hgeisim.checks.known import entries, known
from hgeisim.checks.known_entry import Known
from hgeisim.kernel.variants import BASES, PATCHES, variant_problem
from tests.golden import check_golden

OWN_PATCHES = (
    "v6.12+x.py:Y",
    "v6.16+x.py:Y",
    "v7.1+x.py:Y",
    "v6.12+percpu-v2+x.py:Y",
    "v6.12+x.py:Y+percpu-v2-lock-init",
    "v6.18+percpu-v5+x.py:Y",
    "v6.12+percpu-v2.py:Y",
)
NEIGHBOURS = ("leak:hge", "leak:hgei2", "deadlock", "wait-context:imsic->vsfile_lock", "new:one")
"""Ids that are almost those of an entry."""


def variants() -> Iterator[str]:
    """Every base with every stack of patches that may be named, and with own patches."""
    stacks = [stack for length in range(4) for stack in permutations(PATCHES, length)]
    for base in BASES:
        names = ("+".join((base, *stack)) for stack in stacks)
        yield from (name for name in names if variant_problem(name) is None)
    yield from OWN_PATCHES


class Legend:
    """A letter for each answer."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {"new": "."}

    def letter(self, entry: Known | None) -> str:
        """The letter of an entry's name, whether it is accepted, and its reason."""
        grade = "accepted: " if entry and entry.accepted else ""
        answer = f"{entry.name}, {grade}{entry.reason}" if entry else "new"
        return self.letters.setdefault(answer, ascii_letters[len(self.letters) - 1])


def matrix() -> Iterator[str]:
    """For each model of preemption a row for each finding, with a letter for each variant."""
    legend, columns = Legend(), list(variants())
    findings = sorted({finding for entry in entries() for finding in entry.ids}) + list(NEIGHBOURS)
    yield from (f"column {number}: {variant}" for number, variant in enumerate(columns, 1))
    for realtime in (False, True):
        yield f"\npreemption {'rt' if realtime else 'full'}"
        for finding in findings:
            row = "".join(legend.letter(known(finding, each, realtime)) for each in columns)
            yield f"{row} {finding}"
    yield ""
    yield from (f"{letter}: {answer}" for answer, letter in legend.letters.items())


def test_every_finding_in_every_variant() -> None:
    check_golden("known-answers", "\n".join(matrix()) + "\n")
