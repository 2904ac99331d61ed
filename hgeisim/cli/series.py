"""`hgeisim explore --series` and `--revisions`: several patches, searched and compared.

First come the patches and the kernels that they make, then their search with lock order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from hgeisim.cli.console import print_json, searched_states
from hgeisim.cli.own_patch import execute
from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.drivers.explored.series import Series, SeriesLocks
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, without_memory
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import BASES, variant_problem
from hgeisim.report.series import document, text
from hgeisim.scenario.canonical import clean_twin
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

SERIES, REVISIONS = "series", "revisions"
SEARCHED = ("strategy", "walk", "steps", "seconds", "memory", "after")
ALONE = ("base", *SEARCHED, "races", "first", "mail", "finding", "full", "strict")
"""Options that are for a single kernel."""
PATCHES_MIN = 2


@dataclass(frozen=True)
class Patches:
    """Some `patches` for a `base`: one on top of the other, or each alone on it."""

    form: str
    base: str
    patches: Sequence[str]

    @property
    def option(self) -> str:
        """The option that names them."""
        return f"--{self.form}"

    def variants(self) -> list[str]:
        """The kernels, the base first; executes the files that are named.

        Raises `InputError` with whatever is wrong with any of them.
        """
        problems, made = list(self._problems()), [self.base]
        for patch in dict.fromkeys(self.patches):
            variant = f"{made[-1] if self.form == SERIES else self.base}+{patch}"
            wrong = list(self._wrong_with(variant, patch))
            problems += wrong
            if not wrong:
                made.append(variant)
        if problems:
            raise InputError(problems)
        return made

    def _problems(self) -> Iterator[Problem]:
        if len(self.patches) < PATCHES_MIN:
            remedy = f"a patch alone: --variant {self.base}+{self.patches[0]} --base {self.base}"
            yield self._problem(self.patches[0], "needs two patches or more", remedy)
        for patch in dict.fromkeys(self.patches):
            if self.patches.count(patch) > 1:
                yield self._problem(patch, "is named twice", "name each patch once")

    def _wrong_with(self, variant: str, patch: str) -> Iterator[Problem]:
        """What is wrong with a kernel, of which a patch comes last."""
        try:
            execute(variant)
        except InputError as error:
            yield from error.problems
            return
        if problem := variant_problem(variant):
            yield self._problem(patch, problem, self._remedy(patch))

    def _remedy(self, patch: str) -> str:
        """What to do with a patch that does not go on those before it."""
        if patch.partition("+")[0] in BASES:
            return f"name patches only; the base is {self.base}, --variant names another"
        if not variant_problem(f"{self.base}+{patch}"):
            return "compare revisions of one patch with --revisions"
        bare = self.base.partition("+")[0]
        if not variant_problem(f"{bare}+{patch}"):
            return f"the patches go on {self.base}: name another base, --variant {bare}"
        return ""

    def _problem(self, patch: str, allowed: str, remedy: str) -> Problem:
        return Problem("command line", self.option, repr(patch), allowed, remedy)


def form_of(options: dict[str, Any]) -> str:
    """Whether a series or revisions are asked for; "" where neither is.

    Raises `InputError` where other options do not go with it.
    """
    forms = [form for form in (SERIES, REVISIONS) if options[form]]
    others = [name for name in ALONE if options[name]]
    if len(forms) > 1:
        allowed = "does not go with --series"
        remedy = "--series stacks the patches, --revisions puts each alone on the base"
        raise InputError([Problem("command line", "--revisions", "", allowed, remedy)])
    if forms and others:
        allowed, remedy = f"does not go with --{forms[0]}", "leave it out, or explore one kernel"
        raise InputError([_given(name, options[name], allowed, remedy) for name in others])
    return forms[0] if forms else ""


def _given(name: str, value: Any, allowed: str, remedy: str) -> Problem:
    shown = "" if value is True else repr(value)
    return Problem("command line", f"--{name}", shown, allowed, remedy)


class SeriesExploration:
    """A scenario with several kernels, searched one after the other.

    `locks` is None until the searches are done; `stopped` is what ended it early, if anything did.
    """

    def __init__(self, scenario: Scenario, variants: list[str], states_max: int) -> None:
        self.series, twin = Series(scenario, variants, states_max), clean_twin(scenario)
        self.twin = Series(twin, variants, states_max) if twin is not None else None
        self.locks: SeriesLocks | None = None
        self.stopped: BaseException | None = None

    def explore(self) -> None:
        """Do all of it; whatever stops this takes away nothing that was found."""
        self.series.build()
        try:
            with searched_states("exploring") as progress:
                self.series.search(progress)
                if self.twin is not None:
                    self.twin.search(progress)
            self._look_at_locks()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.stopped = without_memory(error)

    def _look_at_locks(self) -> None:
        """Lock order along what the patches have brought, and some random schedules."""
        kernels, seed = self.series.kernels, self.series.scenario.run.seed
        found = (self.series.evidence(at) for at in range(1, len(kernels)))
        given = [each.schedule for ways in found for each in ways.values()]
        locks = SeriesLocks(kernels)
        locks.learn(given, (Streams(seed).stream("lock-order").below for _ in kernels))
        self.locks = locks


def explore(name: str, options: dict[str, Any]) -> int:
    """Explore and print; the exit status."""
    form = form_of(options)
    overrides = {name: options[name] for name in ("variant", "preemption", "seed")}
    scenario = load_scenario(name, overrides, variant_problem)
    patches = Patches(form, scenario.kernel.variant, options[form])
    made = SeriesExploration(scenario, patches.variants(), options["states"])
    made.explore()
    result = document(name, made, [*patches.patches], stacked=form == SERIES)
    if options["as_json"]:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))
    if made.stopped is not None:
        raise made.stopped
    if result["verdict"] == "violation":
        return EXIT_FINDING
    return EXIT_BUDGET if result["coverage"] == BOUNDED else EXIT_NOTHING_NEW
