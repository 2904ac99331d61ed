"""Kernel versions: a base and patches on it, written `v6.12+percpu-v2`.

A patch is a class that overrides the functions it changes.  A variant is the base with the patches
in front of it, so that the last patch named is asked first.
"""

from __future__ import annotations

from difflib import get_close_matches

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.kernel.variants.percpu_v2_bitmap_reset import PercpuV2BitmapReset
from hgeisim.kernel.variants.percpu_v2_lock_init import PercpuV2LockInit
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.variants.v6_12 import V6_12

BASES: dict[str, type[Cpuhp]] = {"v6.12": V6_12}
PATCHES: dict[str, type[Aia]] = {
    "percpu-v2": PercpuV2,
    "percpu-v2-bitmap-reset": PercpuV2BitmapReset,
    "percpu-v2-lock-init": PercpuV2LockInit,
    "percpu-v5": PercpuV5,
}


def variant_problem(name: str) -> str | None:
    """Say what is wrong with a variant's name, or None."""
    base, *patches = name.split("+")
    wrong = _unknown("base", base, list(BASES))
    for patch in patches:
        wrong = wrong or _unknown("patch", patch, list(PATCHES))
    if not wrong and len(patches) > 1:
        wrong = "one patch at a time: the patches known so far replace each other"
    return wrong


def find_variant(name: str) -> type[Cpuhp]:
    """Return the kernel class of a variant.  Raises `ValueError` when there is none."""
    wrong = variant_problem(name)
    if wrong:
        raise ValueError(wrong)
    base, *patches = name.split("+")
    classes = [PATCHES[patch] for patch in reversed(patches)]
    return type(name, (*classes, BASES[base]), {"__module__": __name__, "name": name})


def _unknown(what: str, name: str, known: list[str]) -> str | None:
    if name in known:
        return None
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r} is no {what}; known: {', '.join(known)}{hint}"
