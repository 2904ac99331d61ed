"""Recorded baselines: the findings of shipped kernels in shipped scenarios, from `make baselines`.

An entry is found by the digest of what a search depends on, so it serves any file with the same
scenario.  All entries come from one version of the model; another version does not use them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import Bounds
from hgeisim.checks.known import known
from hgeisim.drivers.explored.comparison import Shown
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.explored_scenario import explored_digest, space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches
from hgeisim.drivers.explored.strategies.levels import Wish
from hgeisim.drivers.explored.strategies.verdict import Counterexample
from hgeisim.kernel.variants import own_files
from hgeisim.scenario.schema import Scenario

PATH = Path(__file__).with_name("baselines.toml")
PACKAGE = Path(__file__).parents[2]
MODEL = (
    *("machine", "kernel", "checks", "watch", "drivers/explored/model"),
    *("drivers/run_to_end.py", "drivers/path_failure.py", "drivers/boot_scenario.py"),
    "drivers/explored/explored_scenario.py",
    "drivers/explored/strategies/context_bounding.py",
)
"""The sources on which the numbers depend, besides the scenario."""
HEAD = """\
# The fewest switches with which shipped kernels show each finding in shipped scenarios and in their
# clean twins.  `make baselines` writes it.  `model` is the digest of the sources that it was made
# with; with others, nothing here is used.
"""


def recorded(scenario: Scenario, path: Path = PATH) -> Shown | None:
    """The recorded findings of a kernel in a scenario; None if there is no record."""
    if own_files(scenario.kernel.variant):
        return None
    numbers = _entries(path).get(explored_digest(scenario))
    if numbers is None:
        return None
    return Shown({i: Bounds(number, number) for i, number in numbers.items()}, None)


@cache
def _entries(path: Path) -> dict[str, dict[str, int]]:
    document = read(path)
    if document.get("model") != model_digest():
        return {}
    return {each["digest"]: each["switches"] for each in document["search"]}


def read(path: Path = PATH) -> dict[str, Any]:
    """The document at a path, empty if there is none."""
    return tomllib.loads(path.read_text()) if path.exists() else {}


def model_digest() -> str:
    """The digest of the sources on which the numbers depend."""
    made = blake2b(digest_size=8)
    for part in MODEL:
        place = PACKAGE / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            made.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode())
            made.update(file.read_bytes())
    return made.hexdigest()


def entry(name: str, scenario: Scenario, states_max: int) -> str:
    """Search a scenario, and return the entry as text, which names for each finding the known entry
    with its cause.  Raises `ValueError` if the states are spent."""
    space = space_of(scenario)
    made = fewest_switches(space, states_max, Wish(loops=True))
    if made.levels is not None:
        raise ValueError(f"{name} on {scenario.kernel.variant} has more than {states_max} states")
    lines = [
        f'"{i}" = {way.switches}  # {_name(space, way, i)}' for i, way in sorted(made.ways.items())
    ]
    head = f'[[search]]\nscenario = "{name}"\nvariant = "{scenario.kernel.variant}"\n'
    key = f'digest = "{explored_digest(scenario)}"\n\n[search.switches]\n'
    return head + key + "".join(f"{line}\n" for line in lines)


def _name(space: Space, way: Counterexample, finding_id: str) -> str:
    k, cause = space.system.k, cause_of(space, way.schedule, finding_id)
    entry = known(finding_id, k.name, k.realtime, cause)
    return entry.name if entry else "a note" if is_note(finding_id) else "new"


def text_of(entries: Iterable[str]) -> str:
    """The whole file."""
    return "\n".join([HEAD + f'\nmodel = "{model_digest()}"\n', *entries])
