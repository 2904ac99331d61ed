"""The subject of a rule: a function of a patch, and what each of its expressions stands for.

That is looked up in a specimen, a kernel that never runs: `vcpu.vsfile_lock.read_lock_irqsave` is
the attribute of the attribute of a vCPU, any vCPU, so the one of the specimen says whether there is
such a field and what it is.  What is not known has no value here and is not judged.
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
"""What an expression may be, or None when that is not known."""
DEEP = 40
"""No expression is looked up further than this: a local may be made of itself."""


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
        """Know an object by the names of its classes, and the objects that it refers to."""
        for cls in type(shared).__mro__:
            if cls not in (object, Shared, Fixed):
                self.objects.setdefault(cls.__name__, (shared,))
        for name in _slots(type(shared)) if isinstance(shared, Shared) else ():
            value = getattr(shared, name, None)
            if isinstance(value, Shared) and type(value).__name__ not in self.objects:
                self._add(value)

    def of_annotation(self, annotation: Any) -> Values:
        """What a parameter or a result may be, by its annotation."""
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        text = text.removeprefix("Path[").removesuffix("]").removesuffix(" | None")
        return self.objects.get(text.rpartition(".")[2])


def _slots(cls: type) -> Iterator[str]:
    for each in reversed(cls.__mro__):
        slots = vars(each).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


class Element(ast.expr):
    """Any element of what a `for` walks over; it stands in no source."""

    _fields = ("value",)

    def __init__(self, value: ast.expr) -> None:
        super().__init__()
        self.value = value


class Scope:
    """The locals of a function of a patch, and what each may be."""

    def __init__(
        self, function: PatchFunction, names: Mapping[str, Any], specimen: Specimen
    ) -> None:
        self.function, self.names, self.specimen = function, names, specimen

    @cached_property
    def parameters(self) -> dict[str, Values]:
        """The parameters, by position what they are in the function that is overridden."""
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
        """What is assigned to each local, None where it is anything."""
        found: dict[str, list[ast.expr | None]] = {}
        within = (node for node in ast.walk(self.function.node) if node is not self.function.node)
        for node in within:
            for name, value in _bound(node):
                found.setdefault(name, []).append(value)
        return found

    def of(self, node: ast.AST | None, deep: int = 0) -> Values:
        """What an expression may be."""
        if node is None or deep > DEEP:
            return None
        method = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        return method(node, deep + 1) if method else None

    def _of_constant(self, node: ast.Constant, deep: int) -> Values:
        return (node.value,)

    def _of_name(self, node: ast.Name, deep: int) -> Values:
        bound = self.bindings.get(node.id, [])
        if node.id in self.parameters:
            return None if bound else self.parameters[node.id]
        if bound:
            return _all(self.of(value, deep) for value in bound)
        return (self.names[node.id],) if node.id in self.names else None

    def _of_attribute(self, node: ast.Attribute, deep: int) -> Values:
        owners = self.of(node.value, deep)
        values = [v for owner in owners or () for v in _attribute(owner, node.attr)]
        return tuple(values) or None

    def _of_subscript(self, node: ast.Subscript, deep: int) -> Values:
        if isinstance(node.slice, ast.Slice):
            return self.of(node.value, deep)
        return _all(map(_element, self.of(node.value, deep) or ())) or None

    def _of_element(self, node: Element, deep: int) -> Values:
        walked = self.of(node.value, deep) or ()
        return (
            None
            if any(isinstance(each, Mapping) for each in walked)
            else (_all(map(_element, walked)) or None)
        )

    def _of_ifexp(self, node: ast.IfExp, deep: int) -> Values:
        return _all((self.of(node.body, deep), self.of(node.orelse, deep)))

    def _of_yieldfrom(self, node: ast.YieldFrom, deep: int) -> Values:
        return self._of_call(node.value, deep) if isinstance(node.value, ast.Call) else None

    def _of_call(self, node: ast.Call, deep: int) -> Values:
        """The result of a function, as it is annotated; `super()` is the rest of the kernel."""
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            owner = self.function.owner
            return (super(owner, self.specimen.k),) if owner else None
        functions = self.of(node.func, deep)
        if not functions or not all(isinstance(f, MethodType | FunctionType) for f in functions):
            return None
        if functions[0] in (per_cpu_ptr, this_cpu_ptr) and node.args:
            return _all(map(_element, self.of(node.args[0], deep) or ())) or None
        return _all(self.specimen.of_annotation(_returns(f)) for f in functions)


def _all(values: Any) -> Values:
    """The values of all alternatives; not known when one is not."""
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
    """Any element of an array, a list or a dictionary that has one."""
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
    """The names that a node binds, each with its value where it is one expression."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _taken_apart(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _taken_apart(target, value)
        case ast.NamedExpr(target=target, value=value):
            yield from _taken_apart(target, value)
        case ast.For(target=target, iter=walked) | ast.comprehension(target=target, iter=walked):
            yield from _taken_apart(target, Element(walked))
        case ast.AugAssign(target=target) | ast.withitem(optional_vars=ast.expr() as target):
            yield from _taken_apart(target, None)
        case ast.ExceptHandler(name=str() as name) | ast.FunctionDef(name=name):
            yield name, None
        case ast.Lambda(args=args):
            yield from ((each.arg, None) for each in ast.walk(args) if isinstance(each, ast.arg))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((each.asname or each.name.partition(".")[0], None) for each in names)
        case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
            yield name, None


def _taken_apart(target: ast.AST, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        starred = any(isinstance(each, ast.Starred) for each in target.elts)
        parts = value.elts if isinstance(value, ast.Tuple) and same and not starred else None
        for at, each in enumerate(target.elts):
            yield from _taken_apart(each, parts[at] if parts else None)
    elif isinstance(target, ast.Starred):
        yield from _taken_apart(target.value, None)


def _text(annotation: ast.expr | None) -> str:
    if isinstance(annotation, ast.Constant):
        return str(annotation.value)
    return ast.unparse(annotation) if annotation else ""


def _annotations(function: Any) -> list[str]:
    """The annotations of the parameters of a function, with the kernel itself."""
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
    """A function, the file that it is in, and what its expressions stand for."""

    file: PatchFile
    function: PatchFunction
    specimen: Specimen
    scope: Scope

    def at(self, function: PatchFunction) -> Subject:
        """The same for another function of the file."""
        scope = Scope(function, self.file.names, self.specimen)
        return Subject(self.file, function, self.specimen, scope)

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
