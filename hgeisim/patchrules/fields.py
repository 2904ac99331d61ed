"""Rules for names: each field, function and operation that a patch names exists.

That includes a field whose name is passed as a text after its object, where C has a pointer, as in
`atomic_inc(hgctrl, "nr_hgei")`.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from hgeisim.errors import did_you_mean, quoted
from hgeisim.machine import atomics
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.subject import Subject, has, is_kernel

EXTENDED = ("Vcpu", "Vm", "HgeiControl", "PerCpu", "Globals")
"""The structs to which a patch may add fields."""
NEW_FIELD = "to add a field, write `class {0}(structs.{0})` in your class, see docs/own-patch.md"


def missing(subject: Subject, node: ast.AST, owner: Any, name: str) -> Mistake:
    """The mistake of a node that uses an attribute which its owner lacks."""
    shown = ast.unparse(node)
    if operations := _operations(owner):
        text = f"{shown}: {owner.lock_class} has no operation {name!r}"
        return Mistake(node, text, _operation_meant(name, operations))
    what, kind, otherwise = "attribute", type(owner).__name__, "define it in your class"
    there = owner
    if isinstance(owner, Shared):
        what, otherwise = "field or operation", _new_field(owner)
    elif is_kernel(owner) or isinstance(owner, super):
        what, kind, there = "function or state", "the kernel", subject.specimen.k
    text = f"{shown}: {kind} has no {what} {name!r}"
    return Mistake(node, text, did_you_mean(name, _public(there)) or otherwise)


def _public(owner: Any) -> list[str]:
    return sorted(name for name in dir(owner) if not name.startswith("_"))


def _operations(owner: Any) -> list[str]:
    """The operations of a lock; empty for an owner that is not a lock."""
    if not hasattr(owner, "lock_class"):
        return []
    return [name for name in _public(owner) if isinstance(getattr(owner, name), Op)]


def _operation_meant(name: str, operations: list[str]) -> str:
    """The remedy for an operation that a lock lacks.

    In C the kind of the lock comes before the operation: `raw_spin_lock` is `lock` here.
    """
    meant = did_you_mean(name, operations)
    ends = [each for each in operations if name.endswith(f"_{each}") or name.startswith(each)]
    if not meant and ends:
        meant = f"did you mean {quoted(max(ends, key=len))}?"
    return f"{meant} it has {', '.join(operations)}, see docs/idioms.md".lstrip()


def _new_field(owner: Shared) -> str:
    kind = type(owner).__name__
    if kind in EXTENDED:
        return NEW_FIELD.format(kind)
    fields = ", ".join((*type(owner).fields, *type(owner).arrays))
    return f"it has {fields}; a patch adds fields to {', '.join(EXTENDED)}, see docs/own-patch.md"


def fields_are_there(subject: Subject) -> Iterator[Mistake]:
    """Every attribute that is read or written exists."""
    for node in ast.walk(subject.node):
        if isinstance(node, ast.Attribute) and node.attr not in subject.file.texts:
            owners = subject.of(node.value) or ()
            judged = [owner for owner in owners if _is_judged(owner)]
            if judged and len(judged) == len(owners) and not any(has(o, node.attr) for o in judged):
                yield missing(subject, node, judged[0], node.attr)


def names_are_there(subject: Subject) -> Iterator[Mistake]:
    """Every name that is not a local is one of the module or of Python."""
    function = subject.function.function
    for name, line in _globals_read(function.__code__):
        known = {**function.__globals__, **vars(builtins)}
        if name not in known and name not in subject.file.texts:
            node = ast.Name(id=name, ctx=ast.Load(), lineno=line, col_offset=0)
            near = [each for each in sorted(function.__globals__) if not each.startswith("__")]
            remedy = did_you_mean(name, near) or "import it, or define it"
            yield Mistake(node, f"the name {name!r} is not defined", remedy)


def _is_judged(owner: Any) -> bool:
    """Whether all attributes of a value are known: a value that is state, a function or an
    operation."""
    return isinstance(owner, Shared | Op | FunctionType | MethodType | super) or is_kernel(owner)


def _globals_read(code: CodeType) -> Iterator[tuple[str, int]]:
    """The names that a function, or a function in it, reads from outside, each with its line."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            line = instruction.positions.lineno if instruction.positions else None
            yield instruction.argval, line or code.co_firstlineno
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_read(constant)


ATTRIBUTES = ("setattr", "getattr", "delattr")
"""Functions of Python that name a field too; getattr with a third argument may lack the field."""

VALUES = ("value", "new", "by")
"""The names of the parameter of an atomic function that is written."""


class Named(NamedTuple):
    """A call that names a field of an object, and the value that it writes, if any.

    `number`: the field must hold a number.
    """

    call: ast.Call
    owner: ast.expr
    field: ast.expr
    value: ast.expr | None
    number: bool


def named_fields_are_there(subject: Subject) -> Iterator[Mistake]:
    """`atomic_inc(hgctrl, "nr_hgei")` takes an object of shared state and the name of its field."""
    for node in subject.nodes:
        named = named_of(subject, node) if isinstance(node, ast.Call) else None
        if named is None:
            continue
        owners, names = subject.of(named.owner) or (), subject.of(named.field) or ()
        if named.number and (not _all(names, str) or not _all(owners, Shared)):
            yield _no_name(named)
        elif names and owners and _all(names, str) and _all(owners, Shared):
            yield from _not_there(subject, named, owners, names)


def is_atomic(function: Any) -> bool:
    """Whether a function is one of those that access shared memory without a yield."""
    return isinstance(function, FunctionType) and function.__module__ == atomics.__name__


def named_of(subject: Subject, call: ast.Call) -> Named | None:
    """The field that a call names; None if it names none."""
    functions = subject.of(call.func) or ()
    if len(functions) == 1 and is_atomic(functions[0]):
        return _bound(functions[0], call)
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    wanted = {2} if name in ("getattr", "delattr") else {3}
    if (
        functions
        or subject.is_local(name)
        or name not in ATTRIBUTES
        or len(call.args) not in wanted
    ):
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
    """The mistake of a call such as `f(vcpu.cpu, ...)`, which has object and field in one."""
    function, owner, field = map(ast.unparse, (named.call.func, named.owner, named.field))
    for each in (named.field, named.owner):
        if isinstance(each, ast.Attribute):
            owner, field = ast.unparse(each.value), repr(each.attr)
            break
    text = f"{ast.unparse(named.call)}: {function} takes an object and the name of its field"
    double = field.replace("'", '"')
    return Mistake(named.call, text, f"such as `{owner}, {double}`")


def _not_there(
    subject: Subject, named: Named, owners: tuple[Any, ...], names: tuple[str, ...]
) -> Iterator[Mistake]:
    name, owner = names[0], owners[0]
    if len(names) > 1 or name in subject.file.asked_for:
        return
    if not any(has(each, name) for each in owners):
        yield missing(subject, named.call, owner, name)
    elif named.number and not any(name in type(each).fields for each in owners):
        kind = type(owner).__name__
        text = f"{ast.unparse(named.call)}: {name!r} of {kind} is not a field that holds a number"
        yield Mistake(named.call, text, f"such fields are {', '.join(type(owner).fields)}")
