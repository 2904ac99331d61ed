"""The rules that make a kernel path safe to explore: only locals live across a yield.

The explored driver distinguishes two states of a path by its place and the values of its locals; a
half-evaluated expression, an iterator or a block that is open across a yield would be state that
the driver cannot see.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hgeisim.patchrules.mistake import Mistake

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
BLOCKS = (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, *COMPREHENSIONS)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
"""Statements after which the rest of a block is not executed."""
WORDS = {
    ast.For: "for",
    ast.AsyncFor: "async for",
    ast.With: "with",
    ast.AsyncWith: "async with",
    ast.Try: "try",
    ast.TryStar: "try",
}


def inside(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of the functions in it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from inside(child)


def reached(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of `inside` that may be executed: not those after a `return` or in `if False`."""
    for child in _alive(node):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from reached(child)


def _alive(node: ast.AST) -> Iterator[ast.AST]:
    """The children of a node that may be executed."""
    skipped = ""
    if isinstance(node, ast.If | ast.While) and isinstance(node.test, ast.Constant):
        skipped = "orelse" if node.test.value else "body"
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) and name != skipped else [value]:
            if isinstance(child, ast.AST):
                yield child
            if isinstance(child, ENDS):
                break


def is_yield(node: ast.AST) -> bool:
    """Whether a node is a `yield` or a `yield from`."""
    return isinstance(node, ast.Yield | ast.YieldFrom)


def is_path(function: ast.AST) -> bool:
    """Whether a function is a generator."""
    return any(map(is_yield, inside(function)))


def yields_stand_alone(path: ast.AST) -> Iterator[Mistake]:
    """A yield has the form `yield x`, `name = yield x` or `return (yield from x)`."""
    alone = {id(value) for node in inside(path) if (value := _lone_yield(node))}
    for node in inside(path):
        if is_yield(node) and id(node) not in alone:
            text = "a yield must be a statement, or the whole value that a name is assigned"
            yield Mistake(node, text, "assign it to a local first: `ret = yield ...`")


def _lone_yield(node: ast.AST) -> ast.AST | None:
    """The yield of a statement in one of the allowed forms."""
    match node:
        case ast.Expr(value=ast.Yield() | ast.YieldFrom() as lone):
            return lone
        case ast.Assign(targets=[ast.Name()], value=ast.Yield() | ast.YieldFrom() as lone):
            return lone
        case ast.AnnAssign(target=ast.Name(), value=ast.Yield() | ast.YieldFrom() as lone):
            return lone
        case ast.Return(value=ast.YieldFrom() as lone):
            return lone
    return None


def no_open_block(path: ast.AST) -> Iterator[Mistake]:
    """No `for`, `with`, `try` or comprehension holds a yield."""
    for node in inside(path):
        if isinstance(node, BLOCKS) and any(map(is_yield, ast.walk(node))):
            word = WORDS.get(type(node), "comprehension")
            yield Mistake(node, f"a `{word}` stays open across a yield", _instead(word))


def _instead(word: str) -> str:
    """The remedy for a block that may not stay open."""
    if word == "with":
        return "yield the operation that takes the lock before, and the one that unlocks it after"
    if word == "try":
        return "check the returned value, as C does"
    return "write `while` with the index in a local"
