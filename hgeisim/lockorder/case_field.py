"""A value in a case file together with its place, so that what is wrong can be told in full."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NoReturn

from hgeisim.errors import InputError, Problem

_MISSING = object()
_SHOWN_MAX = 60


@dataclass(frozen=True)
class Field:
    """A part of a document: `where` is the way to it, such as `[3] (AA.mutex).threads[0]`.

    Every reader returns the value in its type, or raises InputError with one problem.
    """

    file: str
    where: str
    value: Any

    def at(self, key: str, default: Any = _MISSING) -> Field:
        """The value of a key; without a default the key must be there."""
        where = f"{self.where}.{key}" if self.where else key
        return Field(self.file, where, self.table().get(key, default))

    def table(self) -> dict[str, Any]:
        """A JSON object."""
        return self.value if isinstance(self.value, dict) else self.wrong("must be an object")

    def entries(self) -> dict[str, Field]:
        """The values of a JSON object by key."""
        return {key: self.at(key) for key in self.table()}

    def items(self) -> list[Field]:
        """The elements of a JSON list."""
        if not isinstance(self.value, list):
            self.wrong("must be a list")
        places = (f"{self.where}[{number}]" for number in range(len(self.value)))
        return [Field(self.file, *each) for each in zip(places, self.value, strict=True)]

    def text(self) -> str:
        """A string that is not empty."""
        if isinstance(self.value, str) and self.value:
            return self.value
        return self.wrong("must be a name")

    def flag(self) -> bool:
        """A truth value."""
        return self.value if isinstance(self.value, bool) else self.wrong("must be true or false")

    def whole(self) -> int:
        """A whole number, 0 or more."""
        value = self.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self.wrong("must be a whole number, 0 or more")

    def one_of(self, allowed: Collection[str]) -> str:
        """One of some names."""
        if isinstance(self.value, str) and self.value in allowed:
            return self.value
        return self.wrong(f"must be one of {', '.join(allowed)}" if allowed else "must be left out")

    def wrong(self, allowed: str) -> NoReturn:
        """Refuse the value."""
        if self.value is _MISSING:
            raise InputError([Problem(self.file, self.where, "", f"is missing; {allowed}")])
        shown = repr(self.value)
        shown = shown if len(shown) <= _SHOWN_MAX else shown[: _SHOWN_MAX - 3] + "..."
        raise InputError([Problem(self.file, self.where, shown, allowed)])
