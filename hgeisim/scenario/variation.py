"""A scenario with another kernel than its own, or another seed."""

from __future__ import annotations

from hgeisim.scenario.effective import digest
from hgeisim.scenario.schema import Scenario


def on_variant(scenario: Scenario, variant: str) -> Scenario:
    """The same scenario with another kernel."""
    kernel = scenario.kernel.model_copy(update={"variant": variant})
    made = scenario.model_copy(update={"kernel": kernel})
    return made.model_copy(update={"digest": digest(made)})


def with_seed(scenario: Scenario, seed: int) -> Scenario:
    """The same scenario with other random numbers."""
    made = scenario.model_copy(update={"run": scenario.run.model_copy(update={"seed": seed})})
    return made.model_copy(update={"digest": digest(made)})
