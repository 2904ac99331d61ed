"""Power: plant faults in a kernel, and see how many a search or some runs would notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_names, wrong
from hgeisim.library.how_to_search import OVERRIDES, How
from hgeisim.library.scenarios import Source, loaded
from hgeisim.report.grid import Grid

if TYPE_CHECKING:
    from hgeisim.scenario.schema import Scenario

SECONDS = 60.0
"""CPU seconds that it takes if nothing else is said."""


@dataclass(frozen=True, repr=False)
class Noticed(Answer):
    """The faults that were planted, and which of them were noticed."""

    document: dict[str, Any]

    def __str__(self) -> str:
        """The text of `--power`."""
        from hgeisim.report.power import text  # noqa: PLC0415

        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        faults = self.document["faults"]
        rows = [
            (each["function"], f"{each['file']}:{each['line']}", each["operator"])
            for each in faults
        ]
        return Grid(("function", "place", "fault"), rows)

    @property
    def _headline(self) -> str:
        facts = self.document
        tried = f"{facts['planted']} faults, {facts['tried']} tried"
        return f"power, {facts['scenario']} on {facts['variant']}: {tried}"


def power(
    scenario: Source | Scenario,
    *,
    in_time: bool = False,
    seconds: float | None = None,
    states: int = How.states,
    name: str | None = None,
    **overrides: Any,
) -> Noticed:
    """Plant faults, each in a kernel of its own, and search each, or run each `in_time`.

    It takes 60 seconds of CPU, or `seconds`; a search is given up after `states` states.
    `name` is what the report calls the scenario; `variant`, `preemption` and `seed` are as in
    `load`.
    """
    check_names("power", overrides, OVERRIDES)
    file, made = loaded("power", scenario, overrides)
    if in_time:
        return _of_runs(name or file, made, seconds or SECONDS)
    return _of_a_search(name or file, made, seconds or SECONDS, states)


def _of_a_search(name: str, scenario: Scenario, seconds: float, states: int) -> Noticed:
    from hgeisim.drivers.explored.power import Power  # noqa: PLC0415
    from hgeisim.report.power import document  # noqa: PLC0415

    made = Power(scenario, states)
    made.search()
    made.measure(seconds)
    return Noticed(document(name, made))


def _of_runs(name: str, scenario: Scenario, seconds: float) -> Noticed:
    from hgeisim.drivers.timed.power import RunPower  # noqa: PLC0415
    from hgeisim.report.power import run_document  # noqa: PLC0415

    made = RunPower(scenario)
    if not made.run(seconds):
        allowed = "is not enough: half of it has to suffice for six runs without a fault"
        remedy = "give it more, or simulate less with --until"
        raise wrong(("power", "seconds"), f"{seconds:g}", allowed, remedy)
    if made.broken_already:
        allowed = f"shows {', '.join(made.broken_already)} without any fault"
        raise wrong(("power", "power"), "", allowed, "mend the patch first")
    made.measure(seconds)
    return Noticed(run_document(name, made))
