"""Fields that a patch adds to a struct, as C does: in the struct.

A class of the kernel names the struct again and says what is new::

    class Dying(Aia):
        class Vcpu(structs.Vcpu):
            dying: Field

Python's method resolution does for structs what it does for functions; fields of several patches
add up.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from hgeisim.machine.shared import Shared

S = TypeVar("S", bound=Shared)


def extended(kernel: type, struct: type[S]) -> type[S]:
    """A struct with the fields that the patches of a kernel add to it; each time the same."""
    made: type[S] = _extended(kernel, struct)
    return made


@cache
def _extended(kernel: type, struct: Any) -> Any:
    name = struct.__name__
    patched = [vars(cls)[name] for cls in reversed(kernel.__mro__) if name in vars(cls)]
    if len(patched) < 2:
        return patched[0] if patched else struct
    fields = {
        field: kind for each in patched for field, kind in vars(each)["__annotations__"].items()
    }
    return type(struct)(name, (struct,), {"__module__": __name__, "__annotations__": fields})
