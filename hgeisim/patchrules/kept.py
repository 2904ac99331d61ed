"""A rule for what a path keeps across a yield: nothing that changes unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hgeisim.patchrules.look import Look
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.yields import ENDS, inside, is_yield

KINDS = {
    ast.List: "a list",
    ast.ListComp: "a list",
    ast.Dict: "a dictionary",
    ast.DictComp: "a dictionary",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.GeneratorExp: "a generator",
    ast.Lambda: "a function",
}
MAKERS = ("list", "dict", "set", "sorted", "bytearray", "range", "iter", "enumerate", "zip", "map")
"""Functions of Python that make a container or an iterator."""
REMEDY = "keep numbers, references to state, or a tuple of them; what is shared is a declared field"


def paths_keep_nothing_that_changes(look: Look) -> Iterator[Mistake]:
    """No parameter and no local of a path is a list, a dictionary or an iterator."""
    if not look.function.is_path or look.function.is_asked:
        return
    arguments = look.node.args
    if arguments.kwarg is not None:
        text = f"`**{arguments.kwarg.arg}` is a dictionary, kept across a yield"
        yield Mistake(arguments.kwarg, text, "name the parameters")
    for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
        if kind := _kind(look, default):
            yield Mistake(default, f"a parameter is {kind}, kept across a yield", REMEDY)
    for node in look.nodes:
        if isinstance(node, ast.FunctionDef) and _yields_after(look.node, node):
            text = f"the function {node.name!r} is made by a path, and kept across a yield"
            yield Mistake(node, text, "define it in the class or the module")
    for statement, name, value in _assigned(look):
        if (kind := _kind(look, value)) and _yields_after(look.node, statement):
            text = f"the local {name!r} is {kind}, kept across a yield"
            yield Mistake(statement, text, REMEDY)


def _kind(look: Look, value: ast.expr) -> str:
    """What an expression makes that changes, empty when it may be something else."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        name = value.func.id
        return f"made by {name}()" if name in MAKERS and not look.is_local(name) else ""
    known = look.of(value) or ()
    if known and all(isinstance(each, list | dict | set) for each in known):
        return "a list" if isinstance(known[0], list) else "a container"
    return KINDS.get(type(value), "")


def _assigned(look: Look) -> Iterator[tuple[ast.stmt, str, ast.expr]]:
    """The locals that are bound once, and never unbound, each with its value."""
    nodes = list(look.nodes)
    gone = {each.id for each in nodes if isinstance(each, ast.Name) and _is(each, ast.Del)}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name not in gone and len(look.scope.bindings.get(name, ())) == 1:
            yield node, name, value


def _is(name: ast.Name, context: type[ast.expr_context]) -> bool:
    return isinstance(name.ctx, context)


def _yields_after(function: ast.AST, statement: ast.stmt) -> bool:
    """Whether a yield may come after a statement."""
    for owner, block, at in reversed(list(_around(function, statement))):
        for each in block[at + 1 :]:
            if _yields(each):
                return True
            if isinstance(each, ENDS):
                return False
        if isinstance(owner, ast.While | ast.For) and _yields(owner):
            return True
    return False


def _around(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, list[ast.stmt], int]]:
    """The blocks around a statement, outermost first: whose, the block, and where in it."""
    for _, block in ast.iter_fields(node):
        for at, each in enumerate(block if isinstance(block, list) else ()):
            if each is statement or any(inner is statement for inner in inside(each)):
                if isinstance(each, ast.stmt):
                    yield node, block, at
                yield from _around(each, statement)


def _yields(node: ast.AST) -> bool:
    return any(map(is_yield, (node, *inside(node))))
