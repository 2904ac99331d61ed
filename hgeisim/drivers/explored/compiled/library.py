"""The compiled inner loop, as functions of ctypes, where it was built from the source here.

It is plain C without Python's headers (`search.c`).  With `HGEISIM_PURE=1` it is not used.
"""

from __future__ import annotations

import ctypes as c
from functools import cache
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from os import environ
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMPILED, PYTHON = "compiled", "python"
PURE = "HGEISIM_PURE"
FINISHED, PAUSED, BOUNDED, LEARN, STEP, VIEW, END, NO_MEMORY = range(8)
"""The results of `search_run`, as in `search.c`."""


class Status(c.Structure):
    """The public part of a search: the struct with these fields in `search.c`."""

    _fields_ = [
        (name, c.c_uint64)
        for name in (
            *("number", "state", "slot", "answer"),
            *("states", "expanded", "transitions", "ends"),
        )
    ]


class Words(c.Structure):
    """Random words and the number of those that are used up, as in `search.c`."""

    _fields_ = [("word", c.c_void_p), ("count", c.c_uint64), ("used", c.c_uint64)]


_TEXT, _ITEMS = c.c_char_p, c.POINTER(c.c_uint32)
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "tables_new": (c.c_void_p, [c.c_uint32, c.c_uint32, _TEXT, _TEXT, _TEXT]),
    "tables_free": (None, [c.c_void_p]),
    "tables_answer": (
        c.c_uint32,
        [c.c_void_p, c.c_uint32, _TEXT, _TEXT, c.c_uint8, c.c_uint8, c.c_uint8],
    ),
    "tables_plant": (
        c.c_int,
        [c.c_void_p, c.c_uint32, c.c_uint32, _TEXT, _TEXT, c.c_uint32],
    ),
    "search_new": (c.POINTER(Status), [c.c_void_p, c.c_uint8]),
    "search_free": (None, [c.POINTER(Status)]),
    "search_run": (c.c_int, [c.POINTER(Status), c.c_uint64, c.c_uint64]),
    "search_level": (c.c_int, [c.POINTER(Status), c.c_uint64, c.c_uint64]),
    "search_walk": (c.c_int, [c.POINTER(Status), c.POINTER(Words), c.c_uint32, c.c_uint32]),
    "search_node": (c.c_uint64, [c.POINTER(Status), c.c_uint32]),
    "search_turn_back": (None, [c.POINTER(Status), c.c_int]),
    "search_state": (None, [c.POINTER(Status), c.c_uint32, _TEXT]),
    "search_next": (None, [c.POINTER(Status), _TEXT]),
    "search_knows": (c.c_int, [c.POINTER(Status), _TEXT]),
    "search_origin": (c.c_uint64, [c.POINTER(Status), c.c_uint32]),
    "search_list": (c.c_uint32, [c.POINTER(Status), c.c_int, c.POINTER(_ITEMS)]),
    "search_pairs": (
        c.c_int,
        [c.POINTER(Status), c.c_uint32, _TEXT, _TEXT, c.c_uint32, _TEXT, _TEXT, c.c_void_p],
    ),
    "search_bytes": (c.c_uint64, [c.POINTER(Status)]),
    "search_source": (_TEXT, []),
}
"""For each function the type that it returns, and those of its arguments."""


def library() -> Any | None:
    """The functions of `search.c`; None where they are not built or not wanted."""
    return None if environ.get(PURE, "") not in {"", "0"} else _loaded()[0]


def engine() -> str:
    """The inner loop of searches: compiled, or python and why."""
    if library() is not None:
        return COMPILED
    return f"{PYTHON} ({_loaded()[1] or f'{PURE} is set'})"


@cache
def _loaded() -> tuple[Any | None, str]:
    """The functions and "", or None and the reason."""
    names = [HERE / f"_search{suffix}" for suffix in EXTENSION_SUFFIXES]
    built = next((path for path in names if path.is_file()), names[0])
    try:
        loaded = c.CDLL(str(built))
        for name, (returns, takes) in FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = returns, takes
    except (OSError, AttributeError):
        return None, "the compiled loop was not built"
    if loaded.search_source().decode() != sha256((HERE / "search.c").read_bytes()).hexdigest():
        return None, "the compiled loop was built from another source: install hgeisim again"
    return loaded, ""
