"""The mistake that something has no such attribute, in words that fit what it is."""

from __future__ import annotations

import ast
from typing import Any

from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look, is_kernel
from hgeisim.patchrules.mistake import Mistake, did_you_mean

EXTENDED = ("Vcpu", "Vm", "HgeiControl", "PerCpu", "Globals")
"""The structs to which a patch may add fields."""
NEW_FIELD = (
    "a patch adds a field by `class {0}(structs.{0})` in its own class, see docs/own-patch.md"
)


def missing(look: Look, node: ast.AST, owner: Any, name: str) -> Mistake:
    """The mistake at a node that wants an attribute which its owner lacks."""
    shown = ast.unparse(node)
    if operations := _operations(owner):
        text = f"{shown}: {owner.lock_class} has no operation {name!r}"
        return Mistake(node, text, _operation_meant(name, operations))
    what, kind, otherwise = "attribute", type(owner).__name__, "define it in your class"
    there = owner
    if isinstance(owner, Shared):
        what, otherwise = "field or operation", _new_field(owner)
    elif is_kernel(owner) or isinstance(owner, super):
        what, kind, there = "function or state", "the kernel", look.specimen.k
    text = f"{shown}: {kind} has no {what} {name!r}"
    return Mistake(node, text, did_you_mean(name, _public(there), otherwise))


def _public(owner: Any) -> list[str]:
    return sorted(name for name in dir(owner) if not name.startswith("_"))


def _operations(owner: Any) -> list[str]:
    """The operations of a lock, empty for what is not one."""
    if not hasattr(owner, "lock_class"):
        return []
    return [name for name in _public(owner) if isinstance(getattr(owner, name), Op)]


def _operation_meant(name: str, operations: list[str]) -> str:
    """What to do about an operation that a lock lacks; C has its kind before the operation."""
    meant = did_you_mean(name, operations, "")
    ends = [each for each in operations if name.endswith(f"_{each}") or name.startswith(each)]
    if not meant and ends:
        meant = f"did you mean {max(ends, key=len)!r}?"
    has = f"it has {', '.join(operations)}, see docs/idioms.md"
    return f"{meant} {has}" if meant else has


def _new_field(owner: Shared) -> str:
    kind = type(owner).__name__
    if kind in EXTENDED:
        return NEW_FIELD.format(kind)
    fields = ", ".join((*type(owner).fields, *type(owner).arrays))
    return f"it has {fields}; a patch adds fields to {', '.join(EXTENDED)}, see docs/own-patch.md"
