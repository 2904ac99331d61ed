"""Conditions on metrics: `A.sw_file_time > 1.05 * B.sw_file_time`, `sw_file_time < 1%`.

Python's parser reads them; nothing is executed.  What is not on the list here is refused: numbers,
`1%` and times such as `20us`, `+ - * /`, comparisons, `and`, `or`, `not`, parentheses, and
`NAME.METRIC`, also as `NAME.METRIC.low` and `.high` for the bounds of its interval.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hgeisim.errors import did_you_mean
from hgeisim.library.arguments import wrong
from hgeisim.scenario.table import UNIT_NS, parse_duration
from hgeisim.study.metrics import METRICS
from hgeisim.study.statistics import Interval
from hgeisim.study.units import MARKS, NUMBER, SHARE, TIME, TRUTH, Mismatch, Units

LENGTH_MAX = 500
BOUNDS = ("low", "high")
_PERCENT = re.compile(r"(?<![\w.])(\d+(?:\.\d*)?|\.\d+)\s*%(?!\s*[\w(.])")
_TIME = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)\s*({'|'.join(UNIT_NS)})\b")
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARING: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_TARGET = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=?)\s*(\S.*?)\s*")
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE]-?\d+)?|\.\d+")


class Term(NamedTuple):
    """A metric of a variant in a condition, or a bound of its interval."""

    variant: str
    metric: str
    bound: str = ""


@dataclass(frozen=True)
class Condition:
    """A condition on the metrics of some variants; `place` is the argument that holds it."""

    text: str
    tree: ast.expr
    place: tuple[str, str]

    @property
    def terms(self) -> list[Term]:
        """The metrics in it, in their order."""
        return [
            term
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute) and (term := _term(node)) is not None
        ]

    def holds(self, values: Mapping[tuple[str, str], Interval | None]) -> bool:
        """Whether it holds for the estimates of (variant, metric).

        InputError: one of them has no value, or it divides by zero.
        """
        try:
            return bool(self._value(self.tree, values))
        except ZeroDivisionError:
            raise wrong(self.place, self.text, "divides by zero") from None
        except OverflowError:
            raise wrong(self.place, self.text, "has a number that is too large") from None

    def _value(self, node: ast.expr, values: Mapping[tuple[str, str], Interval | None]) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return 1  # the mark of a time or a share
        if isinstance(node, ast.BoolOp):
            found = (bool(self._value(each, values)) for each in node.values)
            return all(found) if isinstance(node.op, ast.And) else any(found)
        if isinstance(node, ast.UnaryOp):
            inner = self._value(node.operand, values)
            return not inner if isinstance(node.op, ast.Not) else -inner
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            return _BINARY[type(node.op)](left, right)
        if isinstance(node, ast.Compare):
            sides = [self._value(each, values) for each in (node.left, *node.comparators)]
            return all(
                _COMPARING[type(op)](one, other)
                for op, one, other in zip(node.ops, sides, sides[1:], strict=False)
            )
        return self._estimate(_term(node), values)

    def _estimate(
        self, term: Term | None, values: Mapping[tuple[str, str], Interval | None]
    ) -> float:
        found = values.get((term.variant, term.metric)) if term else None
        number = getattr(found, term.bound or "value", None) if term else None
        if number is None:
            shown = ".".join(filter(None, term or ()))
            allowed = f"{shown} has no value here: {METRICS[term.metric].over if term else ''}"
            raise wrong(self.place, self.text, f"{allowed} is zero, or there is one run only")
        return float(number)


def condition(text: str, variants: Mapping[str, str], place: tuple[str, str]) -> Condition:
    """Read a condition; `variants` are the names that it may use.  InputError: it has a mistake."""
    example = "A.sw_file_time > 1.05 * B.sw_file_time"
    if len(text) > LENGTH_MAX:
        raise wrong(place, text, f"must have at most {LENGTH_MAX} letters")
    plain = _TIME.sub(lambda found: _ns(found, text, place), text)
    plain = _PERCENT.sub(lambda found: f"({found[1]}/100*{SHARE})", plain)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise wrong(place, text, f"must be a condition such as {example}") from None
    for refusal in _refusals(tree, variants):
        raise wrong(place, text, *refusal)
    made = Condition(text, tree, place)
    try:
        compares = Units(_unit_of).of(tree) == TRUTH
    except Mismatch as error:
        raise wrong(place, text, str(error)) from None
    if not (compares and made.terms):
        raise wrong(place, text, f"must compare something, such as {example}")
    return made


def _unit_of(node: ast.Attribute) -> str:
    term = _term(node)
    return METRICS[term.metric].unit if term else NUMBER


def _ns(found: re.Match[str], text: str, place: tuple[str, str]) -> str:
    try:
        return f"({parse_duration(''.join(found.groups()))}*{TIME})"
    except ValueError as error:
        raise wrong(place, text, str(error)) from None


def _refusals(tree: ast.expr, variants: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The first thing in a condition that is not on the list, if there is one, with a remedy."""
    inner = [tree]
    while inner:
        node = inner.pop()
        if isinstance(node, ast.Attribute):
            yield from _unknown(node, variants)
        elif isinstance(node, ast.BoolOp):
            inner += node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            inner.append(node.operand)
        elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            inner += (node.left, node.right)
        elif isinstance(node, ast.Compare) and all(type(op) in _COMPARING for op in node.ops):
            inner += (node.left, *node.comparators)
        elif isinstance(node, ast.Name) and node.id in MARKS:
            continue
        elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
            allowed = (
                f"may have numbers, comparisons, + - * /, and, or, not, and {_names(variants)}"
            )
            yield f"{ast.unparse(node)} is not allowed; it {allowed}", ""


def _unknown(node: ast.Attribute, variants: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    term = _term(node)
    if term is None or term.variant not in variants:
        yield f"{ast.unparse(node)} must be {_names(variants)}", ""
    elif term.metric not in METRICS:
        allowed = f"{term.metric} is not a metric; there are {', '.join(METRICS)}"
        yield allowed, did_you_mean(term.metric, METRICS)


def _names(variants: Mapping[str, str]) -> str:
    return " or ".join(f"{letter}.METRIC ({name})" for letter, name in variants.items())


def _term(node: ast.expr) -> Term | None:
    if not isinstance(node, ast.Attribute):
        return None
    if isinstance(node.value, ast.Name):
        return Term(node.value.id, node.attr)
    inner = node.value
    if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
        return Term(inner.value.id, inner.attr, node.attr) if node.attr in BOUNDS else None
    return None


class Target(NamedTuple):
    """A metric that has to stay below a number (`sw_file_time < 1%`), or may reach it (`<=`)."""

    metric: str
    limit: float
    text: str
    reaches: bool = False

    def kept(self, found: Interval) -> bool:
        """Whether all of an interval keeps it."""
        high = found.high
        return high is not None and (high <= self.limit if self.reaches else high < self.limit)

    def broken(self, found: Interval) -> bool:
        """Whether all of an interval breaks it."""
        low = found.low
        return low is not None and (low > self.limit if self.reaches else low >= self.limit)


def target(text: str, place: tuple[str, str]) -> Target:
    """Read a target.  InputError: it is not `METRIC < NUMBER`, or there is not such a metric."""
    found = _TARGET.fullmatch(text) if len(text) <= LENGTH_MAX else None
    if found is None:
        allowed = 'must be METRIC < NUMBER, such as "sw_file_time < 1%" or "fail_entry < 1e-3"'
        raise wrong(place, text, allowed)
    check_metric(found[1], place)
    limit, unit = _number(found[3], text, place)
    if unit not in (NUMBER, of := METRICS[found[1]].unit):
        raise wrong(place, text, f"{found[1]} ({of}) does not go with {found[3]} ({unit})")
    return Target(found[1], limit, f"{found[1]} {found[2]} {found[3]}", found[2] == "<=")


def _number(word: str, text: str, place: tuple[str, str]) -> tuple[float, str]:
    """A number, and its unit."""
    if word.endswith("%") and _NUMBER.fullmatch(word[:-1].rstrip()):
        return float(word[:-1]) / 100, SHARE
    if _NUMBER.fullmatch(word):
        return float(word), NUMBER
    try:
        return float(parse_duration(word)), TIME
    except ValueError:
        raise wrong(place, text, f'{word} must be a number, "1%" or a time: "20us"') from None


def check_metric(name: str, place: tuple[str, str]) -> None:
    """Refuse, by InputError, a name that is not a metric."""
    if name not in METRICS:
        allowed = f"is not a metric; there are {', '.join(METRICS)}"
        raise wrong(place, name, allowed, did_you_mean(name, METRICS))
