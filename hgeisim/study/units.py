"""The units in a condition: only what has the same one may be compared or added.

A plain number goes with any unit.  In a tree, the names `TIME` and `SHARE` stand behind each number
that was written as `20us` or `5%`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TIME, SHARE, NUMBER, TRUTH = "ns", "share", "", "yes or no"
MARKS = (TIME, SHARE)


class Mismatch(Exception):
    """Two parts of a condition do not go together; the text says which."""


@dataclass(frozen=True)
class Units:
    """`of_metric` has the unit of a metric in a tree."""

    of_metric: Callable[[ast.Attribute], str]

    def of(self, node: ast.expr) -> str:
        """The unit of a part of a condition.  Mismatch: some parts of it do not go together."""
        match node:
            case ast.Attribute():
                return self.of_metric(node)
            case ast.Name(id=mark):
                return mark
            case ast.BoolOp(values=parts):
                return self._truths(parts)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return self._truths([part])
            case ast.UnaryOp(operand=part):
                return self._together([part])
            case ast.Compare(left=left, comparators=others):
                self._together([left, *others])
                return TRUTH
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return self._together([left, right])
            case ast.BinOp(left=left, op=op, right=right):
                return _scaled(self._together([left]), op, self._together([right]))
        return NUMBER

    def _truths(self, parts: Sequence[ast.expr]) -> str:
        for part in parts:
            if self.of(part) != TRUTH:
                raise Mismatch(f"{_words(part)} must be compared with something")
        return TRUTH

    def _together(self, parts: Sequence[ast.expr]) -> str:
        """The one unit of some parts, which are numbers."""
        known = [(_words(part), unit) for part in parts if (unit := self.of(part))]
        for part, unit in known:
            if unit == TRUTH:
                raise Mismatch(f"{part} is yes or no, and must be a number")
            if unit != known[0][1]:
                first, of_first = known[0]
                raise Mismatch(f"{first} ({of_first}) does not go with {part} ({unit})")
        return known[0][1] if known else NUMBER


def _scaled(left: str, op: ast.operator, right: str) -> str:
    """The unit of a product or quotient, as far as it is known."""
    for one, other in ((left, right), (right, left)) if isinstance(op, ast.Mult) else ():
        if one == NUMBER or (one == SHARE and other != NUMBER):
            return other
    if isinstance(op, ast.Div) and (right == NUMBER or (right == SHARE and left != SHARE)):
        return left
    return NUMBER


def _words(part: ast.expr) -> str:
    """A part as it was written."""
    return ast.unparse(part).replace(f" / 100 * {SHARE}", "%").replace(f" * {TIME}", TIME)
