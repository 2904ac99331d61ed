"""Rules for overrides: a patch replaces something that exists, by something that is used alike.

In the body of a class a function stays a function, and a struct stays a struct.  Parameters are
compared as a call `k.f(...)` sees them: with `k` in front.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from hgeisim.errors import did_you_mean
from hgeisim.kernel import structs
from hgeisim.patchrules.fields import EXTENDED, NEW_FIELD
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.patch_file import DEFINITIONS, PatchFile, first_line
from hgeisim.patchrules.subject import Subject, is_path_function, returns_a_value

UNBOUND = inspect.Parameter("_", inspect.Parameter.POSITIONAL_ONLY)
"""Stands for `k` if Python does not pass it."""


def signature(value: Any) -> inspect.Signature:
    """The parameters of a function, or of whatever a class holds in place of one.

    Raises `ValueError` or `TypeError` if Python does not know them.
    """
    passed = isinstance(value, FunctionType | classmethod)
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    own = inspect.signature(function)
    return own if passed else own.replace(parameters=[UNBOUND, *own.parameters.values()])


def shown(own: inspect.Signature) -> str:
    """The parameters without their annotations."""
    each = (p.replace(annotation=p.empty) for p in own.parameters.values())
    return str(inspect.Signature(list(each))).replace("_, /", "").replace("(, ", "(")


def takes_all(own: inspect.Signature, theirs: inspect.Signature) -> bool:
    """Whether a function takes both the fewest and the most arguments that another one takes."""
    positional = [p for p in theirs.parameters.values() if p.kind in (0, 1)]
    required = [p for p in positional if p.default is p.empty]
    return all(binds(own, len(some), ()) for some in (required, positional))


def binds(own: inspect.Signature, count: int, keywords: tuple[str, ...]) -> bool:
    """Whether a function can be called with a number of arguments and with these keywords."""
    try:
        own.bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


FUNCTIONS = (FunctionType, staticmethod, classmethod)
INIT = "super().__init__(*args, **rest)"
CLOCK = ("clock",)
"""A kernel is made with three arguments, and by the timed driver with this one by its name."""


class Member(NamedTuple):
    """An attribute of a class of a patch, and the one that the kernel would have in its place."""

    name: str
    value: Any
    node: ast.stmt
    overridden: Any


def attributes_override(file: PatchFile) -> Iterator[Mistake]:
    """An attribute of a class whose name is close to one of the kernel's has that name."""
    below = (cls for cls in file.kernel.__mro__[:-1] if cls not in file.classes)
    names = {n for c in below for n, value in vars(c).items() if not callable(value)}
    known = sorted(name for name in names if not name.startswith("__"))
    for each in _members(file):
        if isinstance(each.node, ast.Assign) and not each.name.startswith("_"):
            used = each.overridden is not None or each.name in file.mentioned
            if not used and (remedy := did_you_mean(each.name, known)):
                text = f"{each.name!r} overrides nothing, and nothing reads it"
                yield Mistake(each.node, text, remedy)


def functions_stay_functions(file: PatchFile) -> Iterator[Mistake]:
    """A function of the kernel is replaced by one that can be called like it."""
    for each in _members(file):
        if isinstance(each.overridden, FunctionType):
            if wrong := _no_function(each) or _other_function(each):
                yield Mistake(each.node, wrong, _definition(each))
        elif isinstance(each.overridden, str | int) and isinstance(each.value, FUNCTIONS):
            text = f"{each.name} is a value of the kernel, not a function"
            remedy = f"write `{each.name} = {each.overridden!r}`, or another value"
            yield Mistake(each.node, text, remedy)


def structs_stay_structs(file: PatchFile) -> Iterator[Mistake]:
    """A class with the name of a struct is that struct with additional fields."""
    for each in _members(file):
        struct = getattr(structs, each.name) if each.name in EXTENDED else None
        if struct is None:
            continue
        if not (isinstance(each.value, type) and issubclass(each.value, struct)):
            text = f"{each.name} is not the kernel's struct of that name"
            yield Mistake(each.node, text, NEW_FIELD.format(each.name))
        elif vars(each.value).get("arrays") != struct.arrays:
            text = f"{each.name} gets an array, but a patch can add only single fields"
            yield Mistake(each.node, text, "write a `Field` for each element")
        elif there := [n for n in vars(each.value)["__annotations__"] if hasattr(struct, n)]:
            text = f"{each.name} already has {there[0]!r}"
            yield Mistake(each.node, text, "use it, or give the new field another name")


def kernels_are_made(file: PatchFile) -> Iterator[Mistake]:
    """`__init__` takes the kernel's arguments, and makes the kernel."""
    for each in _members(file):
        pair = (each.value, each.overridden)
        if each.name != "__init__" or not all(isinstance(one, FunctionType) for one in pair):
            continue
        own = signature(each.value)
        if not (binds(own, 3, ()) and binds(own, 4, CLOCK)):
            text = f"__init__{shown(own)} cannot be called like the kernel's"
            yield Mistake(each.node, text, f"write `def __init__(k, *args, **rest)`, with `{INIT}`")
        elif not any(
            isinstance(node, ast.Attribute) and node.attr == "__init__"
            for node in ast.walk(each.node)
        ):
            text = "__init__ leaves the kernel without its state"
            yield Mistake(each.node, text, f"begin with `{INIT}`")


CLASS_RULES: dict[str, Callable[[PatchFile], Iterator[Mistake]]] = {
    "attributes override": attributes_override,
    "functions stay functions": functions_stay_functions,
    "structs stay structs": structs_stay_structs,
    "kernels are made": kernels_are_made,
}


def _members(file: PatchFile) -> Iterator[Member]:
    """The attributes of the classes of a patch that their source defines."""
    for cls in file.classes:
        for name, node in _bodies(file, cls).items():
            if name in vars(cls):
                yield Member(name, vars(cls)[name], node, file.overridden(name, cls))


def _bodies(file: PatchFile, cls: type) -> dict[str, ast.stmt]:
    """The last statement of a class that binds each of its names."""
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


def _definition(each: Member) -> str:
    """The remedy for a member that replaces a function: a definition with its parameters."""
    remedy = f"write `def {each.name}{shown(signature(each.overridden))}`"
    path = is_path_function(each.overridden)
    return f"{remedy}, with `yield from ()` if it does nothing" if path else remedy


def _no_function(each: Member) -> str:
    """The reason why the replacement of a function cannot be called; empty if it may."""
    if isinstance(each.value, property):
        constant = isinstance(each.node, DEFINITIONS) and not returns_a_value(each.node)
        return f"{each.name} is a function of the kernel, not a property" if constant else ""
    if callable(each.value) or hasattr(each.value, "__get__"):
        return ""
    return f"{each.name} is a function of the kernel, not {each.value!r}"


def _other_function(each: Member) -> str:
    """The reason why the replacement of a function cannot be called like it, or runs nothing.

    A plain `def` has rules of its own.
    """
    if isinstance(each.node, DEFINITIONS) and isinstance(each.value, FunctionType):
        return ""
    if is_path_function(each.overridden) and _yields_nothing(each):
        return f"{each.name} is a path, but yields nothing"
    try:
        own = signature(each.value)
    except (TypeError, ValueError):
        return ""
    if takes_all(own, signature(each.overridden)):
        return ""
    return f"{each.name} takes {shown(own)}, and cannot be called as the kernel calls it"


def _yields_nothing(each: Member) -> bool:
    match each:
        case Member(value=type() as made):
            return not hasattr(made, "__iter__")
        case Member(value=staticmethod() | classmethod(), node=ast.FunctionDef() as node):
            return not is_path_function(each.value.__func__) and not returns_a_value(node)
        case Member(value=FunctionType(), node=ast.Assign(value=ast.Lambda(body=body))):
            return isinstance(body, ast.Constant)
    return False


def overrides_something(subject: Subject) -> Iterator[Mistake]:
    """A method overrides one of the kernel's, or is called."""
    function, file = subject.function, subject.file
    special = function.name.startswith("__")
    if function.owner is None or function.overridden is not None or special:
        return
    if function.name not in file.mentioned:
        text = f"{function.name!r} overrides nothing, and nothing calls it"
        below = (cls for cls in file.kernel.__mro__ if cls not in file.classes)
        names = {name for cls in below for name, value in vars(cls).items() if callable(value)}
        known = sorted(name for name in names if not name.startswith("__"))
        remedy = did_you_mean(function.name, known) or "call it, or leave it out"
        yield Mistake(subject.node, text, remedy)


def is_called_alike(subject: Subject) -> Iterator[Mistake]:
    """The callers of an overridden function can call the override."""
    function = subject.function
    overridden = function.overridden
    if not (function.is_plain and isinstance(overridden, FunctionType)) or function.is_init:
        return
    own, theirs = inspect.signature(function.function), inspect.signature(overridden)
    swapped, fits = _swapped(own, theirs), takes_all(own, theirs)
    if fits and not swapped:
        return
    name, remedy = function.name, f"write `def {function.name}{shown(theirs)}`"
    calls = [(path, call) for path, call in _calls_of(subject.file) if _called(call) == name]
    only_here = bool(calls) and all(path == subject.file.path for path, _ in calls)
    # Other parameters are fine if the patch overrides the callers as well.
    if swapped and not only_here:
        text = f"{name} has its parameters in another order: {swapped}"
        yield Mistake(subject.node, text, remedy)
    elif not fits and not (calls and all(_call_binds(own, call) for _, call in calls)):
        text = f"{name}{shown(own)} cannot be called like {name}{shown(theirs)}"
        yield Mistake(subject.node, text, remedy)


def is_a_path_alike(subject: Subject) -> Iterator[Mistake]:
    """An override yields if the kernel runs the function by `yield from`, and only then."""
    function, name = subject.function, subject.function.name
    if not (function.is_plain and isinstance(function.overridden, FunctionType)):
        return
    wanted = is_path_function(function.overridden)
    if wanted and not function.is_path and not returns_a_value(subject.node):
        text = f"{name} is a path, but yields nothing"
        yield Mistake(subject.node, text, "write `yield from ()` if it does nothing")
    elif function.is_path and not wanted and not _run_in(subject.file, name):
        text = f"{name} yields, but the kernel calls it as a plain function"
        yield Mistake(subject.node, text, "yield in its callers")


def _swapped(own: inspect.Signature, theirs: inspect.Signature) -> str:
    """The parameters in both orders, if they are the same ones in another order; else empty."""
    mine, others = list(own.parameters)[1:], list(theirs.parameters)[1:]
    same = sorted(mine) == sorted(others) and mine != others
    return f"{', '.join(mine)} instead of {', '.join(others)}" if same else ""


def _call_binds(own: inspect.Signature, call: ast.Call) -> bool:
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    keywords = tuple(each.arg for each in call.keywords if each.arg)
    if starred or len(keywords) < len(call.keywords):
        return True
    return binds(own, len(call.args) + 1, keywords)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _calls_of(file: PatchFile) -> Iterator[tuple[str, ast.Call]]:
    """The calls in functions that are in effect in the kernel and in the drivers, each with its
    file."""
    for name in dir(file.kernel):
        function = inspect.unwrap(getattr(file.kernel, name))
        if isinstance(function, FunctionType):
            path, line = function.__code__.co_filename, function.__code__.co_firstlineno
            for node in ast.walk(_tree(path)) if path.endswith(".py") else ():
                if isinstance(node, DEFINITIONS) and first_line(node) == line:
                    yield from ((path, call) for call in _calls_in(node))
    for path in sorted(map(str, (Path(__file__).parents[1] / "drivers").rglob("*.py"))):
        yield from ((path, call) for call in _calls_in(_tree(path)))


def _calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse(Path(path).read_bytes())


def _run_in(file: PatchFile, name: str) -> bool:
    """Whether the patch runs a function of this name as a path."""
    nodes = (node for node in ast.walk(file.tree) if isinstance(node, ast.YieldFrom))
    return any(_called(node.value) == name for node in nodes if isinstance(node.value, ast.Call))
