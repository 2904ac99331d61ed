"""A replay token on the command line."""

from __future__ import annotations

from hgeisim.drivers.explored.counterexample.token import Token, TokenError, decode
from hgeisim.errors import InputError, Problem


def decoded(word: str, option: str) -> Token:
    """What a word says that an option was given.  Raises `InputError`."""
    try:
        return decode(word)
    except TokenError as error:
        shown = word if len(word) < 40 else f"{word[:36]}..."
        problem = f"is no replay token: {error}"
        raise InputError([Problem("command line", option, shown, problem, error.remedy)]) from None
