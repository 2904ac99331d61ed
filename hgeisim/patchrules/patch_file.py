"""A patch file: its functions that are in effect in a kernel, each with its source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from types import FunctionType, ModuleType
from typing import Any

from hgeisim.patchrules.yields import is_path

CHECK = "check"
"""The function of the module that hgeisim calls in every state."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, eq=False)
class PatchFunction:
    """A function of a patch file: `owner` is its class, None for a function of the module.

    `held` is the value that its class or module holds: the function, or its decorated form.
    `overridden` is the value that the kernel would have in its place, None if it has none.
    `is_asked`: it is the check of the file, or a function that only the check uses.
    """

    name: str
    function: FunctionType
    node: ast.FunctionDef | ast.AsyncFunctionDef
    held: Any
    owner: type | None = None
    overridden: Any = None
    is_asked: bool = False

    @property
    def is_path(self) -> bool:
        """Whether the function yields."""
        return is_path(self.node)

    @property
    def is_plain(self) -> bool:
        """Whether the function is called with the parameters in the source."""
        return self.held is self.function

    @property
    def is_init(self) -> bool:
        """Whether the function makes the kernel."""
        return self.name == "__init__"


@dataclass(frozen=True, eq=False)
class PatchFile:
    """A file with classes that a kernel is made of.

    `sources` are the texts of all files of its variant, since one may call functions of another.
    """

    module: ModuleType
    kernel: type
    sources: tuple[bytes, ...]

    @property
    def path(self) -> str:
        """The path of the file."""
        return str(self.module.__file__)

    @property
    def names(self) -> dict[str, Any]:
        """The names of the module."""
        return vars(self.module)

    @cached_property
    def tree(self) -> ast.Module:
        """The source of this file, which is the first of `sources`."""
        return ast.parse(self.sources[0])

    @cached_property
    def functions(self) -> tuple[PatchFunction, ...]:
        """The methods that change the kernel, and the functions of the module that they may use."""
        methods = [each for cls in self.classes for each in self._methods(cls)]
        used = list(self._used(methods, []))
        others = [each.name for each in (*methods, *used)]
        asked = (each for each in self._used([], [CHECK]) if each.name not in others)
        return (*methods, *used, *(replace(each, is_asked=True) for each in asked))

    @cached_property
    def classes(self) -> tuple[type, ...]:
        """The classes of the kernel that come from this file."""
        return tuple(cls for cls in self.kernel.__mro__ if cls.__module__ == self.module.__name__)

    def overridden(self, name: str, owner: type) -> Any:
        """The attribute that the kernel has below a class, without this file; None if none."""
        mro = self.kernel.__mro__
        below = (cls for cls in mro[mro.index(owner) + 1 : -1] if cls not in self.classes)
        return next((vars(cls)[name] for cls in below if name in vars(cls)), None)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """The attributes that are read, the names and the texts: any may name a function."""
        return frozenset().union(*map(_words_in, self.sources))

    @cached_property
    def texts(self) -> frozenset[str]:
        """The texts in the source: `hasattr` and others name an attribute by a text."""
        constants = (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        return frozenset(node.value for node in constants if isinstance(node.value, str))

    @cached_property
    def asked_for(self) -> frozenset[str]:
        """The names of attributes that the source tests for before it uses them."""
        return frozenset(name for node in ast.walk(self.tree) for name in _asked_for(node))

    def _methods(self, cls: type) -> Iterator[PatchFunction]:
        for value in vars(cls).values():
            function: Any = inspect.unwrap(getattr(value, "__func__", value))
            node = self._node(function)
            if node is not None:
                overridden = self.overridden(node.name, cls)
                yield PatchFunction(node.name, function, node, value, cls, overridden)

    def _used(self, methods: list[PatchFunction], words: list[str]) -> Iterator[PatchFunction]:
        """The functions of the module that words or methods name, and those that they name in
        turn."""
        left, seen = list(methods), set[str]()
        while left or words:
            inner = () if words else ast.walk(left.pop().node)
            named = {*words, *(each.id for each in inner if isinstance(each, ast.Name))}
            words = []
            for word in sorted(named - seen):
                seen.add(word)
                function: Any = self.names.get(word)
                node = self._node(function)
                if node is not None:
                    left.append(PatchFunction(word, function, node, function))
                    yield left[-1]

    def _node(self, function: Any) -> Any:
        """The definition of a function; None if it is not in this file."""
        if not isinstance(function, FunctionType) or function.__code__.co_filename != self.path:
            return None
        return self._definitions.get(function.__code__.co_firstlineno)

    @cached_property
    def _definitions(self) -> dict[int, ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions of the source by their first line, see `first_line`."""
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, DEFINITIONS))
        return {first_line(node): node for node in nodes}


def first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The line at which the code of a function begins: that of its first decorator, if any."""
    return min(each.lineno for each in (node, *node.decorator_list))


@cache
def _words_in(source: bytes) -> frozenset[str]:
    return frozenset(word for node in ast.walk(ast.parse(source)) for word in _words(node))


def _words(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute(attr=word, ctx=ast.Load()) | ast.Name(id=word, ctx=ast.Load()):
            yield word
        case ast.Constant(value=str() as word):
            yield word


def _asked_for(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(ast.Name("hasattr"), [_, ast.Constant(str() as name)]):
            yield name
        case ast.Call(ast.Name("getattr"), [_, ast.Constant(str() as name), _]):
            yield name
