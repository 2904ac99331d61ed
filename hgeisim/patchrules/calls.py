"""Rules for calls: a path is run by `yield from`, and gets the arguments that it takes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType, MethodType

from hgeisim.patchrules.look import Look
from hgeisim.patchrules.mistake import Mistake


def paths_are_run(look: Look) -> Iterator[Mistake]:
    """A bare call of a path does nothing: it is run by `yield from`."""
    run = {id(node.value) for node in look.nodes if isinstance(node, ast.YieldFrom | ast.Yield)}
    bare = {id(node.value) for node in look.nodes if isinstance(node, ast.Expr)}
    for node in look.nodes:
        alone = look.function.is_path or id(node) in bare
        if alone and id(node) not in run and look.calls_path(node):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            text = f"{name} is a path, and calling it runs nothing"
            yield Mistake(node, text, f"write `yield from {name}(...)`")


def paths_are_not_yielded(look: Look) -> Iterator[Mistake]:
    """`yield k.f()` hands a path to the machine, which knows operations only."""
    for node in look.nodes:
        if isinstance(node, ast.Yield) and look.calls_path(node.value):
            call = ast.unparse(node.value) if node.value else ""
            yield Mistake(node, f"`yield {call}` runs nothing", f"write `yield from {call}`")


def arguments_fit(look: Look) -> Iterator[Mistake]:
    """A function gets as many arguments as it takes."""
    for node in look.nodes:
        functions = look.of(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and functions and len(functions) == 1:
            function = functions[0]
            if isinstance(function, FunctionType | MethodType) and (why := _misfit(function, node)):
                text = f"{ast.unparse(node.func)} is called with other arguments: {why}"
                yield Mistake(node, text, f"it takes {_parameters(function)}")


def _misfit(function: FunctionType | MethodType, call: ast.Call) -> str:
    """Why the arguments of a call are not those of a function, empty when they may be."""
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    keywords = [each.arg for each in call.keywords if each.arg]
    if starred or len(keywords) < len(call.keywords):
        return ""
    try:
        inspect.signature(function).bind(*call.args, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return ""


def _parameters(function: FunctionType | MethodType) -> str:
    return f"({', '.join(inspect.signature(function).parameters)})"
