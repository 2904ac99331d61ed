"""Kernels side by side in one scenario: a base, then the patches of a series or its revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.standing import COUNTING, EASIER, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.changes import CAME, Changes, changes
from hgeisim.drivers.explored.comparison import compared
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import Counterexample
from hgeisim.kernel.variants import own_files
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.variation import on_variant


class Series:
    """The `kernels` of some variants in a scenario, the base first.

    Whether something is new is asked of the base; what has changed, of the kernel before.
    """

    def __init__(self, scenario: Scenario, variants: Iterable[str], states_max: int) -> None:
        self.scenario = scenario
        self.kernels = [Base(on_variant(scenario, each), states_max) for each in variants]

    def build(self) -> None:
        """Build the kernels.  Raises `InputError` where the scenario cannot be searched."""
        for kernel in self.kernels:
            kernel.space  # noqa: B018 - it is kept

    def search(self, progress: Progress | None = None) -> None:
        """Find out what each kernel shows, by the fewest switches, and how."""
        loops = any(own_files(each.variant) for each in self.kernels)
        for kernel in self.kernels:
            kernel.progress = progress
            kernel.shows(loops)
        for at in range(1, len(self.kernels)):
            self.kernels[at].find_ways(self._brought(at))

    @property
    def whole(self) -> bool:
        """Whether all that any kernel shows was found."""
        return all(kernel.known().whole for kernel in self.kernels)

    def standings(self, at: int) -> Mapping[str, Standing]:
        """How each finding of a kernel compares with the base."""
        return compared(self.kernels[at].known(), self.kernels[0].known())

    def counting(self, at: int) -> list[str]:
        """The ids of those that speak against the patches in a kernel."""
        found = self.standings(at).items()
        return [i for i, each in found if each.word in COUNTING and not is_note(i)]

    def changes(self, at: int) -> Changes:
        """What a kernel has changed of the one before."""
        return changes(self.kernels[at - 1].known(), self.kernels[at].known())

    def evidence(self, at: int) -> dict[str, Counterexample]:
        """A schedule for each finding that a patch has brought, or made easier, and that the base
        does not show as easily."""
        ways = self.kernels[at].ways
        return {i: ways[i] for i in self._brought(at) if i in ways}

    def _brought(self, at: int) -> list[str]:
        made, standings = self.changes(at), self.standings(at)
        brought = (i for word in (CAME, EASIER, UNKNOWN) for i in made[word])
        return [i for i in brought if standings[i].word != PRE_EXISTING]
