"""A rule for functions that call themselves, whatever happens, and so never return."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType

from hgeisim.patchrules.look import Look
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.yields import FUNCTIONS, inside

LEAVES = (ast.Return, ast.Raise, ast.Assert)
"""Statements by which a function may end early."""
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAYBE = (ast.BoolOp, ast.IfExp, ast.Compare, *COMPREHENSIONS, *FUNCTIONS)
"""Nodes of which a part may not be evaluated."""


def functions_come_to_an_end(look: Look) -> Iterator[Mistake]:
    """A function that calls itself, or one that calls it, does so under a condition."""
    for call, called in _certain(look):
        if _leads_to(look.function.function, called, []):
            shown = ast.unparse(call.func)
            itself = "itself" if called.function is look.function else "which calls it again"
            text = f"{look.function.name} always calls {shown}, {itself}, and never returns"
            yield Mistake(call, text, _remedy(look, call))


def _leads_to(wanted: FunctionType, look: Look, seen: list[FunctionType]) -> bool:
    """Whether a function is certainly called, once another one is."""
    here = look.function.function
    if here is wanted or here in seen:
        return here is wanted
    seen.append(here)
    return any(_leads_to(wanted, called, seen) for _, called in _certain(look))


def _certain(look: Look) -> Iterator[tuple[ast.Call, Look]]:
    """The calls that a function makes whatever happens, of functions of the patch."""
    run = [node.value for node in look.nodes if isinstance(node, ast.YieldFrom)]
    for statement in look.node.body:
        for call in _always(statement):
            called = _called(look, call)
            if called is not None and (not called.function.is_path or call in run):
                yield call, called
        if any(isinstance(node, LEAVES) for node in (statement, *inside(statement))):
            return


def _remedy(look: Look, call: ast.Call) -> str:
    if look.function.overridden is None:
        return "call it under a condition, or leave the call out"
    arguments = ", ".join(map(ast.unparse, (*call.args, *(each.value for each in call.keywords))))
    meant = f"super().{look.function.name}({arguments})"
    return f"write `{meant}` for the function that it overrides"


def _always(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls that are made whenever a statement is executed."""
    left: list[ast.AST] = [statement]
    match statement:
        case ast.If(test=node) | ast.While(test=node):
            left = [node]
        case ast.For(iter=node) | ast.Match(subject=node):
            left = [node]
        case ast.With() | ast.Try() | ast.FunctionDef() | ast.ClassDef():
            left = []
    while left:
        each = left.pop()
        if isinstance(each, ast.Call):
            yield each
        if not isinstance(each, MAYBE):
            left.extend(ast.iter_child_nodes(each))


def _called(look: Look, call: ast.Call) -> Look | None:
    """The function of the patch that a call is of."""
    values = look.of(call.func) or ()
    functions = [getattr(value, "__func__", value) for value in values]
    for each in look.file.functions if len(functions) == 1 else ():
        if each.is_plain and each.function is functions[0]:
            return look.at(each)
    return None
