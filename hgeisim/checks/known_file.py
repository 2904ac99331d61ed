"""Reading known.toml: every mistake in it, with the file, the key and the value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hgeisim.checks.cause import AIA_PREFIXES, HAPPENINGS
from hgeisim.checks.known_entry import Known, version_of
from hgeisim.document import toml_of
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import PATCHES
from hgeisim.user_file import read_text

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
    "patches": _PATCHES,
    "without": _PATCHES,
    "realtime": _FLAG,
}
"""The keys of a block: whether a value is right, and what is."""
NEEDED = ("name", "reason", "ids")
