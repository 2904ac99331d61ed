"""Rules for functions that get an object and the name of a field, where C has a pointer."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any, NamedTuple

from hgeisim.machine import atomics
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look, has
from hgeisim.patchrules.missing import missing
from hgeisim.patchrules.mistake import Mistake

ATTRIBUTES = ("setattr", "getattr", "delattr")
"""Functions of Python that do the same; a third argument of getattr is for what is not there."""

VALUES = ("value", "new", "by")
"""How the functions for atomics call what is written."""


class Named(NamedTuple):
    """A call that names a field of an object, and the value that it writes, if it does.

    `number`: the field has to hold one.
    """

    call: ast.Call
    owner: ast.expr
    field: ast.expr
    value: ast.expr | None
    number: bool


def named_fields_are_there(look: Look) -> Iterator[Mistake]:
    """`atomic_inc(hgctrl, "nr_hgei")` gets an object of shared state and the name of a field."""
    for node in look.nodes:
        named = named_of(look, node) if isinstance(node, ast.Call) else None
        if named is None:
            continue
        owners, names = look.of(named.owner) or (), look.of(named.field) or ()
        if named.number and (not _all(names, str) or not _all(owners, Shared)):
            yield _no_name(named)
        elif names and owners and _all(names, str) and _all(owners, Shared):
            yield from _not_there(look, named, owners, names)


def is_atomic(function: Any) -> bool:
    """Whether a function is one of those that access shared memory, and do not yield."""
    return isinstance(function, FunctionType) and function.__module__ == atomics.__name__


def named_of(look: Look, call: ast.Call) -> Named | None:
    """The field that a call names, None when it names none."""
    functions = look.of(call.func) or ()
    if len(functions) == 1 and is_atomic(functions[0]):
        return _bound(functions[0], call)
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    wanted = {2} if name in ("getattr", "delattr") else {3}
    if functions or look.is_local(name) or name not in ATTRIBUTES or len(call.args) not in wanted:
        return None
    return Named(call, call.args[0], call.args[1], (*call.args, None)[2], number=False)


def _bound(function: FunctionType, call: ast.Call) -> Named | None:
    keywords = {each.arg: each.value for each in call.keywords if each.arg}
    try:
        given = inspect.signature(function).bind(*call.args, **keywords).arguments
    except TypeError:
        return None
    if "field" not in given or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    value = next((given[name] for name in VALUES if name in given), None)
    return Named(call, given["shared"], given["field"], value, number=True)


def _all(values: tuple[Any, ...], kind: type) -> bool:
    return all(isinstance(value, kind) for value in values)


def _no_name(named: Named) -> Mistake:
    """An object or a name that is neither; `f(vcpu.cpu, ...)` has both in one."""
    function, owner, field = map(ast.unparse, (named.call.func, named.owner, named.field))
    for each in (named.field, named.owner):
        if isinstance(each, ast.Attribute):
            owner, field = ast.unparse(each.value), repr(each.attr)
            break
    text = f"{ast.unparse(named.call)}: {function} gets an object and the name of its field"
    return Mistake(named.call, text, f"such as `{owner}, {_quoted(field)}`")


def _quoted(field: str) -> str:
    return field.replace("'", '"')


def _not_there(
    look: Look, named: Named, owners: tuple[Any, ...], names: tuple[str, ...]
) -> Iterator[Mistake]:
    name, owner = names[0], owners[0]
    if len(names) > 1 or name in look.file.asked_for:
        return
    if not any(has(each, name) for each in owners):
        found = missing(look, named.call, owner, name)
        yield found
    elif named.number and not any(name in type(each).fields for each in owners):
        kind = type(owner).__name__
        text = f"{ast.unparse(named.call)}: {name!r} of {kind} is not a number that paths share"
        yield Mistake(named.call, text, f"such fields are {', '.join(type(owner).fields)}")
