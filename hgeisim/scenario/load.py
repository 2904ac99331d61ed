"""Loading a scenario: from a file and the command line to a checked scenario.

The command line may replace any value: `-s vm.web.vcpus=4`, `--until 5ms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hgeisim.document import toml_of
from hgeisim.errors import InputError, ModelError, Problem, did_you_mean
from hgeisim.scenario.canonical import digest, hart_groups
from hgeisim.scenario.consistency import inconsistencies
from hgeisim.scenario.find import display_name, locate, read_toml
from hgeisim.scenario.messages import show
from hgeisim.scenario.parse import KEYS, Draft
from hgeisim.scenario.schema import TABLES, Machine, Scenario
from hgeisim.scenario.table import Table
from hgeisim.scenario.topology import topology_of

COMMAND_LINE = "command line"
SINGLE: dict[str, type[Table]] = {k: kind.model for k, kind in TABLES.items() if not kind.many}
"""The tables that occur only once in a file."""
_KEY = re.compile(r"[A-Za-z0-9_/-]+(?:\.[A-Za-z0-9_/-]+|\[\d{1,5}\])*")


@dataclass(frozen=True)
class Override:
    """A value, and its place in the file: keys, and numbers or names of entries.

    `option` is the place as the user wrote it.
    """

    option: str
    path: tuple[str | int, ...]
    value: Any


def parse_setting(text: str) -> Override:
    """Read `KEY=VALUE`, see `parse_value`; InputError if the text has another form."""
    key, equals, value = text.partition("=")
    if not equals:
        raise _no_setting(text)
    return setting(key.strip(), parse_value(value.strip()))


def setting(key: str, value: Any) -> Override:
    """A value for a key as `-s` takes it; InputError when that is not a key."""
    if not _KEY.fullmatch(key):
        raise _no_setting(f"{key}={value}")
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", key)
    path = tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
    return Override(f"-s {key}", path, value)


def _no_setting(text: str) -> InputError:
    allowed = "must be KEY=VALUE, such as run.until=5ms, vm.web.vcpus=4 or 'hotplug[0].hart=1'"
    return InputError([Problem(COMMAND_LINE, "-s", show(text), allowed)])


def parse_value(text: str) -> Any:
    """Read a value as TOML would; anything that is not TOML (`5ms`, `auto`) is a text."""
    try:
        document = toml_of(f"value = {text}", COMMAND_LINE)
    except InputError:
        return text
    return document["value"] if document.keys() == {"value"} else text


def put(raw: dict[str, Any], override: Override) -> str:
    """Put a value at its place in a document; returns the place as problems name it (`vm[0].run`).

    InputError if the place does not exist.  The last key is not checked: validation does that.
    """
    first, *rest = override.path
    if first not in KEYS:
        raise InputError([_no_such_key(raw, override)])
    node: Any = raw
    where = str(first)
    key: str | int = str(first)
    for at, part in enumerate(rest):
        if isinstance(node, dict):
            node.setdefault(key, [] if str(part).isdecimal() or part == ALL else {})
        node = node[key]
        if part == ALL and _is_list_without(part, node) and node:
            path = override.path
            for i in range(len(node)):
                put(raw, replace(override, path=(*path[: at + 1], i, *path[at + 2 :])))
            return where
        key = _key_in(node, part, override)
        where += f"[{key}]" if isinstance(key, int) else f".{key}"
    node[key] = override.value
    return where


ALL = "all"
"""In place of a name or a number: every entry of a list, as in machine.harts.all.guest_files."""


def _is_list_without(name: str | int, node: Any) -> bool:
    """Whether it is a list in which no entry has that name."""
    entries = node if isinstance(node, list) else [{"name": name}]
    return not any(isinstance(entry, dict) and entry.get("name") == name for entry in entries)


def _write_machine_out(raw: dict[str, Any], folder: Path, file: str) -> None:
    """Put the HARTs of a devicetree into the document, so that they can be changed.

    InputError: the devicetree cannot be used.  Another mistake in the table is left to be found.
    """
    try:
        machine = Machine.model_validate(raw["machine"])
    except ValueError:
        return
    topology = topology_of(machine, folder, file)
    harts = [
        {"count": count, "guest_files": hart.guest_files, "imsic": hart.imsic}
        | ({} if hart.geilen is None else {"geilen": hart.geilen})
        for _, count, hart in hart_groups(topology)
    ]
    kept = {key: raw["machine"][key] for key in ("offline",) if key in raw["machine"]}
    raw["machine"] = kept | {"harts": harts}


def _key_in(node: Any, part: str | int, override: Override) -> str | int:
    """The key, or the number of the entry, that a part of the path means inside a value."""
    if isinstance(node, dict) and isinstance(part, str):
        return part
    if not isinstance(node, list):
        raise _problem(override, f"must name an existing place; {show(node)} has no {show(part)}")
    if isinstance(part, int):
        if part < len(node):
            return part
        last = f"the last is {len(node) - 1}" if node else "the list is empty"
        raise _problem(override, f"entry {part} does not exist; {last}")
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in node]
    if part in names:
        return names.index(part)
    if part.isdecimal():
        return _key_in(node, int(part), override)
    known = [name for name in names if isinstance(name, str)]
    allowed = f"{show(part)} must be the name of an entry: {', '.join(known) or 'none has one'}"
    raise _problem(override, allowed, did_you_mean(part, known))


def _problem(override: Override, allowed: str, remedy: str = "") -> InputError:
    place = Problem(COMMAND_LINE, override.option, show(override.value), allowed, remedy)
    return InputError([place])


def _no_such_key(raw: dict[str, Any], override: Override) -> Problem:
    known = list(dict.fromkeys([*places(raw), *KEYS]))
    last, text = str(override.path[-1]), override.option.removeprefix("-s ")
    same = [place for place in known if place.rpartition(".")[2] == last]
    remedy = f"did you mean {same[0]}?" if same else did_you_mean(text, known)
    allowed = "is not a key of a scenario"
    if not remedy:
        allowed += f"; its keys begin with {', '.join(KEYS)}"
    return Problem(COMMAND_LINE, override.option, show(override.value), allowed, remedy)


def places(raw: dict[str, Any]) -> Iterator[str]:
    """The places of a scenario: the keys of its tables, given or not, and those of its lists."""
    for key, table in SINGLE.items():
        yield from (f"{key}.{name}" for name in table.model_fields)
    for key, entries in raw.items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield from (f"{key}.{entry['name']}.{name}" for name in entry)


def blame(problem: Problem, placed: dict[str, Override]) -> Problem:
    """A problem at an overridden place as one of the command line; other problems stay.

    `placed` has the override of each place.
    """
    for place, override in placed.items():
        rest = problem.where.removeprefix(place)
        if problem.where.startswith(place) and rest[:1] in ("", ".", "["):
            return replace(problem, file=COMMAND_LINE, where=override.option + rest)
    return problem


OVERRIDES = {
    "variant": ("kernel", "variant"),
    "preemption": ("kernel", "preemption"),
    "seed": ("run", "seed"),
    "until": ("run", "until"),
}
"""The table and the key that each option of the command line replaces."""

VariantCheck = Callable[[str], str | None]
"""A check of a variant: None if it is known, else the variants that are allowed."""


Settings = Sequence[str] | Mapping[str, Any]
"""Values for keys: texts `KEY=VALUE`, where the last one counts, or values by their keys."""


def load_scenario(
    source: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    known_variant: VariantCheck | None = None,
    settings: Settings = (),
) -> Scenario:
    """The scenario in a file, the built-in one of this name, or that of a document in memory, with
    defaults filled in.

    `overrides` maps names of OVERRIDES to values as they would stand in the file; None leaves the
    file's value.  InputError holds all problems of the file, of the overrides and of the settings.
    """
    if isinstance(source, Mapping):
        raw, file, folder = deepcopy(dict(source)), "scenario", Path()
    else:
        path = locate(source)
        raw, file, folder = read_toml(path), display_name(path), path.parent
    if _changes_harts(settings) and "devicetree" in (raw.get("machine") or {}):
        _write_machine_out(raw, folder, file)
    placed, problems = _put_all(raw, settings, overrides or {})
    try:
        scenario = scenario_from(raw, file, folder, known_variant)
    except InputError as error:
        blamed = [blame(problem, placed) for problem in error.problems]
        raise InputError([*problems, *blamed]) from error
    if problems:
        raise InputError(problems)
    return scenario


def _changes_harts(settings: Settings) -> bool:
    """Whether a setting changes single HARTs of the machine."""
    return any(key.strip().startswith(_HARTS) for key in settings)


_HARTS = ("machine.harts.", "machine.harts[")


def scenario_from(
    raw: dict[str, Any],
    file: str = "scenario",
    folder: Path = Path(),
    known_variant: VariantCheck | None = None,
) -> Scenario:
    """The scenario of a document in memory: keys and values as TOML would give them.

    `file` is its name in messages, and `folder` the folder of its devicetree.  InputError holds all
    problems.
    """
    draft = Draft(raw, file)
    problems = list(draft.problems)
    if draft.machine is not None:
        try:
            draft.topology = topology_of(draft.machine, folder, draft.file)
        except InputError as error:
            problems += error.problems
    problems += [*inconsistencies(draft), *_unknown_variant(draft, known_variant)]
    if problems:
        raise InputError(problems)
    if draft.topology is None:
        raise ModelError("a machine without a problem has a topology")
    parts = {name: getattr(draft, name) for name in (*KEYS, "file")}
    lists = {name: tuple(part) for name, part in parts.items() if isinstance(part, list)}
    made = Scenario.model_validate(parts | lists | {"topology": draft.topology, "digest": ""})
    return made.model_copy(update={"digest": digest(made)})


def _put_all(
    raw: dict[str, Any], settings: Settings, overrides: Mapping[str, Any]
) -> tuple[dict[str, Override], list[Problem]]:
    """Put the values of the command line into a document.

    Returns the override of each place, and the problems of the values that fit nowhere.
    """
    placed: dict[str, Override] = {}
    problems: list[Problem] = []
    for each in settings.items() if isinstance(settings, Mapping) else settings:
        try:
            override = parse_setting(each) if isinstance(each, str) else setting(*each)
            placed[put(raw, override)] = override
        except InputError as error:
            problems += error.problems
    for name, value in overrides.items():
        table, key = OVERRIDES[name]
        if value is not None and isinstance(raw.setdefault(table, {}), dict):
            raw[table][key] = value  # a key that is not a table is a problem of the file
            placed[f"{table}.{key}"] = Override(f"--{name}", (table, key), value)
    return placed, problems


def _unknown_variant(draft: Draft, known_variant: VariantCheck | None) -> list[Problem]:
    """The problem of an unknown variant, also if another key in [kernel] is wrong."""
    table = draft.raw.get("kernel")
    variant = table.get("variant") if isinstance(table, dict) else None
    if draft.kernel is not None:
        variant = draft.kernel.variant
    if not isinstance(variant, str) or known_variant is None:
        return []
    allowed = known_variant(variant)
    return [Problem(draft.file, "kernel.variant", show(variant), allowed)] if allowed else []
