"""A rule for loops that nothing ends: nobody else can step while one goes on without a yield."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hgeisim.machine import atomics
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.look import Look, is_kernel
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.yields import FUNCTIONS, is_yield

LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Assert, ast.NamedExpr, *FUNCTIONS)
"""What may end a loop, or change something in a way that is not looked at."""
STILL = (ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Subscript)
SIGNS = (ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.expr_context)
"""Nodes of a condition that comes out the same as long as nothing is written."""
READS = (atomics.READ_ONCE, atomics.test_bit, atomics.per_cpu_ptr, atomics.this_cpu_ptr)


def loops_come_to_an_end(look: Look) -> Iterator[Mistake]:
    """A `while` without a yield has a way out, or changes what its condition reads."""
    caught = {id(n) for t in look.nodes if isinstance(t, ast.Try) for n in ast.walk(t)}
    for node in look.nodes:
        if isinstance(node, ast.While) and id(node) not in caught and _goes_on(look, node):
            text = f"`while {ast.unparse(node.test)}` never ends: nothing in the loop changes that"
            remedy = (
                "put a `yield STEP` into it, so that others may"
                if look.function.is_path
                else ("write a condition that comes to an end")
            )
            yield Mistake(node, text, remedy)


def _goes_on(look: Look, loop: ast.While) -> bool:
    """Whether a loop, once begun, certainly goes on; what is not understood may end it."""
    inner = [node for statement in loop.body for node in ast.walk(statement)]
    if any(is_yield(node) or isinstance(node, LEAVES) for node in (loop.test, *inner)):
        return False
    if isinstance(loop.test, ast.Constant):
        return bool(loop.test.value)
    condition = list(ast.walk(loop.test))
    return all(_is_still(look, node) for node in condition) and not any(
        _may_change(look, node, condition) for node in inner
    )


def _is_still(look: Look, node: ast.AST) -> bool:
    """Whether a part of a condition stays what it is until something is written."""
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=owner, attr=name):
            owners = look.of(owner) or ()
            return bool(owners) and all(_is_state(each, name) for each in owners)
        case ast.Call(func=function):
            called = look.of(function) or ()
            return len(called) == 1 and called[0] in READS
    return isinstance(node, STILL + SIGNS)


def _is_state(owner: object, name: str) -> bool:
    """Whether an attribute is declared state, not a function or a property of the patch."""
    if isinstance(owner, Shared):
        return name in dir(owner) and not callable(getattr(owner, name, None))
    return is_kernel(owner) and name in vars(owner)


def _may_change(look: Look, node: ast.AST, condition: list[ast.AST]) -> bool:
    """Whether a node of a loop may change what its condition reads."""
    match node:
        case ast.Call():
            return not _is_still(look, node)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return any(isinstance(each, ast.Name) and each.id == name for each in condition)
        case ast.Attribute(ctx=ast.Store() | ast.Del(), attr=name):
            return any(isinstance(each, ast.Attribute) and each.attr == name for each in condition)
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Import() | ast.ImportFrom():
            return True
    return False
