"""Live locals: what a suspended frame still needs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from hgeisim.drivers.explored.model.frames import live_locals


def straight(a: int, b: int) -> Iterator[int]:
    yield 0
    yield a


def overwritten(a: int) -> Iterator[int]:
    b = a
    yield 0
    b = 1
    yield b


def branch(a: int, b: int) -> Iterator[int]:
    yield 0
    if a:
        yield b
    yield 1


def loop(n: int) -> Iterator[int]:
    i = 0
    while i < n:
        yield 0
        i += 1
    yield 1


def below(a: int) -> Generator[int, None, int]:
    yield 0
    yield a
    return a


def later(a: int) -> Generator[int, None, int]:
    b = yield from below(a)
    yield 0
    return b


LIVE_AT_YIELDS = [
    (straight, [("a",), ()]),
    (overwritten, [(), ()]),
    (branch, [("a", "b"), (), ()]),
    (loop, [("i", "n"), ()]),
    (later, [(), (), ("b",)]),
]


@pytest.mark.parametrize(("function", "expected"), LIVE_AT_YIELDS)
def test_live_locals_at_each_yield(
    function: Callable[..., Iterator[int]], expected: list[tuple[str, ...]]
) -> None:
    path = function(*range(1, 1 + function.__code__.co_argcount))
    found = []
    for _ in path:
        frame = path.gi_frame  # type: ignore[attr-defined]
        found.append(live_locals(function.__code__)[frame.f_lasti])
    assert found == expected
