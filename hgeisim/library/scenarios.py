"""Scenarios, kernels and machines: what can run, loaded and listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgeisim.errors import ArgumentProblem, InputError, Problem
from hgeisim.library.arguments import check_names, wrong
from hgeisim.user_file import is_file

if TYPE_CHECKING:
    from hgeisim.machine.topology import Topology
    from hgeisim.scenario.schema import Scenario

Source = str | Path | Mapping[str, Any]
"""A scenario that is not loaded yet: the name of a built-in one, a file, or a document as a dict
with the keys and values of a file."""
Settings = Mapping[str, Any] | Sequence[str]


def load(source: Source, *, set: Settings = (), **overrides: Any) -> Scenario:  # noqa: A002 - as -s
    """Load a scenario by its name or file, or from a dict.

    `variant`, `preemption`, `until` and `seed` override it, as on the command line of `hgeisim
    run`; a variant that names files (`v7.3+path.py:Mine`) executes them.  `set` puts values at keys
    as `-s` does: `{"vm.web.vcpus": 4}`.  InputError names everything that is wrong.
    """
    from hgeisim.drivers.boot_scenario import beyond_kernel  # noqa: PLC0415
    from hgeisim.kernel.variants import find_variant, variant_problem  # noqa: PLC0415
    from hgeisim.library.own_patch import execute  # noqa: PLC0415
    from hgeisim.scenario.load import COMMAND_LINE, OVERRIDES, load_scenario  # noqa: PLC0415

    check_names("load", overrides, ("set", *OVERRIDES))
    if isinstance(variant := overrides.get("variant"), str):
        execute(variant)
    try:
        scenario = load_scenario(source, overrides, variant_problem, set)
    except InputError as error:
        raise InputError(
            _in_argument(each) if each.file == COMMAND_LINE else each for each in error.problems
        ) from error
    if problems := [*beyond_kernel(scenario, find_variant(scenario.kernel.variant))]:
        raise InputError(problems)
    return scenario


def _in_argument(problem: Problem) -> ArgumentProblem:
    """A problem of an option as one of the argument that stands for it."""
    where = problem.where.removeprefix("--")
    if where.startswith("-s"):
        where = f"set{where.removeprefix('-s')}"
    return ArgumentProblem("load", where, problem.value, problem.allowed, problem.remedy)


def loaded(
    function: str, scenario: Source | Scenario, overrides: Mapping[str, Any]
) -> tuple[str, Scenario]:
    """A scenario with the name that reports and tokens give it; loads it unless it is loaded.

    `overrides` are arguments of a function that `load` has, too.  InputError: the scenario is
    loaded already, and there are overrides.
    """
    from hgeisim.scenario.find import built_in_names  # noqa: PLC0415
    from hgeisim.scenario.schema import Scenario  # noqa: PLC0415 - loads pydantic

    given = {name: value for name, value in overrides.items() if value is not None}
    if not isinstance(scenario, Scenario):
        made = load(scenario, **given)
        return made.file if isinstance(scenario, Mapping) else str(scenario), made
    if given:
        name, value = next(iter(given.items()))
        allowed = "cannot change a scenario that is loaded"
        raise wrong((function, name), repr(value), allowed, f"give {name} to `load`")
    name = scenario.file.removesuffix(".toml")
    return name if name in built_in_names() else scenario.file, scenario


def base_of(function: str, variant: str, base: str | None) -> str | None:
    """The kernel to compare a variant with: the one that is asked for or, for a user's own patch,
    the kernel without it; else None.  InputError: there is not such a kernel."""
    from hgeisim.kernel.variants import (  # noqa: PLC0415
        own_files,
        variant_problem,
        without_last_patch,
    )
    from hgeisim.library.own_patch import execute  # noqa: PLC0415

    if base is None:
        return without_last_patch(variant) if own_files(variant) else None
    execute(base)
    if problem := variant_problem(base):
        raise wrong((function, "base"), repr(base), problem)
    return base


def scenarios() -> list[dict[str, str]]:
    """The built-in scenarios: `name`, whether it is made `for` run or explore, `title`, `look_at`.

    Those with [[task]] tables can be explored.
    """
    from hgeisim.scenario.find import built_in_names, locate, read_toml  # noqa: PLC0415

    listed = []
    for name in built_in_names():
        raw = read_toml(locate(name))
        texts = {key: str(raw.get(key, "")) for key in ("title", "look_at")}
        listed.append({"name": name, "for": "explore" if raw.get("task") else "run", **texts})
    return listed


def variants() -> dict[str, dict[str, str]]:
    """The kernels, and the patches that go on top, each with a sentence about it: by kind (bases,
    patches, bugs), then by name."""
    from hgeisim.kernel.variants import BASES, PATCHES, sentence_of  # noqa: PLC0415
    from hgeisim.kernel.variants.bugs import BUGS  # noqa: PLC0415

    tables: dict[str, Mapping[str, type]] = {"bases": BASES, "patches": PATCHES, "bugs": BUGS}
    return {
        kind: {name: sentence_of(kernel) for name, kernel in table.items()}
        for kind, table in tables.items()
    }


def topology(source: str | Path, boot_hart: int | None = None) -> Topology:
    """The HARTs of a devicetree blob (.dtb), of a scenario file (.toml) or of a built-in one.

    `boot_hart` is the hart id of the CPU that boots, of a blob or of the blob of a scenario.
    InputError: the scenario has no blob, or the blob no such CPU.
    """
    from hgeisim.scenario.find import is_bare_name  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415
    from hgeisim.scenario.topology import read_topology  # noqa: PLC0415

    path = Path(source)
    if path.suffix == ".toml" or (is_bare_name(str(source)) and not is_file(path)):
        scenario = load_scenario(source)
        if boot_hart is None:
            return scenario.topology
        if scenario.machine.devicetree is None:
            allowed = f"is for a devicetree; {source} has machine.harts, and HART 0 boots"
            raise wrong(("topology", "boot_hart"), str(boot_hart), allowed)
        return load_scenario(source, settings={"machine.boot_hart": boot_hart}).topology
    return read_topology(path, boot_hart=boot_hart)


def canonical(scenario: Source | Scenario) -> dict[str, Any]:
    """A scenario as a document with all defaults filled in and its machine written out."""
    from hgeisim.scenario.canonical import effective  # noqa: PLC0415 - loads pydantic

    return effective(loaded("canonical", scenario, {})[1])
