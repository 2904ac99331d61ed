"""Mistakes of a user, reported all together and in full; and faults of the model itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN_MAX = 200
"""Most letters of a key or value that are shown."""
ALLOWED_MAX = 1000
"""Most letters of the allowed values, which may quote the given one."""


@dataclass(frozen=True)
class Problem:
    """One mistake in an input: its place, the value that stands there and the values allowed there.

    `where` is a key (`harts[3].geilen`) or a line; empty if the whole file is meant.
    `remedy` is an optional sentence such as `did you mean "seed"?`.
    """

    file: str
    where: str
    value: str
    allowed: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {_cut(self.where)}" if self.where else self.file
        given = f" = {_cut(self.value)}" if self.value else ""
        hint = f"; {self.remedy}" if self.remedy else ""
        return f"{place}{given}: {_cut(self.allowed, ALLOWED_MAX)}{hint}"


def _cut(text: str, longest: int = SHOWN_MAX) -> str:
    """A text of any kind, short enough for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word; empty if none is near."""
    near = nearest(word, known)
    return f"did you mean {quoted(near)}?" if near else ""


def nearest(word: object, known: Iterable[str]) -> str:
    """The known word that looks most like another one; empty if none is near."""
    return next(iter(get_close_matches(str(word), list(known), n=1)), "")


def quoted(text: str) -> str:
    """A text in double quotes, as TOML and JSON write it, on one line."""
    # JSON and TOML agree on strings, except for one character that only TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True)
class ArgumentProblem(Problem):
    """A mistake in an argument of the library: `file` is the function, `where` the argument.

    The command line names the option instead.
    """


class InputError(Exception):
    """Bad input, with every problem that was found, not only the first (exit status 2)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """A worker process sends it with its problems."""
        return type(self), (self.problems,)


class NotBooted(Exception):
    """The machine cannot be set up with a user's code: a finding before anything runs; `ident` is
    its id."""

    def __init__(self, ident: str, text: str) -> None:
        super().__init__(text)
        self.ident = ident


class ModelError(AssertionError):
    """Something that the model relies on does not hold: a fault of hgeisim, or of a user's patch.

    `python -O` keeps the code that raises it; it would drop an assert.
    """
