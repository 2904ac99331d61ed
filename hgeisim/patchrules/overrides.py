"""Rules for what a patch puts in the place of something: it is there, and it is called alike."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType

import hgeisim
from hgeisim.patchrules.look import Look, is_path_function, returns_a_value
from hgeisim.patchrules.mistake import Mistake, did_you_mean
from hgeisim.patchrules.patch_file import DEFINITIONS, PatchFile, first_line
from hgeisim.patchrules.signature import binds, shown, takes_all


def overrides_something(look: Look) -> Iterator[Mistake]:
    """A method is one of the kernel's, or somebody calls it."""
    function = look.function
    special = function.name.startswith("__")
    if function.owner is None or function.overridden is not None or special:
        return
    if function.name not in look.file.mentioned:
        text = f"{function.name!r} overrides nothing, and nothing calls it"
        known = _functions(look.file)
        yield Mistake(
            look.node, text, did_you_mean(function.name, known, "call it, or leave it out")
        )


def is_called_alike(look: Look) -> Iterator[Mistake]:
    """Callers of what is overridden can call the override."""
    function = look.function
    overridden = function.overridden
    if not (function.is_plain and isinstance(overridden, FunctionType)) or function.is_init:
        return
    own, theirs = inspect.signature(function.function), inspect.signature(overridden)
    remedy = f"write `def {function.name}{shown(theirs)}`"
    if (swapped := _swapped(own, theirs)) and not _only_called_here(look):
        text = f"{function.name} has its parameters in another order: {swapped}"
        yield Mistake(look.node, text, remedy)
    elif not takes_all(own, theirs) and not _callers_fit(look, own):
        text = f"{function.name}{shown(own)} cannot be called as {function.name}{shown(theirs)}"
        yield Mistake(look.node, text, remedy)


def is_a_path_alike(look: Look) -> Iterator[Mistake]:
    """What is run by `yield from` yields, and what is called does not."""
    function, name = look.function, look.function.name
    if not (function.is_plain and isinstance(function.overridden, FunctionType)):
        return
    wanted = is_path_function(function.overridden)
    if wanted and not function.is_path and not returns_a_value(look.node):
        text = f"{name} is a path and yields nothing"
        yield Mistake(look.node, text, "write `yield from ()` where it does nothing")
    elif function.is_path and not wanted and not _run_in(look.file, name):
        text = f"{name} yields, but the kernel calls it as a plain function"
        yield Mistake(look.node, text, "yield in its callers")


def _functions(file: PatchFile) -> list[str]:
    below = file.kernel.__mro__
    return sorted(
        {n for c in below if c not in file.classes for n, f in vars(c).items() if callable(f)}
    )


def _swapped(own: inspect.Signature, theirs: inspect.Signature) -> str:
    """The parameters when they are the same ones in another order."""
    mine, others = list(own.parameters)[1:], list(theirs.parameters)[1:]
    same = sorted(mine) == sorted(others) and mine != others
    return f"{', '.join(mine)} instead of {', '.join(others)}" if same else ""


def _callers_fit(look: Look, own: inspect.Signature) -> bool:
    """Whether a function changes its parameters and every caller that is left knows them."""
    calls = _callers(look)
    return bool(calls) and all(_call_binds(own, call) for _, call in calls)


def _only_called_here(look: Look) -> bool:
    """Whether the patch has all callers of a function."""
    calls = _callers(look)
    return bool(calls) and all(path == look.file.path for path, _ in calls)


def _callers(look: Look) -> list[tuple[str, ast.Call]]:
    name = look.function.name
    return [(path, call) for path, call in _calls_of(look.file) if _called(call) == name]


def _call_binds(own: inspect.Signature, call: ast.Call) -> bool:
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    keywords = tuple(each.arg for each in call.keywords if each.arg)
    if starred or len(keywords) < len(call.keywords):
        return True
    return binds(own, len(call.args) + 1, keywords)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _calls_of(file: PatchFile) -> Iterator[tuple[str, ast.Call]]:
    """The calls in functions that are in effect in the kernel, and those of who drives it, each
    with its file."""
    for name in dir(file.kernel):
        function = inspect.unwrap(getattr(file.kernel, name))
        if isinstance(function, FunctionType):
            code = function.__code__
            yield from (
                (code.co_filename, call)
                for call in _calls_at(code.co_filename, code.co_firstlineno)
            )
    for path in sorted(map(str, (Path(hgeisim.__file__).parent / "drivers").rglob("*.py"))):
        yield from ((path, call) for call in _calls_in(_tree(path)))


def _calls_at(path: str, line: int) -> Iterator[ast.Call]:
    for node in ast.walk(_tree(path)) if path.endswith(".py") else ():
        if isinstance(node, DEFINITIONS) and first_line(node) == line:
            yield from _calls_in(node)


def _calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse(Path(path).read_bytes())


def _run_in(file: PatchFile, name: str) -> bool:
    """Whether the patch runs a function of this name as a path."""
    nodes = (node for node in ast.walk(file.tree) if isinstance(node, ast.YieldFrom))
    return any(_called(node.value) == name for node in nodes if isinstance(node.value, ast.Call))
