"""The folder of a run: written whole or not at all, and checked when it is read back.

manifest.json   the run: scenario, variant, seed, topology, versions, fingerprint
summary.json    its result, in numbers
occupancy.csv   each change of a HART's taken lines
events.csv      each alloc, fail, free, sgei, release, offline, online

and the tables that were recorded (`tables.py`): owners.csv, spans.csv, vcpus.csv, locks.csv.

`hgeisim run` adds files about locks: lock-order.txt (the reports of the validator in full), and
lockdep.txt, lockdep_stats.txt and lock_stat.txt, as /proc has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.runs.atomic_folder import UNCHANGED, is_workshop, put_folder, recover, why_not_writable
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.manifest import (
    ANY_FORMAT,
    FORMAT,
    check_manifest,
    check_summary,
    off_at_first,
    parse_document,
    topology_facts,
    usable_lines,
)
from hgeisim.runs.picture_kinds import is_picture
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import KINDS, Tables, check_harts, head_of, read_table
from hgeisim.runs.timeline import Timeline, events_csv, occupancy_csv, read_events, read_occupancy
from hgeisim.user_file import RECORD_MAX, read_text

_NOTHING: Mapping[str, str] = MappingProxyType({})


def write_run(
    path: Path,
    manifest: Mapping[str, Any],
    summary: Mapping[str, Any],
    timeline: Timeline,
    extra_files: Mapping[str, str] = _NOTHING,
) -> None:
    """Write a run at `path`, in place of an older run there; equal input gives equal bytes.

    `manifest` has scenario, variant, preemption, seed and versions; what follows from the timeline
    (format, topology, end_ns, fingerprint, files) is filled in here.  `extra_files` are texts by
    file name.  If anything goes wrong, `path` is as it was.  InputError: there is something at
    `path` that no run wrote, or it cannot be written.
    """
    files = _texts(manifest, summary, timeline, extra_files)
    check_replaceable(path)
    put_folder(path, files)


def check_replaceable(path: Path) -> None:
    """Refuse, by InputError, a place that a run must not replace, or cannot write.

    It may replace nothing, an empty folder, and a run folder that holds only files of a run, of
    plot, or of one that was killed.
    """
    if reason := why_not_writable(path):
        raise InputError([Problem(str(path), "", "", f"cannot be written: {reason}", UNCHANGED)])
    recover(path.resolve().parent)
    names = _names_in(path)
    if os.path.lexists(path) and (names or not path.is_dir()):
        _check_own(path, names)
    if Path.cwd().is_relative_to(path.resolve()):
        allowed = "you are in the folder that would be replaced"
        raise InputError([Problem(str(path), "", "", allowed, "start from elsewhere")])


def _check_own(path: Path, names: list[str]) -> None:
    ours = _own_files(path)
    foreign = sorted(name for name in names if name not in ours and not _is_by_plot(path / name))
    if ours and not foreign:
        return
    allowed = (
        f"holds {', '.join(foreign[:3])}, which no run wrote" if ours else "is not a run folder"
    )
    raise InputError([Problem(str(path), "", "", allowed, "choose another place, or move it away")])


def _is_by_plot(path: Path) -> bool:
    """Whether it is a picture, or the workshop of a killed plot; both are of the old run."""
    return is_picture(path.name) or is_workshop(path)


def read_run(path: Path, *, with_tables: bool = True) -> Recording:
    """Read a run folder back, also one of `hgeisim trace import`.

    Without tables, a damaged table does no harm.  InputError names each damaged file and line.
    """
    texts = _read_texts(path, ("manifest.json", "summary.json", "occupancy.csv", "events.csv"))
    manifest = parse_document(_name(path, "manifest.json"), texts["manifest.json"])
    topology = check_manifest(_name(path, "manifest.json"), manifest)
    summary = parse_document(_name(path, "summary.json"), texts["summary.json"])
    check_summary(_name(path, "summary.json"), summary)
    timeline = Timeline(topology)
    timeline.usable, timeline.end_ns = usable_lines(manifest, topology), manifest["end_ns"]
    timeline.off_at_first = off_at_first(manifest)
    csv = ("occupancy.csv", "events.csv")
    problems = read_occupancy(timeline, _name(path, csv[0]), texts[csv[0]])
    problems += read_events(timeline, _name(path, csv[1]), texts[csv[1]])
    found = fingerprint(timeline)
    if not problems and found != manifest["fingerprint"]:
        allowed = f"does not fit the records, which give {found}: a file was changed"
        where = _name(path, "manifest.json")
        problems = [Problem(where, "fingerprint", manifest["fingerprint"], allowed)]
    if problems:
        raise InputError(problems)
    tables = _read_tables(path, manifest) if with_tables else {}
    return Recording(manifest, summary, timeline, tables)


def _read_tables(path: Path, manifest: Mapping[str, Any]) -> Tables:
    tables, problems = {}, []
    for name, kinds in KINDS.items():
        if f"{name}.csv" in manifest["files"]:
            text = _read_texts(path, [f"{name}.csv"])[f"{name}.csv"]
            kind = next((kind for kind in kinds if text.startswith(head_of(kind))), kinds[0])
            file = _name(path, f"{name}.csv")
            tables[name], wrong = read_table(file, text, kind)
            problems += wrong or check_harts(file, tables[name], len(manifest["topology"]["harts"]))
    if problems:
        raise InputError(problems)
    return tables


def _texts(
    manifest: Mapping[str, Any],
    summary: Mapping[str, Any],
    timeline: Timeline,
    extra_files: Mapping[str, str],
) -> dict[str, str]:
    files = {"occupancy.csv": occupancy_csv(timeline), "events.csv": events_csv(timeline)}
    files |= {"summary.json": _json(summary), "manifest.json": "", **extra_files}
    whole = {
        **manifest,
        "format": FORMAT,
        "topology": topology_facts(timeline.topology, timeline.usable, timeline.off_at_first),
        "end_ns": timeline.end_ns,
        "fingerprint": fingerprint(timeline),
        "files": sorted(files),
    }
    check_manifest("manifest.json", whole)
    return files | {"manifest.json": _json(whole)}


def _json(document: Mapping[str, Any]) -> str:
    options: Any = {"sort_keys": True, "indent": 2, "ensure_ascii": False, "allow_nan": False}
    return json.dumps(dict(document), **options) + "\n"


def _names_in(path: Path) -> list[str]:
    """The names in a folder; none if it is not one."""
    try:
        return [entry.name for entry in path.iterdir()] if path.is_dir() else []
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise InputError([Problem(str(path), "", "", reason)]) from None


def _own_files(path: Path) -> set[str]:
    """The names of the files that a run wrote; none if the folder is not a run folder."""
    try:
        file = path / "manifest.json"
        manifest = parse_document(str(file), read_text(file))
        ours = {"manifest.json", *manifest["files"]}
    except (InputError, TypeError, KeyError):
        return set()
    return ours if str(manifest.get("format")).startswith(ANY_FORMAT) else set()


def _read_texts(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Read files of a run; one InputError names all that cannot be read."""
    if not _names_in(path):
        _recover_at(path)
    if "manifest.json" not in _names_in(path):
        remedy = "`hgeisim run SCENARIO --out FOLDER` makes one"
        raise InputError([Problem(str(path), "", "", "is not a run folder", remedy)])
    texts, problems = {}, list[Problem]()
    for name in names:
        try:
            texts[name] = read_text(path / name, limit=RECORD_MAX)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return texts


def _recover_at(path: Path) -> None:
    """Bring the folder back that a killed run had moved away."""
    with suppress(OSError, ValueError, RuntimeError):  # what `resolve` says of a strange path
        recover(path.resolve().parent)


def _name(path: Path, file: str) -> str:
    return str(path / file)
