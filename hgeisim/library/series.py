"""A series of patches, or revisions of one: searched kernel by kernel, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

from hgeisim.drivers.explored.series import Series, SeriesLocks
from hgeisim.drivers.explored.strategies.verdict import without_memory
from hgeisim.errors import ArgumentProblem, InputError, Problem
from hgeisim.kernel.variants import BASES, variant_problem
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_names
from hgeisim.library.how_to_search import OVERRIDES, How, Options
from hgeisim.library.own_patch import execute
from hgeisim.library.progress import SILENT, Progress
from hgeisim.library.scenarios import Source, loaded
from hgeisim.report.grid import Grid
from hgeisim.report.series import document, text
from hgeisim.scenario.canonical import clean_twin
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

SERIES, REVISIONS = "series", "revisions"
PATCHES_MIN = 2


@dataclass(frozen=True)
class Patches:
    """Some `patches` for a `base`: one on top of the other, or each alone on it."""

    form: str
    base: str
    patches: Sequence[str]

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
            alone = self.patches[0] if self.patches else ""
            remedy = f"a patch alone: --variant {self.base}+{alone} --base {self.base}"
            yield self._problem(alone, "needs two patches or more", remedy)
        for patch in dict.fromkeys(self.patches):
            if self.patches.count(patch) > 1:
                yield self._problem(patch, "is named twice", "name each patch once")

    def _wrong_with(self, variant: str, patch: str) -> Iterator[Problem]:
        """The problems of a kernel whose last patch is `patch`."""
        try:
            execute(variant)
        except InputError as error:
            yield from error.problems
            return
        if problem := variant_problem(variant):
            yield self._problem(patch, problem, self._remedy(patch))

    def _remedy(self, patch: str) -> str:
        """The remedy for a patch that does not go on those before it."""
        if patch.partition("+")[0] in BASES:
            return f"name patches only; the base is {self.base}, --variant names another"
        if not variant_problem(f"{self.base}+{patch}"):
            return "compare revisions of one patch with --revisions"
        bare = self.base.partition("+")[0]
        if not variant_problem(f"{bare}+{patch}"):
            return f"the patches go on {self.base}: name another base, --variant {bare}"
        return ""

    def _problem(self, patch: str, allowed: str, remedy: str) -> Problem:
        return ArgumentProblem("series", self.form, repr(patch), allowed, remedy)


class SeriesExploration(Answer):
    """A scenario with several kernels, searched one after the other.

    `locks` is None until the searches are done; `stopped` is what ended it early, if anything did.
    """

    def __init__(self, name: str, scenario: Scenario, patches: Patches, states_max: int) -> None:
        self.name, self.patches, variants = name, patches, patches.variants()
        self.series, twin = Series(scenario, variants, states_max), clean_twin(scenario)
        self.twin = Series(twin, variants, states_max) if twin is not None else None
        self.locks: SeriesLocks | None = None
        self.stopped: BaseException | None = None

    def explore(self, progress: Progress) -> None:
        """Do all of it; whatever stops this takes away nothing that was found."""
        self.series.build()
        try:
            with progress.searching("exploring") as reached:
                self.series.search(reached)
                if self.twin is not None:
                    self.twin.search(reached)
            self._look_at_locks()
        except BaseException as error:  # noqa: BLE001 - the caller may raise it again
            self.stopped = without_memory(error)

    def _look_at_locks(self) -> None:
        """Lock order along what the patches have brought, and some random schedules."""
        kernels, seed = self.series.kernels, self.series.scenario.run.seed
        found = (self.series.evidence(at) for at in range(1, len(kernels)))
        given = [each.schedule for ways in found for each in ways.values()]
        locks = SeriesLocks(kernels)
        locks.learn(given, (Streams(seed).stream("lock-order").below for _ in kernels))
        self.locks = locks

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim explore --series`."""
        stacked = self.patches.form == SERIES
        return document(self.name, self, [*self.patches.patches], stacked=stacked)

    def __str__(self) -> str:
        """The text of `hgeisim explore --series`."""
        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        rows = [
            (kernel["variant"], ", ".join(f["id"] for f in kernel["findings"]) or "no finding")
            for kernel in self.document["kernels"]
        ]
        return Grid(("kernel", "findings"), rows)

    @property
    def _headline(self) -> str:
        kernels = " | ".join([self.patches.base, *self.patches.patches])
        found = self.document
        return (
            f"{self.name}, {self.patches.form} {kernels}: {found['verdict']}, {found['coverage']}"
        )


def series(
    scenario: Source | Scenario,
    patches: Sequence[str],
    *,
    stacked: bool = True,
    progress: Progress = SILENT,
    **options: Unpack[Options],
) -> SeriesExploration:
    """Search a scenario with several patches, and compare the kernels.

    The patches are `stacked`, one on top of the other, or each goes alone on the base, as revisions
    do.  `variant` names the base; `preemption`, `seed` and `states` are as in `explore`.
    """
    check_names("series", options, (*OVERRIDES, "states"))
    overrides = {name: value for name, value in options.items() if name in OVERRIDES}
    name, made = loaded("series", scenario, overrides)
    given = Patches(SERIES if stacked else REVISIONS, made.kernel.variant, patches)
    exploration = SeriesExploration(name, made, given, options.get("states", How.states))
    exploration.explore(progress)
    return exploration
