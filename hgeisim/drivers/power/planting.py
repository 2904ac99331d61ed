"""Faults planted in the source of a kernel's functions, each behind a test whether it is on.

A fault leaves out a statement, neither takes nor releases a lock, makes a bound off by one, or
inverts a condition.  Statements that only set a local are spared, since the program would not run
without them, and so are those that are not code of the kernel (`STEP`, assertions).
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from types import FunctionType
from typing import Any, NamedTuple

from hgeisim.kernel.state import Kernel
from hgeisim.machine.ops import STEP

DROP, UNLOCK, BOUND, INVERT = "drop", "no lock", "bound", "invert"
NAME = "planted.py:Faults"
"""The name of the patch with the planted faults, in the form of a user's own patch."""


class Fault(NamedTuple):
    """One statement of a function left out or changed; `number` turns it on, 0 turns none on."""

    number: int
    operator: str
    function: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.operator} {self.text}"


class Switched(Kernel):
    """A kernel with faults: all are in one program, and at most one of them is on.

    If there is a tracked memory, one of its cells has the number of that fault; no step has the
    cell as an input, so a path that is made anew sees the fault that was on at the time.  `asked`
    are the faults that were asked for, and `from_boot` is the one that is on when a kernel is made.
    """

    from_boot = 0

    def __init__(k, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        k.asked = set[int]()
        k.fault = k.from_boot
        if k.memory is not None:
            k.fault = k.memory.cell("fault")
            k.memory.cells[k.fault] = k.from_boot

    def at(k, number: int) -> bool:
        """Whether a fault is on."""
        k.asked.add(number)
        on = k.fault if k.memory is None else k.memory.cells[k.fault]
        return on == number


UNLOCKS = {
    "lock": "unlock",
    "lock_irqsave": "unlock_irqrestore",
    "read_lock_irqsave": "read_unlock_irqrestore",
    "write_lock_irqsave": "write_unlock_irqrestore",
}
INVERTED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OFF_BY_ONE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
MARKS = ("yield STEP", "yield from ()", "yield SWEEP_VSFILE")
"""The statements at which a step of the model ends."""
MODELLED = (
    *("hart.update_hgeip(hgei)", "mrif.clear()"),
    "current.data.hgei = current.data.vcpu = 0",
)
"""Statements without a counterpart in C: what a HART does by itself once registers are written, and
the end of data on a stack."""
SAYINGS = ("assert_held", "WARN_ON", "lockdep_assert")
FILES = ("aia", "aia_imsic", "variants")
"""The files with the functions of aia.c, of aia_imsic.c and of the patches."""
PACKAGE = Path(__file__).parents[2]
SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign)
FLAGS = __future__.annotations.compiler_flag


def planted(kernel: type[Any], files: Sequence[str] = FILES) -> tuple[type[Switched], list[Fault]]:
    """A patch for a kernel with a fault of each kind wherever one can be, and the faults.

    They are in the functions of some `files` of the kernel, and in those of users' patches.
    """
    faults, body = list[Fault](), dict[str, Any]()
    for name in sorted(dir(kernel)):
        function = inspect.getattr_static(kernel, name)
        if isinstance(function, FunctionType) and _is_of(function, files):
            owner = next(cls for cls in kernel.__mro__ if name in vars(cls))
            changed = _Planting(function, owner, faults).made()
            if changed is not None:
                body[name] = changed
    return type("Faults", (Switched,), {"__module__": __name__, **body}), faults


def _is_of(function: FunctionType, files: Sequence[str]) -> bool:
    """Whether a function is in one of some files of the kernel, or in a user's file."""
    file = PurePath(function.__code__.co_filename)
    if function.__name__.startswith("__") or not file.suffix:
        return False
    if not file.is_relative_to(PACKAGE):
        return True
    return file.is_relative_to(PACKAGE / "kernel") and bool(
        {file.stem, file.parent.name} & {*files}
    )


class _Planting:
    """Plants faults in one function."""

    def __init__(self, function: FunctionType, owner: type, faults: list[Fault]) -> None:
        self.function, self.owner, self.faults = function, owner, faults
        self.file = PurePath(function.__code__.co_filename).name
        self.unlocks: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def made(self) -> FunctionType | None:
        """The same function with faults; None if it has no room for one."""
        lines, first = inspect.getsourcelines(self.function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        ast.increment_lineno(tree, first - 1)
        definition, before = tree.body[0], len(self.faults)
        if not isinstance(definition, ast.FunctionDef):
            return None
        head = 1 if ast.get_docstring(definition) is not None else 0
        definition.body[head:] = self.block(definition.body[head:])
        if len(self.faults) == before:
            return None
        tree = ast.fix_missing_locations(_Super().visit(tree))
        space = {**self.function.__globals__, "STEP": STEP, "__owner__": self.owner}
        file = self.function.__code__.co_filename
        exec(compile(tree, file, "exec", FLAGS), space)  # noqa: S102 - the kernel's own source
        made = space[self.function.__name__]
        if not isinstance(made, FunctionType):
            return None
        made.__qualname__ = self.function.__qualname__
        return made

    def new(self, operator: str, node: ast.AST, text: str) -> int:
        """Add a fault, and return its number."""
        number = len(self.faults) + 1
        line = getattr(node, "lineno", 0)
        name = self.function.__name__
        self.faults.append(Fault(number, operator, name, self.file, line, text))
        return number

    def block(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        """Statements with their faults."""
        return [each for statement in statements for each in self.statement(statement)]

    def statement(self, statement: ast.stmt) -> list[ast.stmt]:
        """One statement with the faults for which it has room."""
        if isinstance(statement, SIMPLE):
            return self.simple(statement)
        if isinstance(statement, (ast.If, ast.While)):
            statement.test = self.condition(statement.test)
            statement.body = self.block(statement.body)
            statement.orelse = self.block(statement.orelse)
        elif isinstance(statement, ast.Break):
            number = self.new(DROP, statement, "break")
            return [_when(number, [ast.Pass()], [statement])]
        return [statement]

    def simple(self, statement: ast.stmt) -> list[ast.stmt]:
        """A statement without inner statements, with its faults."""
        if _is_not_kernel_code(statement):
            return [statement]
        made = [statement]
        instead = _without(statement)
        if instead is not None:
            made = [_when(self.new(DROP, statement, ast.unparse(statement)), [instead], made)]
        lock, operation = _lock_of(statement)
        if operation in UNLOCKS:
            number = self.new(UNLOCK, statement, f"{lock}.{operation}")
            self.unlocks[lock, UNLOCKS[operation]].append(number)
            made = [_when(number, [_step()], made)]
        for number in self.unlocks.get((lock, operation), ()):
            made = [_when(number, [_step()], made)]
        return made

    def condition(self, test: ast.expr) -> ast.expr:
        """A condition with the faults for which it has room."""
        made, text = test, ast.unparse(test)
        if isinstance(test, ast.Constant):
            return test
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            number = self.new(INVERT, test, text)
            return _either(number, ast.UnaryOp(ast.Not(), test), made)
        for operator, others in ((BOUND, OFF_BY_ONE), (INVERT, INVERTED)):
            other = others.get(type(test.ops[0]))
            if other is not None:
                changed = ast.Compare(test.left, [other()], test.comparators)
                made = _either(self.new(operator, test, text), changed, made)
        return made


class _Super(ast.NodeTransformer):
    """Gives `super()` its arguments, in a function that is no longer in its class."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Name the class and the kernel."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            node.args = [ast.Name("__owner__", ast.Load()), ast.Name("k", ast.Load())]
        return node


def _asking(number: int) -> ast.expr:
    return ast.parse(f"k.at({number})", mode="eval").body


def _when(number: int, then: Sequence[ast.stmt], other: Sequence[ast.stmt]) -> ast.stmt:
    return ast.If(_asking(number), list(then), list(other))


def _either(number: int, then: ast.expr, other: ast.expr) -> ast.expr:
    return ast.IfExp(_asking(number), then, other)


def _step() -> ast.stmt:
    return ast.parse("yield STEP").body[0]


def _is_not_kernel_code(statement: ast.stmt) -> bool:
    """Whether a statement is not one of the kernel: a docstring, `yield STEP`, `yield from ()`, an
    assertion, or one that only the model needs."""
    text = ast.unparse(statement)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return text in (*MARKS, *MODELLED) or any(each in text for each in SAYINGS)


def _without(statement: ast.stmt) -> ast.stmt | None:
    """The replacement for a statement that is left out; None if it only sets locals."""
    if isinstance(statement, ast.Assign):
        yields = any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(statement))
        targets = list[Any]()
        for target in statement.targets:
            targets += target.elts if isinstance(target, ast.Tuple) else [target]
        if all(isinstance(each, ast.Name) for each in targets):
            if not yields or len(targets) != 1:
                return None
            return ast.Assign([ast.Name(targets[0].id, ast.Store())], ast.Constant(0))
    return ast.Pass()


def _lock_of(statement: ast.stmt) -> tuple[str, str]:
    """The lock and the operation of `yield lock.operation`."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(value, ast.Yield) and isinstance(value.value, ast.Attribute):
        return ast.unparse(value.value.value), value.value.attr
    return "", ""
