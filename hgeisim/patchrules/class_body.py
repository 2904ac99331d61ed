"""Rules for the body of a class: a function stays a function there, and a struct stays one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

from hgeisim.kernel import structs
from hgeisim.patchrules.look import is_path_function, returns_a_value
from hgeisim.patchrules.missing import EXTENDED, NEW_FIELD
from hgeisim.patchrules.mistake import Mistake, did_you_mean
from hgeisim.patchrules.patch_file import DEFINITIONS, PatchFile
from hgeisim.patchrules.signature import binds, shown, signature, takes_all

FUNCTIONS = (FunctionType, staticmethod, classmethod)
INIT = "super().__init__(*args, **rest)"
CLOCK = ("clock",)
"""The kernel is made with three arguments and, in time, this one by its name."""


class Member(NamedTuple):
    """What a class of a patch holds under a name, and what the kernel would have in its place."""

    name: str
    value: Any
    node: ast.stmt
    overridden: Any


def attributes_override(file: PatchFile) -> Iterator[Mistake]:
    """An attribute of a class that is nearly one of the kernel's is that one."""
    known = _attributes(file)
    for each in _members(file):
        if isinstance(each.node, ast.Assign) and not each.name.startswith("_"):
            used = each.overridden is not None or each.name in file.mentioned
            if not used and (remedy := did_you_mean(each.name, known, "")):
                text = f"{each.name!r} overrides nothing, and nothing reads it"
                yield Mistake(each.node, text, remedy)


def functions_stay_functions(file: PatchFile) -> Iterator[Mistake]:
    """In the place of a function of the kernel is one that can be called like it."""
    for each in _members(file):
        if isinstance(each.overridden, FunctionType):
            if wrong := _no_function(each) or _other_function(each):
                yield Mistake(each.node, wrong, _definition(each))
        elif isinstance(each.overridden, str | int) and isinstance(each.value, FUNCTIONS):
            text = f"{each.name} is a value of the kernel, not a function"
            yield Mistake(each.node, text, f"write `{each.name} = {each.overridden!r}`, or another")


def structs_stay_structs(file: PatchFile) -> Iterator[Mistake]:
    """A class with the name of a struct is that struct with more fields."""
    for each in _members(file):
        struct = getattr(structs, each.name) if each.name in EXTENDED else None
        if struct is None:
            continue
        if not (isinstance(each.value, type) and issubclass(each.value, struct)):
            text = f"{each.name} is not the kernel's struct of that name"
            yield Mistake(each.node, text, NEW_FIELD.format(each.name))
        elif vars(each.value).get("arrays") != struct.arrays:
            text = f"{each.name} gets an array, and a patch adds single fields only"
            yield Mistake(each.node, text, "write a `Field` for each element")
        elif there := [n for n in vars(each.value)["__annotations__"] if hasattr(struct, n)]:
            text = f"{each.name} has {there[0]!r} already"
            yield Mistake(each.node, text, "use it, or call the new field otherwise")


def kernels_are_made(file: PatchFile) -> Iterator[Mistake]:
    """`__init__` takes what the kernel takes, and makes the kernel."""
    for each in _members(file):
        pair = (each.value, each.overridden)
        if each.name != "__init__" or not all(isinstance(one, FunctionType) for one in pair):
            continue
        own = signature(each.value)
        if not (binds(own, 3, ()) and binds(own, 4, CLOCK)):
            text = f"__init__{shown(own)} cannot be called as the kernel's"
            yield Mistake(each.node, text, f"write `def __init__(k, *args, **rest)`, with `{INIT}`")
        elif not any(_names_init(node) for node in ast.walk(each.node)):
            text = "__init__ leaves the kernel without its state"
            yield Mistake(each.node, text, f"begin with `{INIT}`")


RULES: dict[str, Callable[[PatchFile], Iterator[Mistake]]] = {
    "attributes override": attributes_override,
    "functions stay functions": functions_stay_functions,
    "structs stay structs": structs_stay_structs,
    "kernels are made": kernels_are_made,
}


def _members(file: PatchFile) -> Iterator[Member]:
    """What the classes of a patch hold that their source says."""
    for cls in file.classes:
        for name, node in _bodies(file, cls).items():
            if name in vars(cls):
                yield Member(name, vars(cls)[name], node, file.overridden(name, cls))


def _bodies(file: PatchFile, cls: type) -> dict[str, ast.stmt]:
    """The statement of a class that binds each of its names last."""
    classes = (node for node in file.tree.body if isinstance(node, ast.ClassDef))
    body = (each for node in classes if node.name == cls.__name__ for each in node.body)
    return {name: each for each in body for name in _bound(each)}


def _bound(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (each.id for each in targets if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _attributes(file: PatchFile) -> list[str]:
    below = (cls for cls in file.kernel.__mro__[:-1] if cls not in file.classes)
    return sorted({n for c in below for n, value in vars(c).items() if not callable(value)})


def _names_init(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__init__"


def _definition(each: Member) -> str:
    """How to write what a member is in the place of."""
    remedy = f"write `def {each.name}{shown(signature(each.overridden))}`"
    empty = is_path_function(each.overridden)
    return f"{remedy}, with `yield from ()` where it does nothing" if empty else remedy


def _no_function(each: Member) -> str:
    """Why what stands in the place of a function cannot be called, empty when it may be."""
    if isinstance(each.value, property):
        constant = isinstance(each.node, DEFINITIONS) and not returns_a_value(each.node)
        return f"{each.name} is a function of the kernel, not a property" if constant else ""
    if callable(each.value) or hasattr(each.value, "__get__"):
        return ""
    return f"{each.name} is a function of the kernel, not {each.value!r}"


def _other_function(each: Member) -> str:
    """Why what is called in the place of a function is not called alike, or runs nothing.

    A plain `def` has rules of its own.
    """
    if isinstance(each.node, DEFINITIONS) and isinstance(each.value, FunctionType):
        return ""
    if is_path_function(each.overridden) and _yields_nothing(each):
        return f"{each.name} is a path and yields nothing"
    try:
        own = signature(each.value)
    except (TypeError, ValueError):
        return ""
    if takes_all(own, signature(each.overridden)):
        return ""
    return f"{each.name} is called as `k.{each.name}`, and cannot be with {shown(own)}"


def _yields_nothing(each: Member) -> bool:
    match each:
        case Member(value=type() as made):
            return not hasattr(made, "__iter__")
        case Member(value=staticmethod() | classmethod(), node=ast.FunctionDef() as node):
            return not is_path_function(each.value.__func__) and not returns_a_value(node)
        case Member(value=FunctionType(), node=ast.Assign(value=ast.Lambda(body=body))):
            return isinstance(body, ast.Constant)
    return False
