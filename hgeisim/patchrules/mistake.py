"""A mistake in a patch: its place in the source, what is wrong, and what to do about it."""

from __future__ import annotations

import ast
from typing import NamedTuple


class Mistake(NamedTuple):
    """A mistake at a node of the source, with a remedy."""

    node: ast.AST
    text: str
    remedy: str

    @property
    def line(self) -> int:
        """The line of the node."""
        return getattr(self.node, "lineno", 0)
