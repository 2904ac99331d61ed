"""Rules against code that never ends: a loop without a yield or a way out, and endless recursion.

No other context can step while a loop runs without a yield.  A function that calls itself
unconditionally never returns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType

from hgeisim.machine import atomics
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.subject import Subject, is_kernel
from hgeisim.patchrules.yields import COMPREHENSIONS, FUNCTIONS, inside, is_yield

LOOP_EXITS = (ast.Return, ast.Raise, ast.Break, ast.Assert, ast.NamedExpr, *FUNCTIONS)
"""Nodes that may end a loop, or change something in a way that is not examined."""
STILL = (ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Subscript)
SIGNS = (ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.expr_context)
"""Nodes of a condition whose value stays the same as long as nothing is written."""
READS = (atomics.READ_ONCE, atomics.test_bit, atomics.per_cpu_ptr, atomics.this_cpu_ptr)


def loops_come_to_an_end(subject: Subject) -> Iterator[Mistake]:
    """A `while` without a yield has a way out, or changes what its condition reads."""
    caught = {id(n) for t in subject.nodes if isinstance(t, ast.Try) for n in ast.walk(t)}
    for node in subject.nodes:
        if isinstance(node, ast.While) and id(node) not in caught and _goes_on(subject, node):
            test = ast.unparse(node.test)
            text = f"`while {test}` never ends: nothing in the loop changes the condition"
            remedy = "write a condition that comes to an end"
            if subject.function.is_path:
                remedy = "put a `yield STEP` into it, so that other contexts can run"
            yield Mistake(node, text, remedy)


def _goes_on(subject: Subject, loop: ast.While) -> bool:
    """Whether a loop, once begun, certainly goes on; a node that is not understood may end it."""
    inner = [node for statement in loop.body for node in ast.walk(statement)]
    if any(is_yield(node) or isinstance(node, LOOP_EXITS) for node in (loop.test, *inner)):
        return False
    if isinstance(loop.test, ast.Constant):
        return bool(loop.test.value)
    condition = list(ast.walk(loop.test))
    return all(_is_still(subject, node) for node in condition) and not any(
        _may_change(subject, node, condition) for node in inner
    )


def _is_still(subject: Subject, node: ast.AST) -> bool:
    """Whether a part of a condition keeps its value until something is written."""
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=owner, attr=name):
            owners = subject.of(owner) or ()
            return bool(owners) and all(_is_state(each, name) for each in owners)
        case ast.Call(func=function):
            called = subject.of(function) or ()
            return len(called) == 1 and called[0] in READS
    return isinstance(node, STILL + SIGNS)


def _is_state(owner: object, name: str) -> bool:
    """Whether an attribute is declared state, not a function or a property of the patch."""
    if isinstance(owner, Shared):
        return name in dir(owner) and not callable(getattr(owner, name, None))
    return is_kernel(owner) and name in vars(owner)


def _may_change(subject: Subject, node: ast.AST, condition: list[ast.AST]) -> bool:
    """Whether a node of a loop may change what its condition reads."""
    match node:
        case ast.Call():
            return not _is_still(subject, node)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return any(isinstance(each, ast.Name) and each.id == name for each in condition)
        case ast.Attribute(ctx=ast.Store() | ast.Del(), attr=name):
            return any(isinstance(each, ast.Attribute) and each.attr == name for each in condition)
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Import() | ast.ImportFrom():
            return True
    return False


EARLY_EXITS = (ast.Return, ast.Raise, ast.Assert)
"""Statements by which a function may end early."""
MAYBE = (ast.BoolOp, ast.IfExp, ast.Compare, *COMPREHENSIONS, *FUNCTIONS)
"""Nodes with parts that may not be evaluated."""


def functions_come_to_an_end(subject: Subject) -> Iterator[Mistake]:
    """A function calls itself, directly or through others, only under a condition."""
    for call, called in _certain(subject):
        if _leads_to(subject.function.function, called, []):
            shown = ast.unparse(call.func)
            itself = "itself" if called.function is subject.function else "which calls it again"
            text = f"{subject.function.name} always calls {shown}, {itself}, and never returns"
            yield Mistake(call, text, _remedy(subject, call))


def _leads_to(wanted: FunctionType, subject: Subject, seen: list[FunctionType]) -> bool:
    """Whether a call of one function certainly leads to a call of the wanted one."""
    here = subject.function.function
    if here is wanted or here in seen:
        return here is wanted
    seen.append(here)
    return any(_leads_to(wanted, called, seen) for _, called in _certain(subject))


def _certain(subject: Subject) -> Iterator[tuple[ast.Call, Subject]]:
    """The unconditional calls in a function of functions of the patch."""
    run = [node.value for node in subject.nodes if isinstance(node, ast.YieldFrom)]
    for statement in subject.node.body:
        for call in _always(statement):
            called = _called(subject, call)
            if called is not None and (not called.function.is_path or call in run):
                yield call, called
        if any(isinstance(node, EARLY_EXITS) for node in (statement, *inside(statement))):
            return


def _remedy(subject: Subject, call: ast.Call) -> str:
    if subject.function.overridden is None:
        return "call it under a condition, or leave the call out"
    arguments = ", ".join(map(ast.unparse, (*call.args, *(each.value for each in call.keywords))))
    meant = f"super().{subject.function.name}({arguments})"
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


def _called(subject: Subject, call: ast.Call) -> Subject | None:
    """The function of the patch that a call calls; None if it is not one."""
    values = subject.of(call.func) or ()
    functions = [getattr(value, "__func__", value) for value in values]
    for each in subject.file.functions if len(functions) == 1 else ():
        if each.is_plain and each.function is functions[0]:
            return subject.at(each)
    return None
