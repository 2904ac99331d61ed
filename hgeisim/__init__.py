"""hgeisim: test and size the RISC-V KVM code that hands HGEI lines to virtual CPUs.

    load, run, read, Result, InputError

are the library; `hgeisim.library` tells how they are used.  They are imported when they are first
named, so that the command answers at once.
"""

from typing import TYPE_CHECKING, Any

from hgeisim.version import VERSION

if TYPE_CHECKING:
    from hgeisim.errors import InputError
    from hgeisim.library import Result, load, read, run

__version__ = VERSION
__all__ = ["InputError", "Result", "load", "read", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'hgeisim' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    module = "hgeisim.errors" if name == "InputError" else "hgeisim.library"
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
