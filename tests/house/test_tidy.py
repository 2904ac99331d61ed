"""Every file of the project meets the bar of tests/house/tidy.py, and the bar can be missed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from statistics import median, quantiles

import pytest

from tests.house import tidy
from tests.support.source import project_files, python_files, text_of, tree_of

TextCheck = Callable[[str, str], Iterator[str]]
TreeCheck = Callable[[str, ast.Module], Iterator[str]]

TEXT_CHECKS: list[TextCheck] = [tidy.unfinished, tidy.foreign_paths, tidy.banned_words]
SIZE_CHECKS: list[TextCheck] = [tidy.long_lines, tidy.long_file]
TREE_CHECKS: list[TreeCheck] = [tidy.long_functions, tidy.many_arguments]
PACKAGE_CHECKS: list[TreeCheck] = [tidy.without_docstring, tidy.chance, tidy.set_order]


def name_of(check: Callable[..., object]) -> str:
    return check.__name__


def fail_with(found: list[str]) -> None:
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("check", TEXT_CHECKS, ids=name_of)
def test_texts(check: TextCheck) -> None:
    texts = ((name, text_of(name)) for name in project_files())
    fail_with([said for name, text in texts if text for said in check(name, text)])


@pytest.mark.parametrize("check", SIZE_CHECKS, ids=name_of)
def test_sizes(check: TextCheck) -> None:
    fail_with([said for name in python_files() for said in check(name, text_of(name) or "")])


@pytest.mark.parametrize("check", TREE_CHECKS, ids=name_of)
def test_functions(check: TreeCheck) -> None:
    fail_with([said for name in python_files() for said in check(name, tree_of(name))])


@pytest.mark.parametrize("check", PACKAGE_CHECKS, ids=name_of)
def test_package(check: TreeCheck) -> None:
    fail_with([said for name in python_files("hgeisim") for said in check(name, tree_of(name))])


def test_most_functions_are_short() -> None:
    trees = map(tree_of, python_files("hgeisim"))
    lines = [tidy.function_lines(each) for tree in trees for each in tidy.functions(tree)]
    assert median(lines) <= 8
    assert quantiles(lines, n=10)[-1] < 40


LONG = "def f():\n" + "    x = 1\n" * 60
SIX = "def f(a, b, c, d, e, f): ..."

BAD_TEXTS: list[tuple[TextCheck, str, str]] = [
    (tidy.long_lines, "x = 1\n" + "y" * 101, "a.py:2: line of 101"),
    (tidy.long_file, "x\n" * 401, "a.py:401: file of 401"),
    (tidy.unfinished, "x\n# FIX" + "ME later", "a.py:2: FIX" + "ME"),
    (tidy.unfinished, "# TO" + "DO: all", "a.py:1: TO" + "DO"),
    (tidy.foreign_paths, "see /wo" + "rk/x", "a.py:1: an absolute path"),
    (tidy.foreign_paths, "'/ho" + "me/me'", "a.py:1: an absolute path"),
    (tidy.foreign_paths, "in sha" + "red/x.md", "a.py:1: a folder outside"),
    (tidy.banned_words, "\nlever" + "age it", "a.py:2: 'lever" + "age' is banned: write 'use'"),
    (tidy.banned_words, "Help" + "ers here", "a.py:1: 'Help" + "ers' is banned: say what it does"),
]


@pytest.mark.parametrize(("check", "text", "said"), BAD_TEXTS)
def test_a_bad_text_is_told(check: TextCheck, text: str, said: str) -> None:
    (found,) = check("a.py", text)
    assert found.startswith(said)


BAD_SOURCES: list[tuple[TreeCheck, str, str]] = [
    (tidy.long_functions, LONG, "a.py:1: f has 61 lines"),
    (tidy.many_arguments, SIX, "a.py:1: f has 6 arguments"),
    (tidy.many_arguments, "class A:\n def f(k, a, b, c, d, *, e, f): ...", "a.py:2: f has 6"),
    (tidy.without_docstring, "x = 1", "a.py:1: module"),
    (tidy.without_docstring, '"""M."""\ndef f(): ...', "a.py:2: f has no docstring"),
    (tidy.without_docstring, '"""M."""\nclass A: ...', "a.py:2: A has no docstring"),
    (
        tidy.without_docstring,
        '"""M."""\nclass A:\n """A."""\n def f(self): ...',
        "a.py:4: f has no docstring",
    ),
    (tidy.chance, "import random", "a.py:1: random"),
    (tidy.chance, "from random import choice", "a.py:1: random"),
    (tidy.chance, "from numpy import random", "a.py:1: random"),
    (tidy.chance, "\nnow = time.time()", "a.py:2: time.time"),
    (tidy.chance, "key = hash(text)", "a.py:1: hash()"),
    (tidy.set_order, "for x in {1, 2}: pass", "a.py:1: iterates"),
    (tidy.set_order, "[x for x in set(y)]", "a.py:1: iterates"),
    (tidy.set_order, "list({x for x in y})", "a.py:1: iterates"),
]


@pytest.mark.parametrize(("check", "source", "said"), BAD_SOURCES)
def test_a_bad_source_is_told(check: TreeCheck, source: str, said: str) -> None:
    (found,) = check("a.py", ast.parse(source))
    assert found.startswith(said)


GOOD = '''"""Module."""
import numpy as np

def command_like(self, a, b, c, d, e):
    """Document."""
    return [x for x in sorted({1, 2})], x.hash(a), "Reissued at runtime/work/x", {1} | {2}

def _private(a): ...

class A:
    """Class."""

    @f.setter
    def f(self, value): ...
'''


@pytest.mark.parametrize("check", TEXT_CHECKS + SIZE_CHECKS, ids=name_of)
def test_a_good_text_passes(check: TextCheck) -> None:
    assert list(check("a.py", GOOD)) == []


@pytest.mark.parametrize("check", TREE_CHECKS + PACKAGE_CHECKS, ids=name_of)
def test_a_good_source_passes(check: TreeCheck) -> None:
    assert list(check("a.py", ast.parse(GOOD))) == []


def test_a_path_may_be_as_long_as_its_twin() -> None:
    tree = ast.parse(LONG)
    assert list(tidy.long_functions("hgeisim/kernel/a.py", tree)) == []
    assert len(list(tidy.long_functions("hgeisim/machine/a.py", tree))) == 1


def test_options_of_a_command_are_no_arguments() -> None:
    assert list(tidy.many_arguments("a.py", ast.parse(f"@click.command()\n{SIX}"))) == []
