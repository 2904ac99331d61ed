"""Write docs/power.md: how many planted faults the searches of all scenarios notice together.

    python -m benchmarks.power [MINUTES]

The faults stand in the functions of aia.c, aia_imsic.c and of the series, as in v7.2.  Scenarios
come in the order of their states; a fault that one of them has noticed is not tried in the next.
Each survivor is argued in survivors.toml, whose keys are as the page lists them.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.baselines import LARGE
from hgeisim.drivers.explored.explored_scenario import unexplorable
from hgeisim.drivers.explored.power import Power
from hgeisim.drivers.power.planting import DROP, Fault
from hgeisim.drivers.power.trials import (
    NO_EFFECT,
    NO_KERNEL,
    NOTICED,
    SURVIVED,
    UNFINISHED,
    Outcome,
)
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/power.md"
SURVIVORS = Path(__file__).with_name("survivors.toml")
VARIANT = "v7.0+percpu-v5"
STATES_MAX = 1_000_000
MINUTES = 60.0
BEST = (NOTICED, SURVIVED, UNFINISHED, NO_EFFECT, NO_KERNEL)
"""What counts of several scenarios."""


class Row(NamedTuple):
    """A scenario: its states, how many faults it reaches, how many were tried, how many of those
    it noticed."""

    name: str
    states: int
    reached: int
    tried: int
    noticed: int


class Library:
    """All scenarios, one after the other; `best` has the best outcome of each fault."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.best: dict[int, Outcome] = {}
        self.faults: list[Fault] = []

    def measure(self, seconds: float) -> None:
        """Try the faults of all scenarios, up to a number of CPU seconds."""
        made = []
        for name in built_in_names():
            scenario = load_scenario(name, {"variant": VARIANT})
            if name in LARGE or any(unexplorable(scenario)):
                continue
            power = Power(scenario, STATES_MAX)
            power.search()
            made.append((power.verdict.states, name, power))
        for _, name, power in sorted(made, key=lambda each: each[:2]):
            self.faults = power.faults
            self._measure_one(name, power, seconds)
            print(self.rows[-1], file=sys.stderr, flush=True)

    def _measure_one(self, name: str, power: Power, seconds: float) -> None:
        power.passed_over = frozenset(self.noticed())
        jobs = os.cpu_count() or 1
        power.measure(seconds, jobs)
        power.measure_boot(seconds, jobs)
        for outcome in power.outcomes:
            self.keep(outcome)
        words = [outcome.word for outcome in power.outcomes]
        tried, noticed = len(words), words.count(NOTICED)
        reached = len(power.reached) + len(power.at_boot)
        self.rows.append(Row(name, power.verdict.states, reached, tried, noticed))

    def keep(self, outcome: Outcome) -> None:
        """Keep the outcome of a fault in a scenario, if it is the best so far."""
        known = self.best.get(outcome.fault.number)
        if known is None or BEST.index(outcome.word) < BEST.index(known.word):
            self.best[outcome.fault.number] = outcome

    def noticed(self) -> Iterator[int]:
        """The numbers of the faults that were noticed."""
        return (number for number, outcome in self.best.items() if outcome.word == NOTICED)

    def outcomes(self, *words: str) -> list[Outcome]:
        """The faults that came to one of these."""
        best = (self.best[number] for number in sorted(self.best))
        return [outcome for outcome in best if outcome.word in words]


def key_of(fault: Fault) -> str:
    """The name of a fault, whatever its line."""
    return f"{fault.function}: {fault.operator} {fault.text}"


TEXT = """\
# What a verdict is worth

`make power` writes this page. It breaks the functions of aia.c, aia_imsic.c and of the per-HART
series ({variant}, as in v7.2) and searches the scenarios that come with hgeisim. A fault counts as
noticed if a search shows a finding that the kernel does not show, or one in fewer switches of
context, or if it is vacuous. What stands for no statement in C (steps, what a HART does by itself,
what a stack forgets) is not planted. Faults that leave no program, and faults that change no
answer of any step, or no state, step or end, are counted apart, by machine.

* planted: {planted}: a statement left out, a lock with its unlocks left out, a bound off by one, a
  condition inverted
* reached by no scenario: {missed}
* no kernel: {no_kernel}; no effect: {no_effect}
* **noticed: {noticed} of {effect}** with an effect, {percent:.1f} %

`hgeisim explore SCENARIO --power` measures one scenario, of your own too.

| scenario | states | reached | tried | noticed |
|---|---|---|---|---|
{rows}

Scenarios are in the order of their states; what one has noticed is not tried in the next.

| functions of | planted | not reached | no kernel | no effect | noticed | not noticed |
|---|---|---|---|---|---|---|
{files}

## What is not noticed

{survivors}

## Statements of the series

Each statement that is left out in a function of the series itself: {series}.

| function | left out | outcome | by |
|---|---|---|---|
{statements}
"""


def page(library: Library, reasons: dict[str, str]) -> str:
    """The text of the page."""
    noticed, survived = library.outcomes(NOTICED), library.outcomes(SURVIVED, UNFINISHED)
    effect = len(noticed) + len(survived)
    return TEXT.format(
        variant=VARIANT,
        planted=len(library.faults),
        missed=len(library.faults) - len(library.best),
        no_kernel=len(library.outcomes(NO_KERNEL)),
        no_effect=len(library.outcomes(NO_EFFECT)),
        noticed=len(noticed),
        effect=effect,
        percent=100 * len(noticed) / effect,
        files="\n".join(_files(library)),
        rows="\n".join(_row(row) for row in library.rows),
        series=_counted(library),
        statements="\n".join(_statements(library)),
        survivors="\n".join(_survivor(each.fault, reasons) for each in survived),
    )


def _row(row: Row) -> str:
    return f"| {row.name} | {row.states:,} | {row.reached} | {row.tried} | {row.noticed} |"


def _files(library: Library) -> Iterator[str]:
    """The outcome of the faults of each file."""
    words: dict[str, Counter[str]] = {}
    for fault in library.faults:
        best = library.best.get(fault.number)
        words.setdefault(fault.file, Counter())[best.word if best else ""] += 1
    for file, counts in sorted(words.items()):
        missed = counts[SURVIVED] + counts[UNFINISHED]
        kinds = (counts[""], counts[NO_KERNEL], counts[NO_EFFECT], counts[NOTICED], missed)
        yield f"| {file} | {sum(counts.values())} | {' | '.join(map(str, kinds))} |"


def _of_the_series(library: Library) -> Iterator[tuple[Fault, str, str]]:
    """The statements left out in its functions, what became of each, and what showed it."""
    for fault in library.faults:
        if fault.operator == DROP and fault.file.startswith("percpu_"):
            best = library.best.get(fault.number)
            yield fault, best.word if best else "not reached", best.what if best else ""


def _counted(library: Library) -> str:
    counts = Counter(word for _, word, _ in _of_the_series(library))
    outcomes = ", ".join(f"{number} {word}" for word, number in counts.most_common())
    return f"{counts.total()}: {outcomes}" if outcomes else "0"


def _statements(library: Library) -> Iterator[str]:
    for fault, word, what in _of_the_series(library):
        by = f"`{what}`" if word == NOTICED and " " not in what else what
        yield f"| `{fault.function}` | `{fault.text}` | {word} | {by} |"


def _survivor(fault: Fault, reasons: dict[str, str]) -> str:
    why = reasons.get(key_of(fault), "**not argued yet**")
    return f"* {fault.file}, `{fault.function}`, {fault.operator} `{fault.text}`: {why}"


def main() -> None:
    """Measure, and write the page."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    library = Library()
    library.measure(60 * minutes * (os.cpu_count() or 1))
    reasons = tomllib.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    PAGE.write_text(page(library, reasons))
    for outcome in library.outcomes(SURVIVED, UNFINISHED):
        if key_of(outcome.fault) not in reasons:
            print("not argued:", outcome.fault, outcome.what)


if __name__ == "__main__":
    main()
