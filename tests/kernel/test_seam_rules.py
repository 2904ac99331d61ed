"""The rules that make a kernel path safe to explore: nothing lives across a yield but locals.

A path is a generator function in hgeisim/kernel.  A user's own patch has to keep the first two,
see hgeisim/patchrules/yields.py, which says why.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from hgeisim.patchrules.yields import (
    COMPREHENSIONS,
    FUNCTIONS,
    inside,
    is_path,
    no_open_block,
    yields_stand_alone,
)
from tests.support.source import imports, python_files, tree_of

Told = Iterator[tuple[ast.AST, str, str]]
"""Where, which rule, what is wrong."""

DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.Tuple)
CONTAINERS = {
    *("iter", "next", "range", "enumerate", "zip", "map", "filter", "reversed"),
    *("list", "dict", "set", "frozenset", "tuple", "sorted"),
}


def paths_in(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield every generator function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and is_path(node):
            yield node


def stands_alone(path: ast.FunctionDef) -> Told:
    """R1: `yield x`, `name = yield x`, `return (yield from x)`, and no other form."""
    yield from ((each.node, "R1", each.text) for each in yields_stand_alone(path))


def opens_no_block(path: ast.FunctionDef) -> Told:
    """R2: no for, with, try or comprehension holds a yield; use while with the index in a local."""
    yield from ((each.node, "R2", each.text) for each in no_open_block(path))


def locals_are_scalars(path: ast.FunctionDef) -> Told:
    """R3: a local holds a number or a reference, never a container or an iterator made here."""
    for node in inside(path):
        if isinstance(node, ast.Assign):
            pairs = [pair for target in node.targets for pair in _pairs(target, node.value)]
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            if _binds_local(target) and (_makes_container(value) or _gathers(target)):
                yield node, "R3", f"local '{ast.unparse(target)}' holds a container or an iterator"


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Take `a, b = c, d` apart, for it makes no tuple that lives on."""
    if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)):
        return [(target, value)]
    if len(target.elts) != len(value.elts) or any(isinstance(e, ast.Starred) for e in target.elts):
        return [(target, value)]
    return list(zip(target.elts, value.elts, strict=True))


def _binds_local(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(map(_binds_local, target.elts))
    return isinstance(target, ast.Name | ast.Starred)


def _gathers(target: ast.expr) -> bool:
    return any(isinstance(node, ast.Starred) for node in ast.walk(target))


def _makes_container(value: ast.expr) -> bool:
    if isinstance(value, ast.IfExp):
        return _makes_container(value.body) or _makes_container(value.orelse)
    if isinstance(value, ast.BoolOp):
        return any(map(_makes_container, value.values))
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in CONTAINERS
    return isinstance(value, (*DISPLAYS, *COMPREHENSIONS, ast.Lambda))


def no_hidden_scope(path: ast.FunctionDef) -> Told:
    """R4: no global or nonlocal, no function in a path, no walrus."""
    for node in inside(path):
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield node, "R4", "what is shared is a declared field, not a global or nonlocal name"
        elif isinstance(node, FUNCTIONS):
            yield node, "R4", "a function within a path shares its locals; make it a method"
        elif isinstance(node, ast.NamedExpr):
            yield node, "R4", "a walrus hides an assignment; write a statement"


def no_driver(name: str, tree: ast.Module) -> Iterator[str]:
    """R5: the kernel and the machine do not know who drives them."""
    for line, module in imports(name, tree):
        if f"{module}.".startswith("hgeisim.drivers."):
            yield f"{name}:{line}: R5: imports {module}"


def paths_are_run(path: ast.FunctionDef, names: set[str]) -> Told:
    """R6: a path within a path is run, by `yield from`; a bare call of it would do nothing."""
    run = {id(node.value) for node in inside(path) if isinstance(node, ast.YieldFrom)}
    for node in inside(path):
        if not isinstance(node, ast.Call) or id(node) in run:
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node, "R6", f"'{node.func.attr}' is a path: yield from it"


RULES: list[Callable[[ast.FunctionDef], Told]] = [
    stands_alone,
    opens_no_block,
    locals_are_scalars,
    no_hidden_scope,
]


def broken_rules(name: str, tree: ast.Module, path_names: set[str]) -> list[str]:
    """Return `path:line: rule: text` for every rule that the paths of a file break."""
    told = []
    for path in paths_in(tree):
        found = [each for rule in RULES for each in rule(path)]
        found += paths_are_run(path, path_names)
        lines = [(getattr(node, "lineno", 0), rule, text) for node, rule, text in found]
        told += [f"{name}:{line}: {rule}: {text}" for line, rule, text in sorted(lines)]
    return told


def test_kernel_keeps_the_rules() -> None:
    names = python_files("hgeisim/kernel")
    paths = {path.name for name in names for path in paths_in(tree_of(name))}
    assert "kvm_riscv_aia_alloc_hgei" in paths
    told = [line for name in names for line in broken_rules(name, tree_of(name), paths)]
    assert not told, "\n".join(told)


def test_kernel_and_machine_import_no_driver() -> None:
    names = python_files("hgeisim/kernel", "hgeisim/machine")
    told = [line for name in names for line in no_driver(name, tree_of(name))]
    assert not told, "\n".join(told)


BAD = [
    ("R1", "x.f = yield op"),
    ("R1", "n = 1 + (yield op)"),
    ("R1", "call(1, (yield op))"),
    ("R1", "a, b = yield op"),
    ("R1", "a = b = yield op"),
    ("R1", "return (yield op)"),
    ("R1", "if (yield op): pass"),
    ("R1", "yield (yield op)"),
    ("R1", "assert (yield from k.p())"),
    ("R1", "n += yield op"),
    ("R2", "for i in x.all:\n        yield op"),
    ("R2", "with x.lock:\n        yield op"),
    ("R2", "try:\n        yield op\n    finally:\n        pass"),
    ("R2", "if x:\n        for i in x.all:\n            while i:\n                yield op"),
    ("R3", "n = []\n    yield op"),
    ("R3", "n = {}\n    yield op"),
    ("R3", "n = x.a, x.b\n    yield op"),
    ("R3", "n = {x.a}\n    yield op"),
    ("R3", "n = [i for i in x.all]\n    yield op"),
    ("R3", "n = (i for i in x.all)\n    yield op"),
    ("R3", "n = range(x.n)\n    yield op"),
    ("R3", "n: object = iter(x.all)\n    yield op"),
    ("R3", "a, n = 1, sorted(x.all)\n    yield op"),
    ("R3", "n = [] if x else None\n    yield op"),
    ("R3", "n = x.n or set()\n    yield op"),
    ("R3", "a, *n = x.all\n    yield op"),
    ("R4", "global n\n    yield op"),
    ("R4", "def inner(): return x\n    yield op"),
    ("R4", "x.call(lambda: 1)\n    yield op"),
    ("R4", "x.call(n := x.f)\n    yield op"),
    ("R6", "k.path(x)\n    yield op"),
    ("R6", "n = k.path(x)\n    yield from n"),
]


@pytest.mark.parametrize(("rule", "body"), BAD)
def test_a_broken_rule_is_told(rule: str, body: str) -> None:
    tree = ast.parse(f"def path(k, x, op):\n    {body}\n")
    told = broken_rules("a.py", tree, {"path"})
    assert told
    assert all(line.startswith("a.py:") for line in told)
    assert {line.split(": ")[1] for line in told} == {rule}


@pytest.mark.parametrize("module", ["hgeisim.drivers.timed", "hgeisim.drivers"])
def test_a_driver_in_the_kernel_is_told(module: str) -> None:
    told = list(no_driver("a.py", ast.parse(f"import {module}")))
    assert told == [f"a.py:1: R5: imports {module}"]


GOOD = """
def path(k, x, op):
    a, b = x.a, x.b
    n = yield op
    m: int = yield from k.path(x)
    for i in x.all:
        x.total += i
    x.pair = [a, b]
    n = len(x.all) if a else sum(i for i in x.all)
    while n:
        yield op
        n -= 1
    return (yield from k.path(x))

def no_path(x):
    return [i for i in sorted(x)], {}
"""


def test_a_good_path_breaks_no_rule() -> None:
    assert broken_rules("a.py", ast.parse(GOOD), {"path"}) == []
