"""What `hgeisim explore --series` and `--revisions` do: search, compare, look at lock order."""

from __future__ import annotations

from typing import Any

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.exits import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.progress import searched_states
from hgeisim.cli.series_patches import SERIES, Patches
from hgeisim.drivers.explored.series import Series
from hgeisim.drivers.explored.series_locks import SeriesLocks
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, without_memory
from hgeisim.kernel.variants import variant_problem
from hgeisim.report.series import document
from hgeisim.report.series_lines import text
from hgeisim.scenario.clean_twin import clean_twin
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams


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


def explore(name: str, form: str, options: dict[str, Any]) -> int:
    """Explore and print; the exit status."""
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
