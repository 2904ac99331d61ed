"""A user's own invariant: `check(k)` in the file of a patch, asked wherever states are checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.errors import ModelError
from hgeisim.kernel.main import Module
from hgeisim.machine.shared import Memory, Shared

OwnCheck: TypeAlias = tuple[str, Callable[[Any], Any]]
"""The name of a file and its function."""


class CheckError(ModelError):
    """A check breaks the rules of checks; `filename` and `lineno` are its place, as in a
    SyntaxError."""

    def __init__(self, function: Callable[[Any], Any], text: str) -> None:
        super().__init__(text)
        code = inspect.unwrap(function).__code__
        self.filename, self.lineno = code.co_filename, code.co_firstlineno


class OwnInvariant(StateCheck[Any]):
    """An invariant that a user states of every state.

    It returns None or an empty text when it holds, and else describes the fault: by a text, by
    several texts, or by an assertion that fails.
    Source: the file of a patch.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """The cells of all fields that it, or a function that it may call, names."""
        if k.memory is not None and own_checks(type(k)):
            names = _known_names(type(k))
            fields = (_field(name) for name in k.memory.names)
            yield from (address for address, field in enumerate(fields) if field in names)

    def suspects(self, k: Module, subject: Any) -> bool:
        """Whether there is one."""
        return bool(own_checks(type(k)))

    def wrong(self, k: Module, subject: Any) -> Iterator[Finding]:
        """Ask each function."""
        for name, function in own_checks(type(k)):
            if texts := list(map(str, _asked(k, name, function))):
                yield Finding("check", name, "; ".join(texts))


def _find(kernel: Any) -> tuple[OwnCheck, ...]:
    found = (vars(cls)["own_check"] for cls in kernel.__mro__ if "own_check" in vars(cls))
    return tuple(dict.fromkeys(found))


own_checks: Callable[[Any], tuple[OwnCheck, ...]] = cache(_find)
"""The checks of the files that the patches of a kernel come from, each once."""


def _asked(k: Module, name: str, function: Callable[[Any], Any]) -> Iterable[object]:
    """The texts of a check; its reads do not count as accesses of a path.

    Raises `ModelError` when it writes, or reads a field that it does not name.
    """
    if k.memory is None:
        return _texts(k, name, function)
    with _only_looking(k.memory, name):
        texts = _texts(k, name, function)
        cells = [k.memory.names[address] for address in k.memory.touched]
    for cell in cells:
        if _field(cell) not in _known_names(type(k)):
            raise CheckError(function, f"check of {name} reads, without naming it, {cell}")
    return texts


@contextmanager
def _only_looking(memory: Memory, name: str) -> Iterator[None]:
    """Let reads pass without counting as accesses of a path; a write fails where it happens."""

    def refuse(address: int) -> None:
        raise ModelError(f"check of {name} writes {memory.names[address]}")

    touched, memory.touched = memory.touched, {}
    on_write, memory.on_write = memory.on_write, refuse
    yield
    memory.touched, memory.on_write = touched, on_write


def _texts(k: Module, name: str, function: Callable[[Any], Any]) -> list[object]:
    try:
        result = function(k)
        if result is None or isinstance(result, str):
            return [result] if result else []
        if not isinstance(result, Iterable):
            text = f"check of {name} returns {result!r}, not None or a text"
            raise CheckError(function, text)
        return [text for text in result if text]
    except ModelError:
        raise
    except AssertionError as error:
        return [str(error) or f"an assertion of {name} does not hold"]


def _field(cell: str) -> str:
    """The name of the field that a cell belongs to."""
    return cell.rpartition(".")[2].partition("[")[0]


def _names_of(kernel: Any) -> frozenset[str]:
    """All names and texts in the checks and, by name, in whatever they may call."""
    left: list[Any] = [function for _, function in own_checks(kernel)]
    seen, classes = set[str](), [*kernel.__mro__, *_structs(Shared)]
    while left:
        function = left.pop()
        words = frozenset(_words(function.__code__)) - seen
        seen |= words
        for word in sorted(words):
            values = [function.__globals__.get(word), *(vars(cls).get(word) for cls in classes)]
            codes = (getattr(value, "fget", None) or value for value in values)
            left += (value for value in codes if isinstance(value, FunctionType))
    return frozenset(seen)


_known_names: Callable[[Any], frozenset[str]] = cache(_names_of)


def _structs(cls: Any) -> Iterator[Any]:
    for each in cls.__subclasses__():
        yield each
        yield from _structs(each)


def _words(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _words(constant)
