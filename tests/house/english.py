"""Patterns of foreign English, which the prose of the project has none of.

Prose is what people read: docstrings, comments, messages, help texts and documents, not names.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

APART = r"(?!(\W+\w+){0,6}\W+apart\b)"
"""To tell two things apart is English."""
PATTERNS = {
    "tell": re.compile(rf"\b(tells?|told|telling)\b{APART}", re.IGNORECASE),
    "is no": re.compile(r"(?<!there )\b(is|are|was|were) no\b(?! (longer|more|less|other)\b)"),
    "of which": re.compile(r"\bof which\b"),
    "so many": re.compile(r"\bso many\b"),
    "not to be had": re.compile(r"\bnot to be had\b"),
    "by then": re.compile(r"\bby then\b"),
    "at once": re.compile(r"\bat once\b"),
    "Who as a subject": re.compile(r"(?:^|[.:;(]\s+)Who\b(?![^.]*\?)"),
}
BETTER = {
    "tell": "write 'report', 'record', 'print', 'show', 'contain' or 'say'",
    "is no": "write 'is not a'",
    "of which": "write 'whose', or two sentences",
    "so many": "name the number",
    "not to be had": "say what is missing",
    "by then": "say before what",
    "at once": "write 'immediately' or 'together'",
    "Who as a subject": "write 'A context that ...' or 'The caller ...'",
    "What as an opening": "name the thing",
}


class Line(NamedTuple):
    """A line of prose: its number, its text, and whether a docstring opens with it."""

    number: int
    text: str
    opens: bool = False


def foreign(name: str, text: str) -> Iterator[str]:
    """Each pattern in the prose of a file, with its line and what to write instead."""
    for number, line, opens in prose(text) if name.endswith(".py") else whole(text):
        if opens and re.match(r"What\b", line):
            yield f"{name}:{number}: What as an opening: {BETTER['What as an opening']}"
        for pattern, expression in PATTERNS.items():
            if expression.search(line):
                yield f"{name}:{number}: {pattern}: {BETTER[pattern]}"


def whole(text: str) -> Iterator[Line]:
    """All lines of a document."""
    for number, line in enumerate(text.splitlines(), 1):
        yield Line(number, line)


def prose(source: str) -> Iterator[Line]:
    """The lines of the comments and strings of a Python file."""
    docstrings = set(_openings(ast.parse(source)))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            first = token.start[0]
            for number, line in enumerate(token.string.splitlines(), first):
                text = line.strip("#: rfb\"'" if number == first else " ")
                yield Line(number, text, number == first and first in docstrings)


def _openings(tree: ast.Module) -> Iterator[int]:
    """The first line of each docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            yield node.body[0].lineno
