"""What a user did wrong, told all at once and in full; and what the model itself got wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_MAX = 200
"""So many letters of a key or value are shown."""
ALLOWED_MAX = 1000
"""And of what is allowed, which may quote what was given."""


@dataclass(frozen=True)
class Problem:
    """One mistake in an input: where it is, what stands there and what may stand there.

    `where` is a key (`harts[3].geilen`) or a line; empty when the whole file is meant.
    `remedy` is an optional sentence such as "did you mean 'seed'?".
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
    """A text that may be anything, short enough for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


class InputError(Exception):
    """Bad input: every problem that was found, not only the first (exit status 2)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class ModelError(AssertionError):
    """The model relies on something that does not hold: a fault of hgeisim, or of a user's patch.

    It is raised by code that `python -O` keeps, which an assert is not.
    """
