"""A path on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.errors import InputError, Problem


class _PathType(click.Path):
    """A path that a disk can have: click trips on a NUL, which only a program can give it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "\0" in str(value):
            allowed = "must be a path, which has no NUL in it"
            raise InputError([Problem("command line", "", repr(str(value)), allowed)])
        return super().convert(value, param, ctx)


PATH = _PathType(path_type=Path)
