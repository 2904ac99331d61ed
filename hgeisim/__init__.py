"""hgeisim: test and size the RISC-V KVM code that hands HGEI lines to virtual CPUs.

`hgeisim.library` describes the functions and results that are offered here, with examples.  They
are imported when they are first named, so that the command starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hgeisim.version import VERSION

if TYPE_CHECKING:
    from hgeisim.errors import InputError
    from hgeisim.library import locks
    from hgeisim.library.explanation import Explanation, explain
    from hgeisim.library.exploration import Exploration, explore
    from hgeisim.library.museum import Museum, museum
    from hgeisim.library.power import Noticed, power
    from hgeisim.library.replay import Replay, replay
    from hgeisim.library.run import Result, read, run
    from hgeisim.library.scenarios import canonical, load, scenarios, topology, variants
    from hgeisim.library.series import SeriesExploration, series
    from hgeisim.study.capacity import Capacity, capacity
    from hgeisim.study.comparison import Comparison, compare
    from hgeisim.study.sweep import Sweep, sweep
    from hgeisim.study.validation import Validation, validate

__version__ = VERSION
_HOMES = {
    "hgeisim.errors": ("InputError",),
    "hgeisim.library.scenarios": ("canonical", "load", "scenarios", "topology", "variants"),
    "hgeisim.library.run": ("Result", "read", "run"),
    "hgeisim.library.explanation": ("Explanation", "explain"),
    "hgeisim.library.power": ("Noticed", "power"),
    "hgeisim.library.exploration": ("Exploration", "explore"),
    "hgeisim.library.replay": ("Replay", "replay"),
    "hgeisim.library.series": ("SeriesExploration", "series"),
    "hgeisim.library.museum": ("Museum", "museum"),
    "hgeisim.study.capacity": ("Capacity", "capacity"),
    "hgeisim.study.comparison": ("Comparison", "compare"),
    "hgeisim.study.sweep": ("Sweep", "sweep"),
    "hgeisim.study.validation": ("Validation", "validate"),
}
"""The modules that have the names which are offered."""
_MODULES = {"locks": "hgeisim.library.locks", "trace": "hgeisim.trace"}
__all__ = [
    "Capacity",
    "Comparison",
    "Explanation",
    "Exploration",
    "InputError",
    "Museum",
    "Noticed",
    "Replay",
    "Result",
    "SeriesExploration",
    "Sweep",
    "Validation",
    "canonical",
    "capacity",
    "compare",
    "explain",
    "explore",
    "load",
    "locks",
    "museum",
    "power",
    "read",
    "replay",
    "run",
    "scenarios",
    "series",
    "sweep",
    "topology",
    "trace",
    "validate",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'hgeisim' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
