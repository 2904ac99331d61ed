"""Calls of functions are replaced by their statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

from hgeisim.drivers.timed.inline import Inliner, name

LIMIT = 3


class Counter:
    """An object with methods."""

    def __init__(self) -> None:
        self.count = 0

    def up(self, by: int) -> None:
        """Count."""
        step = by * 2
        self.count += step

    def read(self) -> int:
        """It returns, so it cannot be expanded."""
        return self.count


def twice(counter: Any) -> Iterator[int]:
    """Two calls, one of them with an expression."""
    counter.up(1)
    yield from pause(LIMIT)
    counter.up(LIMIT + len(str(counter.count)))
    counter.read()
    yield from nothing()


def nothing() -> Iterator[int]:
    """A generator without a yield of its own."""
    yield from ()


def pause(ns: int) -> Iterator[int]:
    """A generator that is called by another one."""
    if ns:
        yield ns


def other(counter: Any) -> None:
    """Another `pause` than the one above."""
    pause = len
    pause(counter)


def source(function: Any, inliner: Inliner) -> str:
    """The expanded statements, called with `c`."""
    module = ast.Module(inliner.expanded(function, [name("c")]), [])
    return ast.unparse(ast.fix_missing_locations(module))


def test_calls_become_statements_with_names_of_their_own() -> None:
    inliner = Inliner({"c": Counter})
    assert source(twice, inliner).splitlines() == [
        "_up_step = 1 * 2",
        "c.count += _up_step",
        "if 3:",
        "    yield 3",
        "_up_by = 3 + len(str(c.count))",
        "_up_step = _up_by * 2",
        "c.count += _up_step",
        "c.read()",
        "pass",
    ]


def test_a_method_of_an_unknown_class_stays_a_call() -> None:
    assert source(twice, Inliner({})).splitlines()[0] == "c.up(1)"


def test_expanded_statements_do_the_same() -> None:
    inliner = Inliner({"c": Counter})
    code = compile(f"def made(c):\n{indented(source(twice, inliner))}", "made", "exec")
    space: dict[str, Any] = dict(inliner.free)
    exec(code, space)  # noqa: S102
    one, two = Counter(), Counter()
    assert list(space["made"](one)) == list(twice(two)) == [3]
    assert one.count == two.count == 10


def indented(text: str) -> str:
    """As the body of a function."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def test_a_local_name_is_not_taken_for_a_function_of_the_module() -> None:
    assert source(other, Inliner({})).splitlines() == ["_other_pause = len", "_other_pause(c)"]


def test_a_free_name_for_two_objects_is_refused() -> None:
    inliner = Inliner({})
    inliner.free_name("x", int)
    with pytest.raises(AssertionError, match="x is two different objects"):
        inliner.free_name("x", str)


def test_a_function_without_source_is_an_os_error() -> None:
    space: dict[str, Any] = {}
    exec("def made(c):\n    pass", space)  # noqa: S102
    assert isinstance(space["made"], FunctionType)
    with pytest.raises(OSError, match="source"):
        Inliner({}).expanded(space["made"], [name("c")])


def undocumented(counter: Any) -> None:
    counter.up(1)
    counter.up(2)


def test_a_first_statement_that_is_not_a_docstring_stays() -> None:
    statements = Inliner().expanded(undocumented, [name("c")])
    assert [ast.unparse(each) for each in statements] == ["c.up(1)", "c.up(2)"]


def plainly(value: int) -> int:
    return value


def test_an_expression_without_docstring_is_put_in_place() -> None:
    call, function = ast.Call(name("plainly"), [name("x")], []), plainly
    assert isinstance(function, FunctionType)
    assert ast.unparse(Inliner().expression(function, call)) == "x"
