"""Kernel versions: a base and patches on it, written `v6.12+percpu-v2`.

A patch is a class that overrides the functions it changes.  A variant is the base with the patches
in front of it, so that the last patch named is asked first.  A user's own patch is named by its
file and class: `v7.3+path/to/file.py:Name`.  The objects of a user's build take the place of the
functions that they have: `v6.12+stable+object:path/to/build`.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from functools import cache
from inspect import isgeneratorfunction

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.main import Module
from hgeisim.kernel.state import Kernel
from hgeisim.kernel.variants.bugs import BUGS
from hgeisim.kernel.variants.cpu_pm import CpuPm
from hgeisim.kernel.variants.entered import functions_of
from hgeisim.kernel.variants.exit_order import ExitOrder
from hgeisim.kernel.variants.former_clear import FormerClear
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.kernel.variants.irqs_pending_lock import IrqsPendingLock
from hgeisim.kernel.variants.mmu_rwlock import MmuRwlock
from hgeisim.kernel.variants.mrif_64 import Mrif64
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.kernel.variants.percpu_v2_bitmap_reset import PercpuV2BitmapReset
from hgeisim.kernel.variants.percpu_v2_lock_init import PercpuV2LockInit
from hgeisim.kernel.variants.percpu_v3 import PercpuV3
from hgeisim.kernel.variants.percpu_v4 import PercpuV4
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.variants.review_clamp import ReviewClamp
from hgeisim.kernel.variants.review_min import ReviewMin
from hgeisim.kernel.variants.rw_attr_mutex import RwAttrMutex
from hgeisim.kernel.variants.stable import Stable
from hgeisim.kernel.variants.v6_12 import V6_12
from hgeisim.kernel.variants.v6_16 import V6_16
from hgeisim.kernel.variants.v6_18 import V6_18
from hgeisim.kernel.variants.v7_0 import V7_0
from hgeisim.kernel.variants.v7_1 import V7_1
from hgeisim.kernel.variants.v7_2 import V7_2
from hgeisim.kernel.variants.v7_3 import V7_3

BASES: dict[str, type[Module]] = {
    kernel.name: kernel for kernel in (V6_12, V6_16, V6_18, V7_0, V7_1, V7_2, V7_3)
}
SERIES: dict[str, type[Aia]] = {
    "percpu-v2": PercpuV2,
    "percpu-v2-bitmap-reset": PercpuV2BitmapReset,
    "percpu-v2-lock-init": PercpuV2LockInit,
    "percpu-v3": PercpuV3,
    "percpu-v4": PercpuV4,
    "percpu-v5": PercpuV5,
}
"""Versions and single faults of one series: one of them at a time."""
ADDITIONS: dict[str, type[Aia]] = {"review-clamp": ReviewClamp, "review-min": ReviewMin}
"""What the review wanted on top of percpu-v2."""
LANDED: dict[str, type[Kernel]] = {
    "cpu-pm": CpuPm,
    "exit-order": ExitOrder,
    "former-clear": FormerClear,
    "former-skip": FormerSkip,
    "irqs-pending-lock": IrqsPendingLock,
    "mmu-rwlock": MmuRwlock,
    "mrif-64": Mrif64,
    "rw-attr-mutex": RwAttrMutex,
    "stable": Stable,
}
"""Single changes that landed, and what a stable tree took over of them."""
PATCHES: dict[str, type[Kernel]] = SERIES | ADDITIONS | LANDED
OWN: dict[str, type[Kernel]] = {}
"""Users' own patches by how they are named, `path/to/file.py:Name`, and users' own objects,
`object:path/to/build`; the command line fills it."""
OBJECT = "object:"

DIGESTS: dict[str, str] = {}
"""The digest of each of these files as it was executed, by the same names."""


def variant_problem(name: str) -> str | None:
    """Say what is wrong with a variant's name, or None."""
    base, *patches = name.split("+")
    wrong = _unknown("base", base, list(BASES))
    for patch in patches:
        if patch in opened(name) and patch not in OWN:
            wrong = wrong or f"names a file, and only --variant executes one: --variant {name}"
        wrong = wrong or _unknown("patch", patch, [*PATCHES, *BUGS, *OWN])
    return wrong or _has_already(base, patches) or _wrong_stack(patches) or _unstackable(name)


@cache
def contained(name: str) -> tuple[str, ...]:
    """The patches that a base, or a patch, has in itself; of a series only the last one."""
    cls = (BASES | PATCHES | BUGS | OWN)[name]
    inside = [each for each, patch in PATCHES.items() if each != name and issubclass(cls, patch)]
    series = [each for each in inside if each in SERIES][-1:]
    return tuple(each for each in inside if each not in SERIES or each in series)


def made_of(name: str) -> list[str]:
    """The base of a variant, then its patches with all that it and they contain."""
    base, *patches = parts = name.split("+")
    inside = (each for part in parts if part in BASES or part in LANDED for each in contained(part))
    return [base, *dict.fromkeys((*patches, *inside))]


def own_files(name: str) -> list[str]:
    """The patches of a variant that are a user's own, `path/to/file.py:Name`."""
    return [patch for patch in name.split("+")[1:] if patch.partition(":")[0].endswith(".py")]


def opened(name: str) -> list[str]:
    """The parts of a variant that name files: a user's own patches and objects."""
    own = own_files(name)
    return [each for each in name.split("+")[1:] if each in own or each.startswith(OBJECT)]


def own_digest(name: str) -> str:
    """The digests of a user's own patches and objects in a variant, empty where it has none."""
    return "-".join(DIGESTS.get(patch, "") for patch in opened(name))


def find_variant(name: str) -> type[Module]:
    """Return the kernel class of a variant, each time the same.

    Raises `ValueError` when there is none.
    """
    wrong = variant_problem(name)
    if wrong:
        raise ValueError(wrong)
    return _class_of(name)


def patched_functions(name: str, without: str) -> list[str]:
    """The functions of the patches in a variant that another variant lacks, sorted."""
    base, *patches = name.split("+")
    new = (patch for patch in patches if patch not in without.split("+"))
    classes = [(PATCHES | BUGS | OWN)[patch] for patch in new]
    return sorted({each for cls in classes for each in _functions_of(cls, BASES[base])})


def _functions_of(cls: type, base: type[Module]) -> list[str]:
    """The functions that a patch has; objects have paths alone, all else is how they are run."""
    found = list(functions_of(cls, base))
    if getattr(cls, "objects", ()):
        found = [name for name in found if isgeneratorfunction(getattr(cls, name))]
    return found


def without_last_patch(name: str) -> str:
    """The kernel that the last patch of a variant was made for; the base itself without a patch."""
    return name.rpartition("+")[0] or name


def _class_of(name: str) -> type[Module]:
    base, *patches = name.split("+")
    classes = [(PATCHES | BUGS | OWN)[patch] for patch in reversed(patches)]
    return stacked(name, (*classes, BASES[base]))


def sentence_of(kernel: type[Kernel]) -> str:
    """The sentence with which the file of a base or a patch begins."""
    doc = sys.modules[kernel.__module__].__doc__ or ""
    return " ".join(doc.partition("\n\n")[0].split())


@cache
def stacked(name: str, classes: tuple[type, ...]) -> type[Module]:
    """A kernel of this name, whose classes are asked in this order; each time the same."""
    return type(name, classes, {"__module__": __name__, "name": name})


def _has_already(base: str, patches: list[str]) -> str | None:
    """A patch applies once, also where the base or another patch brings it along."""
    if "stable" in patches and base != "v6.12":
        return f"stable is the stable tree of v6.12: v6.12+stable, not {base}+stable"
    for patch in patches:
        for other in (base, *(each for each in patches if each in LANDED and each != patch)):
            if patch in contained(other):
                return f"{other} has {patch} already: leave it out"
        landed = [each for each in contained(base) if each in SERIES]
        if landed and patch in SERIES | ADDITIONS:
            return f"{base} has {landed[0]}: {patch} goes on an older base, such as v7.0"
    return None


def _unstackable(name: str) -> str | None:
    """A patch that derives from another one has to come after it."""
    try:
        _class_of(name)
    except TypeError:
        return "stacks patches in an order that their classes do not allow"
    return None


def _wrong_stack(patches: list[str]) -> str | None:
    """Patches apply in the order in which they are named, like a series of mails."""
    if len(set(patches)) < len(patches):
        return "a patch applies only once"
    series = [patch for patch in patches if patch in SERIES]
    if len(series) > 1:
        return f"{' and '.join(series)} replace each other: name one of them"
    before = patches[: patches.index("percpu-v2")] if "percpu-v2" in patches else patches
    if set(before) & set(ADDITIONS):
        return f"{' and '.join(ADDITIONS)} go on top of percpu-v2: v6.12+percpu-v2+review-clamp"
    return None


def _unknown(what: str, name: str, known: list[str]) -> str | None:
    if name in known:
        return None
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    is_file = name.partition(":")[0].endswith(".py")
    if what == "base" and is_file:
        hint = f"; a patch comes after its base: v7.3+{name}"
    elif name.startswith(OBJECT):
        hint = f"; objects come after a base, which has all else: v6.12+stable+{name}"
    elif ":" in name and not is_file:
        hint = "; a patch of your own is FILE.py:CLASS"
    return f"{name!r} is not a {what}; known: {', '.join(known)}{hint}"
