"""The subject of a rule: a function of a patch, and the values of its expressions.

The values are looked up in a specimen, a kernel that never runs: `vcpu.vsfile_lock.read_lock` is an
attribute of an attribute of any vCPU, so the vCPU of the specimen shows whether the field exists
and what it is.  An expression that is not understood has no value here and is not judged.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias

from hgeisim.machine.atomics import per_cpu_ptr, this_cpu_ptr
from hgeisim.machine.shared import Fixed, Memory, Shared
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.patchrules.patch_file import CHECK, PatchFile, PatchFunction
from hgeisim.patchrules.yields import inside, is_path, reached

Values: TypeAlias = "tuple[Any, ...] | None"
"""The values that an expression may have, or None if they are not known."""
DEPTH_MAX = 40
"""The deepest look-up of an expression, since a local may depend on itself."""


class Specimen:
    """The objects of a kernel with two HARTs, a VM and a vCPU."""

    def __init__(self, kernel: Any) -> None:
        self.k = k = kernel(Topology((HartSpec(3), HartSpec(3)), 2, "specimen"), Memory())
        vm = k.add_vm("vm")
        vcpu = k.add_vcpu("vcpu", 0, vm)
        irq = k.hardirq("irq", 1, 0)
        self.objects: dict[str, tuple[Any, ...]] = {}
        for each in (vm, vcpu, vcpu.thread, irq):
            self._add(each)
        for owner in (k.hart[0], k.hgei[0], k.rq[0], k.per_cpu[0], k.globals, k):
            self._add(owner)
        self.objects |= dict.fromkeys(("Runner", "Caller"), (vcpu.thread, irq))
        self.objects["Task"] = (vcpu.thread,)

    def _add(self, shared: Any) -> None:
        """Enter an object by the names of its classes, and the objects that it refers to."""
        for cls in type(shared).__mro__:
            if cls not in (object, Shared, Fixed):
                self.objects.setdefault(cls.__name__, (shared,))
        for name in _slots(type(shared)) if isinstance(shared, Shared) else ():
            value = getattr(shared, name, None)
            if isinstance(value, Shared) and type(value).__name__ not in self.objects:
                self._add(value)

    def of_annotation(self, annotation: Any) -> Values:
        """The values of a parameter or a result, by its annotation."""
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        text = text.removeprefix("Path[").removesuffix("]").removesuffix(" | None")
        return self.objects.get(text.rpartition(".")[2])


def _slots(cls: type) -> Iterator[str]:
    for each in reversed(cls.__mro__):
        slots = vars(each).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


class Element(ast.expr):
    """Any element of the iterable of a `for`; a node that no source contains."""

    _fields = ("value",)

    def __init__(self, value: ast.expr) -> None:
        super().__init__()
        self.value = value


class Scope:
    """The locals of a function of a patch, with the values that each may have."""

    def __init__(
        self, function: PatchFunction, names: Mapping[str, Any], specimen: Specimen
    ) -> None:
        self.function, self.names, self.specimen = function, names, specimen

    @cached_property
    def parameters(self) -> dict[str, Values]:
        """The parameters with their values, which an override takes from the overridden function,
        by position."""
        args = self.function.node.args
        own = [*args.posonlyargs, *args.args]
        annotations = [_text(each.annotation) for each in own]
        theirs = _annotations(self.function.overridden) if self.function.is_plain else []
        annotations = [*theirs, *annotations[len(theirs) :]][: len(own)]
        known = {
            a.arg: self.specimen.of_annotation(t) for a, t in zip(own, annotations, strict=True)
        }
        rest = (*args.kwonlyargs, *filter(None, (args.vararg, args.kwarg)))
        known |= {each.arg: None for each in rest}
        asked = self.function.owner or self.function.name == CHECK
        if asked and own and self.function.is_plain:
            known[own[0].arg] = (self.specimen.k,)
        return known

    @cached_property
    def bindings(self) -> dict[str, list[ast.expr | None]]:
        """The expressions that are assigned to each local, None for an unknown one."""
        found: dict[str, list[ast.expr | None]] = {}
        within = (node for node in ast.walk(self.function.node) if node is not self.function.node)
        for node in within:
            for name, value in _bound(node):
                found.setdefault(name, []).append(value)
        return found

    def of(self, node: ast.AST | None, depth: int = 0) -> Values:
        """The values that an expression may have."""
        if node is None or depth > DEPTH_MAX:
            return None
        method = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        return method(node, depth + 1) if method else None

    def _of_constant(self, node: ast.Constant, depth: int) -> Values:
        return (node.value,)

    def _of_name(self, node: ast.Name, depth: int) -> Values:
        bound = self.bindings.get(node.id, [])
        if node.id in self.parameters:
            return None if bound else self.parameters[node.id]
        if bound:
            return _all(self.of(value, depth) for value in bound)
        return (self.names[node.id],) if node.id in self.names else None

    def _of_attribute(self, node: ast.Attribute, depth: int) -> Values:
        owners = self.of(node.value, depth)
        values = [v for owner in owners or () for v in _attribute(owner, node.attr)]
        return tuple(values) or None

    def _of_subscript(self, node: ast.Subscript, depth: int) -> Values:
        if isinstance(node.slice, ast.Slice):
            return self.of(node.value, depth)
        return _all(map(_element, self.of(node.value, depth) or ())) or None

    def _of_element(self, node: Element, depth: int) -> Values:
        walked = self.of(node.value, depth) or ()
        if any(isinstance(each, Mapping) for each in walked):
            return None
        return _all(map(_element, walked)) or None

    def _of_ifexp(self, node: ast.IfExp, depth: int) -> Values:
        return _all((self.of(node.body, depth), self.of(node.orelse, depth)))

    def _of_yieldfrom(self, node: ast.YieldFrom, depth: int) -> Values:
        return self._of_call(node.value, depth) if isinstance(node.value, ast.Call) else None

    def _of_call(self, node: ast.Call, depth: int) -> Values:
        """The result of a function, by its annotation; `super()` is the rest of the kernel."""
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            owner = self.function.owner
            return (super(owner, self.specimen.k),) if owner else None
        functions = self.of(node.func, depth)
        if not functions or not all(isinstance(f, MethodType | FunctionType) for f in functions):
            return None
        if functions[0] in (per_cpu_ptr, this_cpu_ptr) and node.args:
            return _all(map(_element, self.of(node.args[0], depth) or ())) or None
        return _all(self.specimen.of_annotation(_returns(f)) for f in functions)


def _all(values: Any) -> Values:
    """The values of all alternatives; None if one of them is not known."""
    found: list[Any] = []
    for each in values:
        if each is None:
            return None
        found += each
    return tuple(found)


def _attribute(owner: Any, name: str) -> Sequence[Any]:
    try:
        return (getattr(owner, name),)
    except Exception:  # noqa: BLE001 - a property of the user's may do anything
        return ()


def _element(owner: Any) -> Values:
    """Any element of an array, a list or a dictionary; None if it has none."""
    if isinstance(owner, Mapping):
        owner = list(owner.values())
    if isinstance(owner, str | bytes) or not hasattr(type(owner), "__getitem__"):
        return None
    try:
        found = [owner[i] for i in range(len(owner))]
    except Exception:  # noqa: BLE001 - not a sequence
        return None
    return tuple(each for each in found if each is not None)[:1] or None


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a node binds, each with its value if that is a single expression."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _unpacked(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _unpacked(target, value)
        case ast.NamedExpr(target=target, value=value):
            yield from _unpacked(target, value)
        case ast.For(target=target, iter=walked) | ast.comprehension(target=target, iter=walked):
            yield from _unpacked(target, Element(walked))
        case ast.AugAssign(target=target) | ast.withitem(optional_vars=ast.expr() as target):
            yield from _unpacked(target, None)
        case ast.ExceptHandler(name=str() as name) | ast.FunctionDef(name=name):
            yield name, None
        case ast.Lambda(args=args):
            yield from ((each.arg, None) for each in ast.walk(args) if isinstance(each, ast.arg))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((each.asname or each.name.partition(".")[0], None) for each in names)
        case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
            yield name, None


def _unpacked(target: ast.AST, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        starred = any(isinstance(each, ast.Starred) for each in target.elts)
        parts = value.elts if isinstance(value, ast.Tuple) and same and not starred else None
        for at, each in enumerate(target.elts):
            yield from _unpacked(each, parts[at] if parts else None)
    elif isinstance(target, ast.Starred):
        yield from _unpacked(target.value, None)


def _text(annotation: ast.expr | None) -> str:
    if isinstance(annotation, ast.Constant):
        return str(annotation.value)
    return ast.unparse(annotation) if annotation else ""


def _annotations(function: Any) -> list[str]:
    """The annotations of the parameters of a function, that of `k` included."""
    if not isinstance(function, FunctionType):
        return []
    parameters = inspect.signature(function).parameters.values()
    return [
        str(each.annotation) if each.annotation is not each.empty else "" for each in parameters
    ]


def _returns(function: Any) -> Any:
    return getattr(function, "__annotations__", {}).get("return", "")


GENERATOR = 0x20
"""The flag of code that yields (inspect.CO_GENERATOR)."""


class Subject(NamedTuple):
    """A function with its file, and the values of its expressions."""

    file: PatchFile
    function: PatchFunction
    specimen: Specimen
    scope: Scope

    def at(self, function: PatchFunction) -> Subject:
        """The subject for another function of the file."""
        scope = Scope(function, self.file.names, self.specimen)
        return Subject(self.file, function, self.specimen, scope)

    @property
    def node(self) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """The definition of the function."""
        return self.function.node

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """The nodes of the function that may be executed, without the functions in it."""
        return reached(self.node)

    @property
    def sets_up(self) -> bool:
        """Whether the function makes the state of the kernel before anything runs."""
        return self.function.name == "__init__" or self.function.name.startswith("add_")

    def of(self, node: ast.AST | None) -> Values:
        """The values that an expression may have."""
        return self.scope.of(node)

    def is_local(self, name: str) -> bool:
        """Whether the patch itself defines a name."""
        own = (self.scope.parameters, self.scope.bindings, self.file.names)
        return any(name in names for names in own)

    def calls_path(self, node: ast.AST | None) -> bool:
        """Whether an expression calls a path, which by itself does nothing."""
        if not isinstance(node, ast.Call):
            return False
        functions = self.of(node.func)
        return bool(functions) and all(map(is_path_function, functions or ()))


def is_path_function(value: Any) -> bool:
    """Whether a value is a function that yields, or one that promises a path by its annotation."""
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
    """Whether an object has an attribute; a declared one may be set later."""
    return hasattr(owner, name) or (not isinstance(owner, super) and name in dir(type(owner)))
