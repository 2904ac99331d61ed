"""Known findings: the baseline of shipped kernels, and names for the faults of patches.

They are the blocks of known.toml: findings with one name and reason, and the variants that show
them.  An accepted finding is printed, with its reason, and does not count as new.  The others only
have a name: the hazard by which reviewers know them.

Every mistake in the file is reported when it is read, with the file, the key and the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import AIA_PREFIXES, HAPPENINGS, NOT_KNOWN, Cause
from hgeisim.document import toml_of
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import BASES, PATCHES, made_of, own_files
from hgeisim.lockorder.baseline.baseline import Edges, cycle_of
from hgeisim.lockorder.baseline.baseline_file import read_baseline, shipped_path
from hgeisim.machine.kernel_name import marks, present_id
from hgeisim.user_file import read_text

Version: TypeAlias = tuple[int, ...]

_VERSION = re.compile(r"v\d+(\.\d+)+").fullmatch


def version_of(base: str) -> Version | None:
    """The numbers of a base, so that v6.9 is before v6.12; None when it does not name a version."""
    return tuple(map(int, base[1:].split("."))) if _VERSION(base) else None


@dataclass(frozen=True)
class Known:
    """Findings that people know by one name.

    They are known in the bases from `first` to `last` ("": no bound) with at least one of
    `patches`, if there are any, and with none of those in `without`, whether named or brought along
    by the base; `realtime` restricts them to PREEMPT_RT.  Accepted ones are not new; the others
    have only a name.

    They are known by their cause: one of `after` has happened before, none but `parties` took part,
    and all of `needs` led there; `pieces` are all pieces of kernel functions in which a data race
    is known.  Without these keys any cause will do.
    """

    name: str
    reason: str
    ids: tuple[str, ...]
    accepted: bool = False
    first: str = ""
    last: str = ""
    after: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    realtime: bool = False

    def holds_in(self, variant: str, realtime: bool) -> bool:
        """Whether its findings are known in a variant, with PREEMPT_RT or without."""
        base, *patches = made_of(variant)
        return (
            (realtime or not self.realtime)
            and self.spans(base)
            and (not self.patches or any(patch in self.patches for patch in patches))
            and not any(patch in self.without for patch in patches)
        )

    def explains(self, cause: Cause) -> bool:
        """Whether a finding came about as its own do, as far as that is known."""
        happened, parties, leading, pieces = cause
        return (
            (not self.after or happened is None or not happened.isdisjoint(self.after))
            and (not self.parties or parties is None or parties <= {*self.parties})
            and (leading is None or leading >= {*self.needs})
            and (not self.pieces or pieces is None or pieces <= {*self.pieces})
        )

    def spans(self, base: str) -> bool:
        """Whether a base is one of those from `first` to `last`."""
        first, version, last = map(version_of, (self.first, base, self.last))
        if version is None:
            return not (self.first or self.last)
        return (first is None or first <= version) and (last is None or version <= last)


def one_of(entries: Sequence[Known]) -> Known:
    """One entry for a finding that any of several entries may explain."""
    name = " or ".join(dict.fromkeys(each.name for each in entries))
    reason = "; or ".join(dict.fromkeys(each.reason for each in entries))
    accepted = all(each.accepted for each in entries)
    return replace(entries[0], name=name, reason=reason, accepted=accepted)


TABLE = "known"
PATH = Path(__file__).with_name("known.toml")


def read_known(path: Path = PATH) -> tuple[Known, ...]:
    """The entries of a file, in its order."""
    file = path.name
    document = toml_of(read_text(path, file), file)
    blocks = document.pop(TABLE, [])
    only = f"only [[{TABLE}]] may stand here"
    problems = [Problem(file, key, _show(value), only) for key, value in document.items()]
    if not _is_list_of(dict, blocks):
        problems.append(Problem(file, TABLE, _show(blocks), f"must be blocks: [[{TABLE}]]"))
        raise InputError(problems)
    for number, block in enumerate(blocks):
        problems += _problems(file, f"{TABLE}[{number}]", block)
    if problems:
        raise InputError(problems)
    return tuple(map(_entry, blocks))


def _problems(file: str, place: str, block: dict[str, Any]) -> Iterator[Problem]:
    """The mistakes in a block; `place` says which one it is."""
    for key in NEEDED:
        if key not in block:
            yield Problem(file, f"{place}.{key}", "", f"is missing; it {KEYS[key][1]}")
    for key, value in block.items():
        allowed = _allowed(block, key, value)
        if allowed:
            yield Problem(file, f"{place}.{key}", _show(value), allowed)


def _allowed(block: dict[str, Any], key: str, value: Any) -> str:
    """The values that are allowed for a key, if this one is not among them; else ""."""
    if key not in KEYS:
        return f"is not a key; there are {', '.join(KEYS)}"
    is_right, allowed = KEYS[key]
    if not is_right(value):
        return allowed
    first, last = (version_of(str(block.get(each, ""))) for each in ("first", "last"))
    if key == "last" and first and last and last < first:
        return f"must not be before first = {_show(block['first'])}"
    return ""


def _entry(block: dict[str, Any]) -> Known:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in block.items()}
    return Known(**values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _are_ids(value: Any) -> bool:
    """Each once, and none is a pattern."""
    texts = _is_list_of(str, value) and bool(value) and all(map(_is_text, value))
    return texts and len(set(value)) == len(value) and not set("".join(value)) & set("*?[")


def _is_base(value: Any) -> bool:
    return isinstance(value, str) and version_of(value) is not None


def _are_patches(value: Any) -> bool:
    return _is_list_of(str, value) and bool(value) and all(each in PATCHES for each in value)


def _are_happenings(value: Any) -> bool:
    return _is_list_of(str, value) and bool(value) and {*value} <= {*HAPPENINGS}


def _are_functions(value: Any) -> bool:
    return _is_list_of(str, value) and bool(value) and all(map(_is_function, value))


def _are_pieces(value: Any) -> bool:
    kernels = (*BASES.values(), *PATCHES.values())
    pieces = {name for kernel in kernels for name, mark in marks(kernel).items() if mark.functions}
    return _is_list_of(str, value) and bool(value) and {*value} <= pieces


def _is_function(name: str) -> bool:
    return name.startswith(AIA_PREFIXES) and name.isidentifier()


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


_BASE = (_is_base, 'must be a base such as "v6.12"')
_FLAG = (_is_flag, "must be true or false")
_FUNCTIONS = (_are_functions, "must be a list of functions of AIA (kvm_riscv_, hgei_, imsic_)")
_PATCHES = (_are_patches, f"must be a list of patches ({', '.join(PATCHES)})")
KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, 'must be a name such as "F-1"'),
    "reason": (_is_text, "must be a sentence"),
    "ids": (_are_ids, "must be a list of whole ids, each once, without * ? ["),
    "accepted": _FLAG,
    "first": _BASE,
    "last": _BASE,
    "after": (_are_happenings, f"must be a list of {', '.join(HAPPENINGS)}"),
    "parties": _FUNCTIONS,
    "needs": _FUNCTIONS,
    "pieces": (_are_pieces, "must be a list of functions of the model that are marked by part_of"),
    "patches": _PATCHES,
    "without": _PATCHES,
    "realtime": _FLAG,
}
"""The keys of a block: whether a value is right, and what is."""
NEEDED = ("name", "reason", "ids")


@cache
def entries() -> tuple[Known, ...]:
    """All blocks of known.toml, read once."""
    return read_known()


@cache
def _entries_by_id() -> dict[str, list[Known]]:
    by_id: dict[str, list[Known]] = {}
    for entry in entries():
        for finding in entry.ids:
            by_id.setdefault(finding, []).append(entry)
    return by_id


def known(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> Known | None:
    """The entry for a finding in a variant, with PREEMPT_RT or without.  Where its cause is not
    known, several may fit, which then make one: accepted only if all of them are.

    A cycle of locks is also known if it is a longer way of a known one over dependencies that the
    kernel has without the user's own patches (`Cycle` in lockorder/baseline/baseline.py).
    """
    candidates = _entries_by_id().get(finding_id, [])
    fitting = [each for each in candidates if each.holds_in(variant, realtime)]
    fitting = [each for each in fitting if each.explains(cause)]
    if len(fitting) > 1:
        return one_of(fitting)
    return fitting[0] if fitting else _known_cycle(finding_id, variant, realtime, cause)


def _known_cycle(finding_id: str, variant: str, realtime: bool, cause: Cause) -> Known | None:
    cycle = cycle_of(finding_id)
    if cycle is None:
        return None
    edges = _edges_of(variant)
    for entry in entries():
        known_ones = filter(None, map(cycle_of, entry.ids))
        holds = entry.holds_in(variant, realtime) and entry.explains(cause)
        if holds and cycle.is_known_by(known_ones, edges):
            return entry
    return None


@cache
def _edges_of(variant: str) -> Edges:
    """The dependencies of the kernel that a variant is made of, as far as it has a baseline."""
    parts = variant.split("+")
    stacks = ("+".join(parts[:length]) for length in range(len(parts), 0, -1))
    path = next(filter(None, map(shipped_path, stacks)), None)
    return read_baseline(path, present_id).edges if path else {}


def accepted(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> bool:
    """Whether a finding is accepted of a kernel; in a user's own file nothing is."""
    entry = known(finding_id, variant, realtime, cause)
    return entry is not None and entry.accepted and not own_files(variant)


def known_facts(
    finding_id: str, variant: str, realtime: bool = False, cause: Cause = NOT_KNOWN
) -> dict[str, str | None]:
    """The name and the reason of a known finding as documents have them, None when it is new."""
    entry = known(finding_id, variant, realtime, cause)
    return {"known_as": entry.name if entry else None, "reason": entry.reason if entry else None}


def hazard(finding_id: str, variant: str, realtime: bool = False) -> str:
    """The name by which people know a finding in a variant; its own id when it has none."""
    entry = known(finding_id, variant, realtime)
    return entry.name if entry else finding_id


def new_findings(
    found: Mapping[str, Cause], variant: str, strict: bool = False, realtime: bool = False
) -> list[str]:
    """The ids of findings that the baseline does not accept; with `strict`, of all findings.  Notes
    do not count."""
    looked_up = (
        (i, known(i, variant, realtime, cause)) for i, cause in found.items() if not is_note(i)
    )
    return [i for i, entry in looked_up if strict or entry is None or not entry.accepted]
