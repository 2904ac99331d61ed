"""Rules against hidden state, which a search does not see and would carry into other schedules.

A path keeps nothing across a yield that can change unseen, and no function of a patch changes a
global or an undeclared attribute of the kernel.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import count, cycle
from types import ModuleType

from hgeisim.machine.shared import Shared
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.subject import Subject
from hgeisim.patchrules.yields import ENDS, inside, is_yield

KINDS = {
    ast.List: "a list",
    ast.ListComp: "a list",
    ast.Dict: "a dictionary",
    ast.DictComp: "a dictionary",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.GeneratorExp: "a generator",
    ast.Lambda: "a function",
}
"""The kinds of changeable objects that some expressions make, whatever is in them."""
MAKERS = ("list", "dict", "set", "sorted", "bytearray", "range", "iter", "enumerate", "zip", "map")
"""Functions of Python that make a container or an iterator."""
KEEP = "keep numbers, references to state, or a tuple of them; shared state is a declared field"


def paths_keep_nothing_that_changes(subject: Subject) -> Iterator[Mistake]:
    """No parameter and no local of a path is a list, a dictionary or an iterator."""
    if not subject.function.is_path or subject.function.is_asked:
        return
    arguments = subject.node.args
    if arguments.kwarg is not None:
        text = f"`**{arguments.kwarg.arg}` is a dictionary, kept across a yield"
        yield Mistake(arguments.kwarg, text, "name the parameters")
    for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
        if kind := _kind(subject, default):
            text = f"the default of a parameter is {kind}, which is kept across a yield"
            yield Mistake(default, text, KEEP)
    for node in subject.nodes:
        if isinstance(node, ast.FunctionDef) and _yields_after(subject.node, node):
            text = f"the function {node.name!r} is defined inside a path and kept across a yield"
            yield Mistake(node, text, "define it in the class or the module")
    for statement, name, value in _assigned(subject):
        if (kind := _kind(subject, value)) and _yields_after(subject.node, statement):
            text = f"the local {name!r} is {kind}, which is kept across a yield"
            yield Mistake(statement, text, KEEP)


def _kind(subject: Subject, value: ast.expr) -> str:
    """The kind of changeable object that an expression makes; empty if it may be another kind."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        name = value.func.id
        return f"made by {name}()" if name in MAKERS and not subject.is_local(name) else ""
    known = subject.of(value) or ()
    if known and all(isinstance(each, list | dict | set) for each in known):
        return "a list" if isinstance(known[0], list) else "a container"
    return KINDS.get(type(value), "")


def _assigned(subject: Subject) -> Iterator[tuple[ast.stmt, str, ast.expr]]:
    """The locals that are bound only once and never unbound, each with its value."""
    nodes = list(subject.nodes)
    names = [each for each in nodes if isinstance(each, ast.Name)]
    gone = {each.id for each in names if isinstance(each.ctx, ast.Del)}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name not in gone and len(subject.scope.bindings.get(name, ())) == 1:
            yield node, name, value


def _yields_after(function: ast.AST, statement: ast.stmt) -> bool:
    """Whether a yield may come after a statement."""
    for owner, block, at in reversed(list(_around(function, statement))):
        for each in block[at + 1 :]:
            if _yields(each):
                return True
            if isinstance(each, ENDS):
                return False
        if isinstance(owner, ast.While | ast.For) and _yields(owner):
            return True
    return False


def _around(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, list[ast.stmt], int]]:
    """The blocks around a statement, outermost first: the owner, the block, the place in it."""
    for _, block in ast.iter_fields(node):
        for at, each in enumerate(block if isinstance(block, list) else ()):
            if each is statement or any(inner is statement for inner in inside(each)):
                if isinstance(each, ast.stmt):
                    yield node, block, at
                yield from _around(each, statement)


def _yields(node: ast.AST) -> bool:
    return any(map(is_yield, (node, *inside(node))))


CHANGES = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add", "discard"),
    *("update", "setdefault", "popitem", "appendleft", "popleft", "subtract"),
}
CONTAINERS = (list, dict, set, bytearray)
ITERATORS = (count, cycle)
DECLARE = "keep shared state in a declared field, see docs/own-patch.md"


def globals_are_not_written(subject: Subject) -> Iterator[Mistake]:
    """A function writes neither a variable of its module nor an object that one refers to."""
    globals_ = [each for each in ast.walk(subject.node) if isinstance(each, ast.Global)]
    declared = {name for each in globals_ for name in each.names}
    for node in () if subject.sets_up else subject.nodes:
        for target in _written(node):
            name = _root(target)
            if name in declared and isinstance(target, ast.Name):
                yield Mistake(node, f"writes the module's variable {name!r}", DECLARE)
            elif not isinstance(target, ast.Name) and _is_global(subject, target):
                text = f"changes {ast.unparse(target)}, which belongs to the module"
                yield Mistake(node, text, DECLARE)
        if isinstance(node, ast.Call) and _changes_global(subject, node):
            yield Mistake(node, f"`{ast.unparse(node)}` changes a variable of the module", DECLARE)


def kernel_is_not_written(subject: Subject) -> Iterator[Mistake]:
    """A path sets no attribute of the kernel itself, and changes no container of an object."""
    for node in subject.nodes if subject.function.is_path else ():
        if isinstance(node, ast.Call) and _changes_attribute(subject, node):
            text = f"`{ast.unparse(node)}` changes what a search does not see"
            yield Mistake(node, text, DECLARE)
        for target in _written(node):
            if isinstance(target, ast.Attribute) and subject.of(target.value) == (
                subject.specimen.k,
            ):
                shown = ast.unparse(target)
                yield Mistake(node, f"writes {shown}, which a search does not see", DECLARE)


def _written(node: ast.AST) -> Iterator[ast.expr]:
    """The places that a statement writes or deletes."""
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


def _is_global(subject: Subject, target: ast.AST) -> bool:
    """Whether a place is inside an object of the module that is not shared state."""
    name = _root(target)
    local = name in subject.scope.parameters or name in subject.scope.bindings
    if local or name not in subject.file.names:
        return False
    return not isinstance(subject.file.names[name], Shared | ModuleType)


def _changes_global(subject: Subject, call: ast.Call) -> bool:
    """Whether a call is `next(NAME)` or `NAME.append(...)` of a variable of the module."""
    if isinstance(call.func, ast.Name) and call.func.id == "next" and call.args:
        value = subject.of(call.args[0])
        return (
            bool(value)
            and _is_named(subject, call.args[0])
            and isinstance((value or ())[0], ITERATORS)
        )
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in CHANGES:
        return False
    owner = call.func.value
    while isinstance(owner, ast.Subscript):
        owner = owner.value
    value = subject.of(owner)
    return bool(value) and _is_named(subject, owner) and isinstance((value or ())[0], CONTAINERS)


def _changes_attribute(subject: Subject, call: ast.Call) -> bool:
    """Whether a call is `k.seen.append(...)` of a container."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in CHANGES:
        return False
    value = subject.of(call.func.value)
    held = isinstance(call.func.value, ast.Attribute)
    return held and bool(value) and isinstance((value or ())[0], CONTAINERS)


def _is_named(subject: Subject, node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and _is_global(subject, node)
