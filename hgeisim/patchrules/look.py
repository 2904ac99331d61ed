"""A function of a patch with all that a rule may ask about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from hgeisim.patchrules.patch_file import PatchFile, PatchFunction
from hgeisim.patchrules.specimen import Scope, Specimen, Values
from hgeisim.patchrules.yields import inside, is_path, reached

GENERATOR = 0x20
"""The flag of code that yields (inspect.CO_GENERATOR)."""


class Look(NamedTuple):
    """A function, the file that it is in, and what its expressions stand for."""

    file: PatchFile
    function: PatchFunction
    specimen: Specimen
    scope: Scope

    def at(self, function: PatchFunction) -> Look:
        """The same for another function of the file."""
        scope = Scope(function, self.file.names, self.specimen)
        return Look(self.file, function, self.specimen, scope)

    @property
    def node(self) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Its source."""
        return self.function.node

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """What is in it and may be executed, without the functions in it."""
        return reached(self.node)

    @property
    def sets_up(self) -> bool:
        """Whether it makes the state of the kernel before anything runs."""
        return self.function.name == "__init__" or self.function.name.startswith("add_")

    def of(self, node: ast.AST | None) -> Values:
        """What an expression may be."""
        return self.scope.of(node)

    def is_local(self, name: str) -> bool:
        """Whether the patch itself says what a name stands for."""
        own = (self.scope.parameters, self.scope.bindings, self.file.names)
        return any(name in names for names in own)

    def calls_path(self, node: ast.AST | None) -> bool:
        """Whether an expression calls a path, which by itself does nothing."""
        if not isinstance(node, ast.Call):
            return False
        functions = self.of(node.func)
        return bool(functions) and all(map(is_path_function, functions or ()))


def is_path_function(value: Any) -> bool:
    """Whether a value is a function that yields, or stands for one that the kernel lacks here."""
    function = getattr(value, "__func__", value) if isinstance(value, MethodType) else value
    if not isinstance(function, FunctionType):
        return False
    promised = str(function.__annotations__.get("return", "")).startswith("Path[")
    return bool(function.__code__.co_flags & GENERATOR) or promised


def returns_a_value(function: ast.AST) -> bool:
    """Whether a function that does not yield may return a path that another one made."""
    returned = (node.value for node in inside(function) if isinstance(node, ast.Return))
    made = any(value is not None and not isinstance(value, ast.Constant) for value in returned)
    return made and not is_path(function)


def is_kernel(value: Any) -> bool:
    """Whether a value is a kernel."""
    return hasattr(value, "hgei") and not isinstance(value, type | ModuleType)


def has(owner: Any, name: str) -> bool:
    """Whether there is such an attribute; one that is declared may be set later."""
    return hasattr(owner, name) or (not isinstance(owner, super) and name in dir(type(owner)))
