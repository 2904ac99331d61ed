"""From a scenario file, and what the command line says instead, to a checked scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import Topology
from hgeisim.scenario.consistency import inconsistencies
from hgeisim.scenario.draft import KEYS, Draft
from hgeisim.scenario.effective import digest
from hgeisim.scenario.locate import display_name, locate, read_toml
from hgeisim.scenario.machine import topology_of
from hgeisim.scenario.mistakes import show
from hgeisim.scenario.schema import Scenario

OVERRIDES = {
    "variant": ("kernel", "variant"),
    "preemption": ("kernel", "preemption"),
    "seed": ("run", "seed"),
    "until": ("run", "until"),
}
"""Keys that the command line may replace: table and key of each option."""

VariantCheck = Callable[[str], str | None]
"""Says what is allowed instead when a variant is not known, and None when it is."""


def load_scenario(
    name_or_path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    known_variant: VariantCheck | None = None,
) -> Scenario:
    """The scenario in a file, or the built-in one of this name, with defaults filled in.

    `overrides` maps names of OVERRIDES to values as they would stand in the file; None leaves the
    file's value.  InputError holds all problems of the file and of the overrides.
    """
    path = locate(name_or_path)
    raw, given = read_toml(path), _given(overrides)
    _put(raw, given)
    try:
        return scenario_from(raw, display_name(path), path.parent, known_variant)
    except InputError as error:
        raise InputError(_blame_command_line(p, given) for p in error.problems) from error


def scenario_from(
    raw: dict[str, Any],
    file: str = "scenario",
    folder: Path = Path(),
    known_variant: VariantCheck | None = None,
) -> Scenario:
    """The scenario of a document in memory: keys and values as TOML would give them.

    `file` is how messages call it, and `folder` where its devicetree is.  InputError holds all
    problems.
    """
    draft = Draft(raw, file)
    problems = [*draft.problems, *_find_topology(draft, folder)]
    problems += [*inconsistencies(draft), *_unknown_variant(draft, known_variant)]
    if problems:
        raise InputError(problems)
    assert draft.topology is not None, "a machine without a problem has a topology"
    return _scenario(draft, draft.topology)


def _given(overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (overrides or {}).items() if value is not None}


def _put(raw: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        table, key = OVERRIDES[name]
        if isinstance(raw.setdefault(table, {}), dict):  # else the file has a problem to tell
            raw[table][key] = value


def _find_topology(draft: Draft, folder: Path) -> tuple[Problem, ...]:
    if draft.machine is None:
        return ()
    try:
        draft.topology = topology_of(draft.machine, folder, draft.file)
    except InputError as error:
        return error.problems
    return ()


def _unknown_variant(draft: Draft, known_variant: VariantCheck | None) -> list[Problem]:
    variant = _variant_of(draft)
    if variant is None or known_variant is None:
        return []
    allowed = known_variant(variant)
    return [Problem(draft.file, "kernel.variant", show(variant), allowed)] if allowed else []


def _variant_of(draft: Draft) -> str | None:
    """The variant that is meant, also where something else in [kernel] is wrong."""
    if draft.kernel is not None:
        return draft.kernel.variant
    table = draft.raw.get("kernel")
    variant = table.get("variant") if isinstance(table, dict) else None
    return variant if isinstance(variant, str) else None


def _blame_command_line(problem: Problem, given: Mapping[str, Any]) -> Problem:
    for name in given:
        if problem.where == ".".join(OVERRIDES[name]):
            return replace(problem, file="command line", where=f"--{name}")
    return problem


def _scenario(draft: Draft, topology: Topology) -> Scenario:
    parts = {name: getattr(draft, name) for name in (*KEYS, "file")}
    lists = {name: tuple(part) for name, part in parts.items() if isinstance(part, list)}
    scenario = Scenario.model_validate(parts | lists | {"topology": topology, "digest": ""})
    return scenario.model_copy(update={"digest": digest(scenario)})
