"""From a scenario file, and what the command line says instead, to a checked scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, ModelError, Problem
from hgeisim.machine.topology import Topology
from hgeisim.scenario.consistency import inconsistencies
from hgeisim.scenario.draft import KEYS, Draft
from hgeisim.scenario.effective import digest
from hgeisim.scenario.locate import display_name, locate, read_toml
from hgeisim.scenario.machine import topology_of
from hgeisim.scenario.mistakes import show
from hgeisim.scenario.override import Override, blame, parse_setting, put
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
    settings: Sequence[str] = (),
) -> Scenario:
    """The scenario in a file, or the built-in one of this name, with defaults filled in.

    `overrides` maps names of OVERRIDES to values as they would stand in the file; None leaves the
    file's value.  `settings` are texts `KEY=VALUE`, of which the last counts.  InputError holds all
    problems of the file and of both.
    """
    path = locate(name_or_path)
    raw = read_toml(path)
    placed, problems = _put_all(raw, settings, overrides or {})
    try:
        scenario = scenario_from(raw, display_name(path), path.parent, known_variant)
    except InputError as error:
        told = [*problems, *(blame(problem, placed) for problem in error.problems)]
        raise InputError(told) from error
    if problems:
        raise InputError(problems)
    return scenario


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
    if draft.topology is None:
        raise ModelError("a machine without a problem has a topology")
    return _scenario(draft, draft.topology)


def _put_all(
    raw: dict[str, Any], settings: Sequence[str], overrides: Mapping[str, Any]
) -> tuple[dict[str, Override], list[Problem]]:
    """Put everything that the command line says into a document: what stands where, and what could
    not be put."""
    placed: dict[str, Override] = {}
    problems: list[Problem] = []
    for text in settings:
        try:
            override = parse_setting(text)
            placed[put(raw, override)] = override
        except InputError as error:
            problems += error.problems
    for name, value in overrides.items():
        table, key = OVERRIDES[name]
        if value is not None and isinstance(raw.setdefault(table, {}), dict):
            raw[table][key] = value  # else the file has a problem to tell
            placed[f"{table}.{key}"] = Override(f"--{name}", (table, key), value)
    return placed, problems


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
        named: str = draft.kernel.variant
        return named
    table = draft.raw.get("kernel")
    variant = table.get("variant") if isinstance(table, dict) else None
    return variant if isinstance(variant, str) else None


def _scenario(draft: Draft, topology: Topology) -> Scenario:
    parts = {name: getattr(draft, name) for name in (*KEYS, "file")}
    lists = {name: tuple(part) for name, part in parts.items() if isinstance(part, list)}
    scenario = Scenario.model_validate(parts | lists | {"topology": topology, "digest": ""})
    return scenario.model_copy(update={"digest": digest(scenario)})
