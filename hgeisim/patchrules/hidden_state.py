"""Rules for state that the kernel does not know: a search would mix that of two schedules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import count, cycle
from types import ModuleType

from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look
from hgeisim.patchrules.mistake import Mistake

CHANGES = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add", "discard"),
    *("update", "setdefault", "popitem", "appendleft", "popleft", "subtract"),
}
CONTAINERS = (list, dict, set, bytearray)
ITERATORS = (count, cycle)
REMEDY = "what is shared is a declared field, see docs/own-patch.md"


def globals_are_not_written(look: Look) -> Iterator[Mistake]:
    """A function writes no variable of its module, and nothing that one refers to."""
    declared = {name for node in ast.walk(look.node) for name in _declared(node)}
    for node in () if look.sets_up else look.nodes:
        for target in _written(node):
            name = _root(target)
            if name in declared and isinstance(target, ast.Name):
                yield Mistake(node, f"writes the module's variable {name!r}", REMEDY)
            elif not isinstance(target, ast.Name) and _is_global(look, target):
                yield Mistake(node, f"changes {ast.unparse(target)}, of the module", REMEDY)
        if isinstance(node, ast.Call) and _changes_global(look, node):
            yield Mistake(node, f"`{ast.unparse(node)}` changes a variable of the module", REMEDY)


def kernel_is_not_written(look: Look) -> Iterator[Mistake]:
    """A path sets no attribute of the kernel itself, and changes no container of an object."""
    for node in look.nodes if look.function.is_path else ():
        if isinstance(node, ast.Call) and _changes_attribute(look, node):
            text = f"`{ast.unparse(node)}` changes what a search does not see"
            yield Mistake(node, text, REMEDY)
        for target in _written(node):
            if isinstance(target, ast.Attribute) and look.of(target.value) == (look.specimen.k,):
                shown = ast.unparse(target)
                yield Mistake(node, f"writes {shown}, which a search does not see", REMEDY)


def _declared(node: ast.AST) -> list[str]:
    return node.names if isinstance(node, ast.Global) else []


def _written(node: ast.AST) -> Iterator[ast.expr]:
    """The places that a statement writes, or deletes."""
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            for target in targets:
                yield from _parts(target)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target, value=ast.expr()):
            yield from _parts(target)
        case ast.For(target=target):
            yield from _parts(target)


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _parts(each)
    else:
        yield target


def _root(node: ast.AST) -> str:
    """The name with which a place begins."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_global(look: Look, target: ast.AST) -> bool:
    """Whether a place is in what a name of the module refers to, and not shared state."""
    name = _root(target)
    local = name in look.scope.parameters or name in look.scope.bindings
    if local or name not in look.file.names:
        return False
    return not isinstance(look.file.names[name], Shared | ModuleType)


def _changes_global(look: Look, call: ast.Call) -> bool:
    """Whether a call is `next(NAME)` or `NAME.append(...)` of a variable of the module."""
    if isinstance(call.func, ast.Name) and call.func.id == "next" and call.args:
        value = look.of(call.args[0])
        return (
            bool(value)
            and _is_named(look, call.args[0])
            and isinstance((value or ())[0], ITERATORS)
        )
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in CHANGES:
        return False
    owner = call.func.value
    while isinstance(owner, ast.Subscript):
        owner = owner.value
    value = look.of(owner)
    return bool(value) and _is_named(look, owner) and isinstance((value or ())[0], CONTAINERS)


def _changes_attribute(look: Look, call: ast.Call) -> bool:
    """Whether a call is `k.seen.append(...)` of a list or the like."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in CHANGES:
        return False
    value = look.of(call.func.value)
    held = isinstance(call.func.value, ast.Attribute)
    return held and bool(value) and isinstance((value or ())[0], CONTAINERS)


def _is_named(look: Look, node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and _is_global(look, node)
