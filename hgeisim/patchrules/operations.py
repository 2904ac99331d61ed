"""Rules for the yields and calls of a path: it yields operations of the machine, and runs paths.

An operation is yielded; a path is run by `yield from`, with the arguments that it takes.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

from hgeisim.machine.ops import WARN_ON, Op, lockdep_assert_held
from hgeisim.patchrules.fields import is_atomic
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.subject import Subject, is_path_function

MAKERS = (WARN_ON, lockdep_assert_held)
"""Functions that make an operation."""
PLAIN = ("int", "bool", "None")
"""The annotated results of functions that are not paths."""
SEE = "see docs/idioms.md for what to yield"


def operations_are_yielded(subject: Subject) -> Iterator[Mistake]:
    """`yield` names an operation, and every operation that is named is yielded."""
    for node in subject.nodes:
        if isinstance(node, ast.Yield) and not subject.calls_path(node.value):
            if (wrong := _no_operation(subject, node.value)) is not None:
                yield Mistake(node, *wrong)
        elif isinstance(node, ast.Expr) and _is_operation(subject, node.value):
            text = f"{ast.unparse(node.value)} is an operation, but is not yielded"
            yield Mistake(node, text, f"write `yield {ast.unparse(node.value)}`")


def operations_are_not_called(subject: Subject) -> Iterator[Mistake]:
    """`got = vcpu.mutex.trylock()` calls an operation as if it were a function."""
    yielded = {
        id(node.value) for node in subject.nodes if isinstance(node, ast.Yield | ast.YieldFrom)
    }
    for node in subject.nodes:
        function = node.func if isinstance(node, ast.Call) and id(node) not in yielded else None
        if function is not None and _is_operation(subject, function):
            shown = ast.unparse(function)
            text = f"{shown} is an operation, not a function"
            yield Mistake(node, text, f"write `yield {shown}`, or `got = yield {shown}`")


def answers_are_yielded(subject: Subject) -> Iterator[Mistake]:
    """An operation whose answer is tested is yielded first: the operation itself is always true."""
    for node in subject.nodes:
        for asked in _asked(node):
            called = (subject.of(asked.func) or ()) if isinstance(asked, ast.Call) else ()
            makes_one = bool(called) and all(value in MAKERS for value in called)
            if makes_one or _is_operation(subject, asked):
                shown = ast.unparse(asked)
                text = f"{shown} does nothing unless it is yielded"
                yield Mistake(node, text, f"write `yield {shown}`, or `got = yield {shown}`")


def _asked(node: ast.AST) -> list[ast.expr]:
    """The parts of a node that it tests, keeps as an answer, or only calls."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            return [test]
        case ast.UnaryOp(ast.Not(), operand):
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Assign(value=ast.Attribute(attr=name) as value) if "trylock" in name:
            return [value]
        case ast.Expr(value=ast.Call() as value):
            return [value]
    return []


def _no_operation(subject: Subject, node: ast.expr | None) -> tuple[str, str] | None:
    """The fault of a value that is yielded, and a remedy; None if it may be right."""
    if node is None:
        return "a yield without an operation does nothing", "write `yield STEP`, or `yield from ()`"
    if isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Set | ast.JoinedStr):
        return "a yield without an operation does nothing", "write `yield STEP` for a step"
    shown = ast.unparse(node)
    if isinstance(node, ast.Call):
        if _is_operation(subject, node.func):
            call = ast.unparse(node.func)
            return f"{call} is an operation, not a function", f"write `yield {call}`"
        return _no_maker(subject, node)
    values = subject.of(node)
    if values is None or any(isinstance(value, Op) for value in values):
        return None
    if any(map(is_path_function, values)):
        return f"{shown} is a path that is not called", f"write `yield from {shown}(...)`"
    return f"{shown} is not an operation", SEE


def _no_maker(subject: Subject, call: ast.Call) -> tuple[str, str] | None:
    """The fault of yielding a call, and a remedy; None if the result may be an operation."""
    functions = subject.of(call.func) or ()
    if not functions or not all(is_atomic(each) or _is_plain(each) for each in functions):
        return None
    shown = ast.unparse(call)
    return f"{shown} is a plain call, not an operation", f"write `yield STEP`, then `{shown}`"


def _is_plain(function: Any) -> bool:
    """Whether a function of hgeisim is annotated to return a number or nothing."""
    ours = str(getattr(function, "__module__", "")).startswith("hgeisim.")
    return ours and getattr(function, "__annotations__", {}).get("return") in PLAIN


def paths_are_delegated_to(subject: Subject) -> Iterator[Mistake]:
    """`yield from` runs a path, not an operation, and calls it."""
    for node in subject.nodes:
        if not isinstance(node, ast.YieldFrom):
            continue
        shown = ast.unparse(node.value)
        if _is_operation(subject, node.value):
            yield Mistake(node, f"{shown} is an operation", f"write `yield {shown}`")
        elif isinstance(node.value, ast.Call) and _is_operation(subject, node.value.func):
            shown = ast.unparse(node.value.func)
            yield Mistake(node, f"{shown} is an operation", f"write `yield {shown}`")
        elif not isinstance(node.value, ast.Call):
            values = subject.of(node.value) or ()
            if values and all(map(is_path_function, values)):
                text = f"{shown} is a path that is not called"
                yield Mistake(node, text, f"write `yield from {shown}(...)`")


def _is_operation(subject: Subject, node: ast.AST) -> bool:
    values = subject.of(node)
    return bool(values) and all(isinstance(value, Op) for value in values or ())


def paths_are_run(subject: Subject) -> Iterator[Mistake]:
    """A bare call of a path runs nothing: `yield from` runs it."""
    run = {id(node.value) for node in subject.nodes if isinstance(node, ast.YieldFrom | ast.Yield)}
    bare = {id(node.value) for node in subject.nodes if isinstance(node, ast.Expr)}
    for node in subject.nodes:
        alone = subject.function.is_path or id(node) in bare
        if alone and id(node) not in run and subject.calls_path(node):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            text = f"{name} is a path, and a call alone does not run it"
            yield Mistake(node, text, f"write `yield from {name}(...)`")


def paths_are_not_yielded(subject: Subject) -> Iterator[Mistake]:
    """`yield k.f()` hands a path to the machine, which knows only operations."""
    for node in subject.nodes:
        if isinstance(node, ast.Yield) and subject.calls_path(node.value):
            call = ast.unparse(node.value) if node.value else ""
            text = f"`yield {call}` does not run the path"
            yield Mistake(node, text, f"write `yield from {call}`")


def arguments_fit(subject: Subject) -> Iterator[Mistake]:
    """A function gets the arguments that it takes."""
    for node in subject.nodes:
        functions = subject.of(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and functions and len(functions) == 1:
            function = functions[0]
            if isinstance(function, FunctionType | MethodType) and (why := _misfit(function, node)):
                text = f"{ast.unparse(node.func)} is called with wrong arguments: {why}"
                taken = ", ".join(inspect.signature(function).parameters)
                yield Mistake(node, text, f"it takes ({taken})")


def _misfit(function: FunctionType | MethodType, call: ast.Call) -> str:
    """The reason why a function cannot take the arguments of a call; empty if it may."""
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    keywords = [each.arg for each in call.keywords if each.arg]
    if starred or len(keywords) < len(call.keywords):
        return ""
    try:
        inspect.signature(function).bind(*call.args, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return ""
