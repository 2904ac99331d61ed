"""Write hgeisim/drivers/explored/baselines.toml: what shipped kernels show in shipped scenarios.

    python -m benchmarks.baselines

It takes some minutes on all cores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from hgeisim.drivers.explored.baselines import PATH, entry, text_of
from hgeisim.drivers.explored.explored_scenario import unexplorable
from hgeisim.kernel.variants import BASES
from hgeisim.scenario.canonical import clean_twin
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario

VARIANTS = (*BASES, "v7.0+percpu-v5")
STATES_MAX = 5_000_000
LARGE = ("crowd", "everything")
"""Scenarios that have more states than that; nothing is recorded of them."""


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """Each scenario that is searched, with its name."""
    for name in built_in_names():
        if name in LARGE or not load_scenario(name).task:
            continue
        for variant in VARIANTS:
            scenario = load_scenario(name, {"variant": variant})
            if any(unexplorable(scenario)):
                continue
            yield name, scenario
            if twin := clean_twin(scenario):
                yield f"{name}, clean twin", twin


def searched(named: tuple[str, Scenario]) -> str:
    """Search one scenario, and return its entry."""
    name, scenario = named
    print(name, scenario.kernel.variant, file=sys.stderr)
    return entry(name, scenario, STATES_MAX)


def main() -> None:
    """Search all, and write the file."""
    with ProcessPoolExecutor() as pool:
        PATH.write_text(text_of(list(pool.map(searched, scenarios()))))


if __name__ == "__main__":
    main()
