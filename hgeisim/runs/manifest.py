"""The facts of `manifest.json`: what ran, and whether all of them are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hgeisim.document import json_of
from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import HGEIE_BITS_MAX, HartSpec, Topology

ANY_FORMAT = "hgeisim-run/"
"""The formats of all versions begin so: a run of any may be replaced, though not read."""
FORMAT = f"{ANY_FORMAT}2"
GUEST_FILES_MAX = 127
END_NS_MAX = 2**53
"""About a hundred days: up to here JSON and pictures distinguish every nanosecond from the next."""
_FINDING_KEYS = {"id": str, "text": str, "time_ns": int}
_KEYS: dict[str, tuple[type, str]] = {
    "scenario": (dict, "must be the scenario, a table"),
    "variant": (str, "must be the name of a variant"),
    "preemption": (str, "must be the preemption model"),
    "seed": (int, "must be a whole number"),
    "versions": (dict, "must be a table of versions"),
    "fingerprint": (str, "must be 16 hex digits"),
    "end_ns": (int, "must be a whole number of nanoseconds"),
    "files": (list, "must be the list of files"),
    "topology": (dict, "must be the HARTs, a table"),
}


def topology_facts(
    topology: Topology, usable: Sequence[int], off_at_first: Sequence[bool]
) -> dict[str, Any]:
    """Return a topology as it stands in a manifest, with the usable lines of each HART, and whether
    it had HGEI at first."""
    harts = [
        {"guest_files": hart.guest_files, "geilen": hart.geilen, "usable": lines}
        | ({"off_at_first": True} if off else {})
        for hart, lines, off in zip(topology.harts, usable, off_at_first, strict=True)
    ]
    bits = topology.guest_index_bits
    return {"harts": harts, "guest_index_bits": bits, "source": topology.source}


def usable_lines(manifest: Mapping[str, Any], topology: Topology) -> list[int]:
    """The usable lines of each HART in a manifest; an old one has none, and all were."""
    pairs = zip(manifest["topology"]["harts"], topology.harts, strict=True)
    return [facts.get("usable", hart.lines) for facts, hart in pairs]


def off_at_first(manifest: Mapping[str, Any]) -> list[bool]:
    """Which HARTs of a manifest had no HGEI at first."""
    return [bool(facts.get("off_at_first")) for facts in manifest["topology"]["harts"]]


def parse_document(file: str, text: str) -> dict[str, Any]:
    """Read the JSON table in `text`; InputError names `file` and the line."""
    document = json_of(text, file)
    if not isinstance(document, dict):
        raise InputError([Problem(file, "line 1", "", "must be a JSON table, {...}")])
    return document


def check_manifest(file: str, manifest: dict[str, Any]) -> Topology:
    """Return the topology of a manifest that has all it needs; InputError names what it lacks."""
    if manifest.get("format") != FORMAT:
        given = repr(manifest.get("format"))
        raise InputError([Problem(file, "format", given, f"must be '{FORMAT}'", _REMEDY)])
    problems = [
        Problem(file, key, _short(manifest.get(key)), allowed)
        for key, (kind, allowed) in _KEYS.items()
        if not _is(kind, manifest.get(key))
    ]
    end_ns = manifest.get("end_ns")
    if _is(int, end_ns) and not _is_count(end_ns, END_NS_MAX):
        problems.append(Problem(file, "end_ns", _short(end_ns), f"must be 0..{END_NS_MAX}"))
    facts = manifest.get("topology")
    if isinstance(facts, dict):
        problems += _topology_problems(file, facts)
    if problems or facts is None:
        raise InputError(problems)
    harts = tuple(HartSpec(hart["guest_files"], hart["geilen"]) for hart in facts["harts"])
    return Topology(harts, facts["guest_index_bits"], facts["source"])


def check_summary(file: str, summary: dict[str, Any]) -> None:
    """Check the part of a summary that is read back; InputError names what is wrong."""
    findings = summary.get("findings", [])
    if not isinstance(findings, list):
        raise InputError([Problem(file, "findings", _short(findings), "must be a list")])
    problems = [
        Problem(file, f"findings[{at}]", _short(each), "must have id, text and time_ns")
        for at, each in enumerate(findings)
        if not isinstance(each, dict)
        or not all(_is(kind, each.get(key)) for key, kind in _FINDING_KEYS.items())
    ]
    if problems:
        raise InputError(problems)


_REMEDY = (
    "this folder is of another version of hgeisim; run the scenario, or import the trace, again"
)


def _topology_problems(file: str, facts: dict[str, Any]) -> list[Problem]:
    problems = []
    if not _is(int, facts.get("guest_index_bits")):
        given = _short(facts.get("guest_index_bits"))
        problems.append(Problem(file, "topology.guest_index_bits", given, "must be a whole number"))
    if not _is(str, facts.get("source")):
        given = _short(facts.get("source"))
        problems.append(Problem(file, "topology.source", given, "must be a text"))
    harts = facts.get("harts")
    if not isinstance(harts, list) or not harts:
        return [
            *problems,
            Problem(file, "topology.harts", _short(harts), "must be a list of HARTs"),
        ]
    for at, hart in enumerate(harts):
        problems += _hart_problems(file, f"topology.harts[{at}]", hart)
    return problems


def _hart_problems(file: str, where: str, hart: Any) -> list[Problem]:
    if not isinstance(hart, dict):
        return [Problem(file, where, _short(hart), "must be a table")]
    problems = []
    files, geilen = hart.get("guest_files"), hart.get("geilen")
    if not _is_count(files, GUEST_FILES_MAX):
        allowed = f"must be 0..{GUEST_FILES_MAX}"
        problems.append(Problem(file, f"{where}.guest_files", _short(files), allowed))
    if not _is_count(hart.get("usable", 0), HGEIE_BITS_MAX):
        allowed = f"must be 0..{HGEIE_BITS_MAX}"
        problems.append(Problem(file, f"{where}.usable", _short(hart["usable"]), allowed))
    if not _is(bool, hart.get("off_at_first", False)):
        given = _short(hart["off_at_first"])
        problems.append(Problem(file, f"{where}.off_at_first", given, "must be true or false"))
    if "geilen" not in hart or not (geilen is None or _is_count(geilen, HGEIE_BITS_MAX)):
        allowed = f"must be 0..{HGEIE_BITS_MAX} or null"
        problems.append(Problem(file, f"{where}.geilen", _short(geilen), allowed))
    return problems


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_count(value: Any, top: int) -> bool:
    return _is(int, value) and 0 <= value <= top


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
