"""A mistake in a patch: where it stands, what is wrong, and what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple


class Mistake(NamedTuple):
    """A mistake at a node of the source."""

    node: ast.AST
    text: str
    remedy: str

    @property
    def line(self) -> int:
        """Where it stands."""
        return getattr(self.node, "lineno", 0)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy for a name that is not known: the nearest one, or something else to do."""
    near = get_close_matches(name, [each for each in known if not each.startswith("__")], 1)
    return f"did you mean {near[0]!r}?" if near else otherwise
