"""Which lines of the kernel paths run, and which lines there are of those that docs/paths.md
numbers."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tests.source import tree_of
from tests.test_twins import ROWS, twin

Line = tuple[str, int]
"""A file of hgeisim/ and the number of a line."""


def lines_of_sections(first: int, last: int) -> dict[Line, str]:
    """The statements of all functions of sections 2.`first` to 2.`last`, with their function."""
    found = {}
    sections = {f"2.{n}" for n in range(first, last + 1)}
    for section, names, file in ROWS:
        leading = re.match(r"(?:`\w+`(?:, )?)*", names)
        for name in re.findall(r"\w+", leading.group() if leading else ""):
            if section in sections:
                method = twin(name, file)
                found.update(dict.fromkeys(_statements(file, method), f"{method} in {file}"))
    return found


def _statements(file: str, method: str | None) -> Iterator[Line]:
    for node in ast.walk(tree_of(f"hgeisim/{file}")):
        if isinstance(node, ast.FunctionDef) and node.name == method:
            for part in node.body[1:]:  # without the docstring
                for statement in ast.walk(part):
                    if isinstance(statement, ast.stmt):
                        yield file, statement.lineno


class Tracer:
    """Notes the lines of hgeisim/kernel/ that run while it is entered."""

    def __init__(self) -> None:
        self.lines: set[Line] = set()

    def __enter__(self) -> Tracer:
        self.before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        path = frame.f_code.co_filename
        if "hgeisim/kernel/" not in path:
            return None
        file = path.rpartition("hgeisim/")[2]
        self.lines.add((file, frame.f_lineno))

        def line(frame: FrameType, event: str, arg: object) -> Any:
            self.lines.add((file, frame.f_lineno))
            return line

        return line
