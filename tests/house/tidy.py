"""The bar that every file of the project meets: sizes, docstrings, words, sources of chance."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

FILE_LINES_MAX = 400
LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 60
PATH_LINES_MAX = 80
"""For hgeisim/kernel: a path is as long as its C twin."""
ARGUMENTS_MAX = 5
SELVES = {"self", "cls", "k"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

_MACHINE_PATHS = re.compile("(?<![A-Za-z0-9_.}>)/-])/(?:" + "work|home|root|tmp" + ")/")
_OUTER_FOLDER = re.compile(r"(?<![A-Za-z0-9_])" + "shared" + "/")
_UNFINISHED = re.compile(r"\b(" + "FIX" + "ME|TO" + r"DO)\b")
_BANNED = {
    "help" + "er": "say what it does",
    "ut" + "ils": "name the concept",
    "ag" + "ent": "say who or what acts",
    "iss" + "ue": "say what is wrong, or what is done",
    "utili" + "[sz]e": "write 'use'",
    "lever" + "age": "write 'use'",
    "white" + "list": "write 'allow list'",
    "black" + "list": "write 'deny list'",
    "sanity" + " check": "say what is checked",
    "seam" + "lessly": "leave it out",
    "py" + r"pi\.org": "name no registry",
}
_BANNED_WORDS = [
    (re.compile(rf"(?<![A-Za-z])({word})s?(?![A-Za-z])", re.IGNORECASE), instead)
    for word, instead in _BANNED.items()
]
_CHANCE = {
    "time.time": "pass simulated time",
    "datetime.now": "pass simulated time",
    "datetime.datetime.now": "pass simulated time",
}


def long_lines(name: str, text: str) -> Iterator[str]:
    """Lines over 100 characters, in Python and Markdown-free text alike."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LINE_LENGTH_MAX:
            yield f"{name}:{number}: line of {len(line)} characters, {LINE_LENGTH_MAX} at most"


def long_file(name: str, text: str) -> Iterator[str]:
    """Files over 400 lines."""
    count = len(text.splitlines())
    if count > FILE_LINES_MAX:
        yield f"{name}:{count}: file of {count} lines, {FILE_LINES_MAX} at most: split the concept"


def unfinished(name: str, text: str) -> Iterator[str]:
    """Marks of work left over."""
    for number, line in enumerate(text.splitlines(), start=1):
        for mark in _UNFINISHED.findall(line):
            yield f"{name}:{number}: {mark}: do it, or write down elsewhere that it is open"


def foreign_paths(name: str, text: str) -> Iterator[str]:
    """Paths that exist on one machine only, or outside the project."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _MACHINE_PATHS.search(line):
            yield f"{name}:{number}: an absolute path of one machine"
        if _OUTER_FOLDER.search(line):
            yield f"{name}:{number}: a folder outside the project"


def banned_words(name: str, text: str) -> Iterator[str]:
    """Words that say nothing, each with what to write instead."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, instead in _BANNED_WORDS:
            if found := pattern.search(line):
                yield f"{name}:{number}: '{found[0]}' is banned: {instead}"


def long_functions(name: str, tree: ast.Module) -> Iterator[str]:
    """Functions over 60 lines (paths: 80), docstring not counted."""
    most = PATH_LINES_MAX if name.startswith("hgeisim/kernel/") else FUNCTION_LINES_MAX
    for function in functions(tree):
        if (count := function_lines(function)) > most:
            yield f"{name}:{function.lineno}: {function.name} has {count} lines, {most} at most"


def many_arguments(name: str, tree: ast.Module) -> Iterator[str]:
    """Functions of more than 5 arguments; of a command they are its options, and free."""
    for function in functions(tree):
        if any("click." in ast.unparse(each) for each in function.decorator_list):
            continue
        taken = function.args
        names = [each.arg for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
        count = len(names) - (bool(names) and names[0] in SELVES)
        if count > ARGUMENTS_MAX:
            said = f"{function.name} has {count} arguments, {ARGUMENTS_MAX} at most"
            yield f"{name}:{function.lineno}: {said}"


def without_docstring(name: str, tree: ast.Module) -> Iterator[str]:
    """Modules, public classes and public functions that do not say what they mean."""
    if not ast.get_docstring(tree):
        yield f"{name}:1: module without a docstring"
    for node in _public(tree):
        if not ast.get_docstring(node) and not _speaks_for_itself(node):
            yield f"{name}:{node.lineno}: {node.name} has no docstring"


def chance(name: str, tree: ast.Module) -> Iterator[str]:
    """Sources of results that differ from run to run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if "random" in names or getattr(node, "module", "") == "random":
                yield f"{name}:{node.lineno}: random is banned: take a named stream"
        elif isinstance(node, ast.Attribute) and (dotted := ast.unparse(node)) in _CHANCE:
            yield f"{name}:{node.lineno}: {dotted} is banned: {_CHANCE[dotted]}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "hash":
            yield f"{name}:{node.lineno}: hash() is banned: it differs by PYTHONHASHSEED"


def set_order(name: str, tree: ast.Module) -> Iterator[str]:
    """Loops over a set made on the spot: their order differs by PYTHONHASHSEED."""
    for node in ast.walk(tree):
        walked: list[ast.expr] = []
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            walked = [node.iter]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("list", "tuple", "iter"):
            walked = node.args
        for each in walked:
            if _makes_set(each):
                yield f"{name}:{each.lineno}: iterates over a set: wrap it in sorted()"


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function, also nested ones and methods."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def function_lines(function: Function) -> int:
    """Count the lines of a function from `def` on, without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)


def _makes_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("set", "frozenset")


def _public(tree: ast.Module) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                members = [each for each in node.body if isinstance(each, Definition)]
                yield from (each for each in members if not each.name.startswith("_"))


def _speaks_for_itself(node: Definition) -> bool:
    """Whether it is an @overload, or the setter of a property, which its getter describes."""
    marks = [ast.unparse(each) for each in node.decorator_list]
    return any(mark.endswith(("overload", ".setter", ".deleter")) for mark in marks)
