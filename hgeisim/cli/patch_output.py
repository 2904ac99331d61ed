"""What a user's patch prints goes to stderr, so that the output of a command stays what it is.

A search executes a step once for each situation, and a path that is shown is walked several times:
each text is printed once, and at most SAID_MAX of them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import click

SAID_MAX = 1000
_said: dict[str, None] = {}


def say(*values: object, sep: str | None = None, end: str | None = None, **rest: Any) -> None:
    """Stand for `print` in the file of a patch; another file than stdout is written as ever."""
    text = (" " if sep is None else sep).join(map(str, values))
    file = rest.get("file")
    if file is None or file is sys.stdout:
        _say_once(text)
    else:
        file.write(text + ("\n" if end is None else end))


def _say_once(text: str) -> None:
    if text in _said or len(_said) > SAID_MAX:
        return
    _said[text] = None
    more = len(_said) > SAID_MAX
    with suppress(OSError):  # nobody reads stderr
        click.echo("(the patch prints more, which is left out)" if more else text, err=True)
