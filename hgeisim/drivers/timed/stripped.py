"""A kernel without its step boundaries, made from the same source.

`yield STEP` marks where others may step in.  In time nobody does, as no time goes by there; so the
statements are taken out of a copy of each path, mechanically, and nothing else is changed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from textwrap import dedent
from types import FunctionType
from typing import Any

from hgeisim.kernel.module import Module

NOTHING = "yield from ()"
"""What keeps a path a generator when no other yield is left in it."""


def stripped(kernel: type[Module]) -> type[Module]:
    """The same kernel with every path stripped; a path whose source is not to be had stays."""
    if kernel not in _made:
        paths = {name: _strip(path) for name, path in _stepping(kernel)}
        space = {"__module__": __name__, "__doc__": kernel.__doc__, "name": kernel.name, **paths}
        _made[kernel] = type(kernel.__name__, (kernel,), space)
    return _made[kernel]


_made: dict[type[Module], type[Module]] = {}


def _stepping(kernel: type[Module]) -> Iterator[tuple[str, FunctionType]]:
    for name, path in inspect.getmembers(kernel, inspect.isgeneratorfunction):
        if "STEP" in path.__code__.co_names:
            yield name, path


def _strip(path: FunctionType) -> Callable[..., Any]:
    """Compile a path again, without its steps, for the same globals and the same class."""
    try:
        tree = ast.parse(dedent(inspect.getsource(path)))
    except OSError:
        return path
    ast.increment_lineno(tree, path.__code__.co_firstlineno - 1)
    function = _Steps().visit(tree.body[0])
    if not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function)):
        function.body += ast.parse(NOTHING).body
    code = _compiled(function, path)
    made = FunctionType(code, path.__globals__, path.__name__, path.__defaults__, path.__closure__)
    made.__doc__, made.__qualname__ = path.__doc__, path.__qualname__
    return made


class _Steps(ast.NodeTransformer):
    """Takes the statements `yield STEP` out."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """Put a `pass` in the place of a step, which costs nothing."""
        match node.value:
            case ast.Yield(ast.Name("STEP")):
                return ast.copy_location(ast.Pass(), node)
        return node


def _compiled(function: ast.FunctionDef, path: FunctionType) -> Any:
    """The code of the function, which may use `super()`: so it is compiled inside another one that
    has the variables of its class."""
    free = path.__code__.co_freevars
    arguments = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
    function.decorator_list, function.returns = [], None
    outer = ast.FunctionDef("outer", arguments, [function], [])
    module = ast.fix_missing_locations(ast.Module([outer], []))
    code = compile(module, path.__code__.co_filename, "exec", dont_inherit=True)
    for _ in ("outer", "the function"):
        code = next(const for const in code.co_consts if hasattr(const, "co_code"))
    assert code.co_freevars == free, f"{path.__qualname__} has other free variables"
    return code
