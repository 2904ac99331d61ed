"""Traces of a real kernel: ftrace text in, the same run folder out as a simulation leaves.

`hgeisim.trace` is also where the door has its functions about traces (`hgeisim.library.trace`): a
package has one attribute of this name, so they are passed on from here when they are named.
"""

from importlib import import_module
from typing import Any

_OF_THE_DOOR = ("calibrate", "check", "compare", "import_", "recording_script")


def __getattr__(name: str) -> Any:
    if name not in _OF_THE_DOOR:
        raise AttributeError(f"module 'hgeisim.trace' has no attribute {name!r}")
    return getattr(import_module("hgeisim.library.trace"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_THE_DOOR})
