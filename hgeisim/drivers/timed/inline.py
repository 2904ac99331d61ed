"""An inliner: in a syntax tree, it replaces calls of functions by their statements.

A call is expanded if it is a statement of its own, `f(x)`, `yield from f(x)` or `name.method(x)`,
and the function has no `return`.  Parameters are replaced by the arguments, local variables get a
prefix, and globals of the function's module become free variables of the function around the call.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache
from textwrap import dedent
from types import FunctionType
from typing import Any, TypeGuard

from hgeisim.errors import ModelError


def definition_of(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function, with the line numbers of its file.

    Raises `OSError` if the source is not available.
    """
    (definition,) = ast.parse(dedent(inspect.getsource(function))).body
    if not isinstance(definition, ast.FunctionDef):
        raise ModelError(f"{function} is not a function")
    ast.increment_lineno(definition, function.__code__.co_firstlineno - 1)
    return definition


@cache
def _kept(function: FunctionType) -> ast.FunctionDef:
    """The same, cached: it must not be changed."""
    return definition_of(function)


def name(ident: str) -> ast.Name:
    """An expression that reads a name."""
    return ast.Name(ident, ast.Load())


class Inliner(ast.NodeTransformer):
    """Expands calls.

    `classes` has the class of the object behind a name, for names whose methods are to be expanded;
    `facts` has the value of expressions that are constant (`{"op.irqsave": True}`), so that
    conditions on them are decided here.  `free` has the objects that expanded statements refer to,
    by name.
    """

    def __init__(
        self, classes: dict[str, type] | None = None, facts: dict[str, bool] | None = None
    ) -> None:
        self.classes, self.facts = classes or {}, facts or {}
        self.free: dict[str, Any] = {}

    def expanded(self, function: Any, arguments: Sequence[ast.expr]) -> list[ast.stmt]:
        """The statements of a function that is called with these arguments."""
        definition = _kept(function)
        names: dict[str, ast.expr] = {}
        statements: list[ast.stmt] = []
        for parameter, argument in zip(definition.args.args, arguments, strict=True):
            names[parameter.arg] = argument
            if not isinstance(argument, ast.Name | ast.Constant | ast.UnaryOp):
                names[parameter.arg] = name(f"_{function.__name__}_{parameter.arg}")
                statements.append(ast.Assign([_stored(names[parameter.arg])], argument))
        for node in ast.walk(definition):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] = name(f"_{function.__name__}_{node.id}")
        names |= self._freed(function, names)
        for statement in _body(definition):
            renamed = _Renamed(names).visit(deepcopy(statement))
            for known in _listed(_Folded(self.facts).visit(renamed)):
                statements += _listed(self.visit(known))
        return statements or [ast.Pass()]

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        """Expand a call if possible; drop a `yield from ()`, which only makes a function a
        generator.
        """
        if ast.unparse(node) == "yield from ()":
            return ast.Pass()
        called = node.value.value if isinstance(node.value, ast.YieldFrom) else node.value
        if isinstance(called, ast.Call):
            function = self._function(called.func)
            if isinstance(function, FunctionType) and _without_return(function):
                this = [called.func.value] if isinstance(called.func, ast.Attribute) else []
                return self.expanded(function, [*this, *called.args])
        return node

    def expression(self, function: FunctionType, call: ast.Call) -> ast.expr:
        """The expression that a function returns, if it consists of a `return` only and all
        arguments are names or constants; else the call itself."""
        body = _body(_kept(function))
        simple = all(isinstance(argument, ast.Name | ast.Constant) for argument in call.args)
        if not (simple and len(body) == 1 and isinstance(body[0], ast.Return)):
            return call
        parameters = [parameter.arg for parameter in _kept(function).args.args]
        names = dict(zip(parameters, call.args, strict=True))
        names |= self._freed(function, names)
        returned: ast.expr = _Renamed(names).visit(deepcopy(body[0])).value
        return returned

    def _function(self, called: ast.expr) -> Any:
        match called:
            case ast.Name(ident):
                return self.free.get(ident)
            case ast.Attribute(ast.Name(ident), method) if ident in self.classes:
                return getattr(self.classes[ident], method)
        return None

    def _freed(self, function: FunctionType, names: Iterable[str]) -> dict[str, ast.expr]:
        """The globals that a function uses, by name, as expressions for the expanded statements."""
        found: dict[str, ast.expr] = {}
        for ident in function.__code__.co_names:
            if ident in function.__globals__ and ident not in names:
                found[ident] = self.constant(ident, function.__globals__[ident])
        return found

    def constant(self, ident: str, value: object) -> ast.expr:
        """An expression for an object: a constant for a number, else a free variable."""
        return ast.Constant(value) if isinstance(value, int) else self.free_name(ident, value)

    def free_name(self, ident: str, value: object) -> ast.Name:
        """A free variable for an object, named after `ident`."""
        free = f"_{ident}_"
        if self.free.setdefault(free, value) is not value:
            raise ModelError(f"{ident} is two different objects")
        return name(free)


class _Renamed(ast.NodeTransformer):
    """Replaces names by expressions."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression for a name, read or stored to as the name was."""
        made = deepcopy(self.names.get(node.id, node))
        return _stored(made) if isinstance(node.ctx, ast.Store) else made


class _Folded(ast.NodeTransformer):
    """Evaluates expressions and conditions that follow from facts."""

    def __init__(self, facts: dict[str, bool]) -> None:
        self.facts = facts
        self.names = {fact.rpartition(".")[2] for fact in facts}

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """A fact."""
        known = self.facts.get(ast.unparse(node)) if node.attr in self.names else None
        return node if known is None else ast.Constant(known)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """`not` of a fact."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and _decided(node.operand):
            return ast.Constant(not node.operand.value)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """`and` or `or` whose first operand is a fact."""
        self.generic_visit(node)
        if not _decided(first := node.values[0]):
            return node
        ends = isinstance(node.op, ast.Or) == first.value
        rest = node.values[1:]
        return first if ends else rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """A conditional expression on a fact."""
        self.generic_visit(node)
        return (node.body if node.test.value else node.orelse) if _decided(node.test) else node

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        """An `if` on a fact: only the branch that is taken."""
        self.generic_visit(node)
        if not _decided(node.test):
            return node
        return (node.body if node.test.value else node.orelse) or ast.Pass()


def _decided(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _listed(made: Any) -> list[ast.stmt]:
    return made if isinstance(made, list) else [made]


def _stored(expression: ast.expr) -> ast.expr:
    if not isinstance(expression, ast.Name):
        raise ModelError("only names can be assigned to")
    return ast.Name(expression.id, ast.Store())


def _body(definition: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function, without its docstring if it has one."""
    return definition.body[1 if ast.get_docstring(definition) is not None else 0 :]


@cache
def _without_return(function: FunctionType) -> bool:
    return not any(isinstance(node, ast.Return) for node in ast.walk(_kept(function)))
