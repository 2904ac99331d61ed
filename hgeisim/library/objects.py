"""The objects of a kernel build: `--variant v6.12+stable+object:BUILD`.

BUILD is the build directory of a RISC-V kernel of 64 bits, or a folder with its objects.  Functions
that are named after it, `object:BUILD:FUNCTION`, stay with the model.  Nothing that an object does
touches the host: its instructions are interpreted, and its memory is hgeisim's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from importlib.util import find_spec
from inspect import isgeneratorfunction
from pathlib import Path

from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.kernel.object import vmid
from hgeisim.kernel.object.aia import FILES, IN_C, AiaFunctions, AiaObjects, nr_hgei_of_cpu
from hgeisim.kernel.object.between import MODEL_FUNCTIONS
from hgeisim.kernel.object.externs import CONSTANTS, EXTERNS
from hgeisim.object.calls import reachable
from hgeisim.object.debug_info import DebugInfo
from hgeisim.object.elf import read_object
from hgeisim.object.execution import BUILT_IN
from hgeisim.object.image import Image
from hgeisim.user_file import is_file, read_bytes

MORE: dict[str, type] = {vmid.FILE: vmid.VmidFunctions}
"""Further files, with the functions that are taken from them."""
FOLDER = "arch/riscv/kvm"
"""Where a build directory has them."""
REMEDY = "see docs/object-code.md"
NEEDS = "is CONFIG_KVM set, and built in or as a module?"
SERVED = {
    *EXTERNS, *CONSTANTS, *MODEL_FUNCTIONS, *BUILT_IN,
    "imsic_get_global_config", "__stack_chk_fail",
}  # fmt: skip
PREEMPTS = ("preempt_schedule", "preempt_schedule_notrace", "__preempt_schedule")
"""The calls that code makes where it may be preempted, if it was built for that."""
INIT_LOCK = ("__raw_spin_lock_init", "__rwlock_init")
SLEEPING_LOCKS = ("rt_read_lock", "rt_write_lock", "rt_spin_lock")
"""The calls of PREEMPT_RT."""

WITH_ITS_CALLER = {
    "imsic_vsfile_local_read": "",
    "imsic_vsfile_local_rw": "kvm_riscv_aia_imsic_rw_attr",
}
"""Functions that work on the stack of their callers, so the same side has both."""
TOGETHER = {"kvm_riscv_vcpu_aia_imsic_update": "kvm_riscv_vcpu_aia_imsic_inject"}
"""Functions that the model can have only with another one: the model has no vsfile_va."""
_made: dict[tuple[str, str], type[AiaObjects]] = {}


def kernel_of_objects(named: str) -> tuple[type[AiaObjects], str]:
    """The class of the objects in a build, and their digest; each time the same.

    Raises `InputError` for everything that is wrong with them, before anything runs.
    """
    build, *from_model = named.split(":")
    if not build:
        allowed = "must be followed by a kernel build directory, or by a folder with objects"
        raise InputError([Problem("object:", "", "", allowed, REMEDY)])
    if find_spec("elftools") is None:
        allowed = "needs pyelftools to read objects"
        raise InputError([Problem("object", "", "", allowed, "pip install 'hgeisim[object]'")])
    files = dict(_read(build))
    digest = _digest(b"\0".join(files.values()))
    if (named, digest) not in _made:
        image = Image([read_object(path, data) for path, data in files.items()])
        made = _kernel(image, frozenset(from_model))
        made.objects = tuple((Path(path).name, _digest(data)) for path, data in files.items())
        _made[named, digest] = made
    return _made[named, digest], digest


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=4).hexdigest()


def _read(build: str) -> Iterator[tuple[str, bytes]]:
    """The path and the content of each object; those of `MORE` are taken where they are."""
    if not Path(build).is_dir():
        allowed = "there is no such folder"
        remedy = f"a kernel build directory, or a folder with {' and '.join(FILES)}; {REMEDY}"
        raise InputError([Problem(f"object:{build}", "", "", allowed, remedy)])
    folders = (Path(build), Path(build) / FOLDER)
    for name in (*FILES, *MORE):
        found = next((folder / name for folder in folders if is_file(folder / name)), None)
        if found is None:
            if name in MORE:
                continue
            allowed = f"has no {name}, nor has {FOLDER} in it"
            raise InputError([Problem(f"object:{build}", "", "", allowed, NEEDS)])
        yield str(found), read_bytes(found)


def _kernel(image: Image, named: frozenset[str]) -> type[AiaObjects]:
    from_model = named | {each for each, caller in WITH_ITS_CALLER.items() if caller in named}
    debug = DebugInfo(image)
    debug.check()
    there = {Path(each.name).name for each in image.objects}
    classes = [AiaFunctions, *(MORE[name] for name in MORE if name in there)]
    paths = {
        name: each
        for cls in classes
        for name, each in vars(cls).items()
        if isgeneratorfunction(each)
    }
    kept = {name: each for name, each in paths.items() if name not in from_model}
    entries = sorted({IN_C.get(name, name) for name in kept})
    problems = [*_unknown(named, paths), *_missing(entries, image)]
    problems = problems or [*_unserved(entries, from_model, image, debug)]
    if problems:
        raise InputError(problems)
    space = {
        **kept,
        "__module__": AiaObjects.__module__,
        "__doc__": AiaObjects.__doc__,
        "image": image,
        "debug": debug,
        "from_model": from_model & MODEL_FUNCTIONS.keys(),
        "preemptions": preemptions_of(image),
        "locks_are_steady": locks_are_steady(image, entries),
    }
    if debug.has_member("aia_hgei_control", "nr_hgei"):
        space["nr_hgei"] = nr_hgei_of_cpu
    return type("Objects", (AiaObjects,), space)


def _unknown(from_model: frozenset[str], paths: Collection[str]) -> Iterator[Problem]:
    """Functions that are to stay with the model, and cannot."""
    known = {*paths, *MODEL_FUNCTIONS} - WITH_ITS_CALLER.keys()
    for name in sorted(from_model - known):
        allowed = f"is not one of {', '.join(sorted(known))}"
        yield Problem("object", "function of the model", name, allowed, did_you_mean(name, known))
    for name, other in TOGETHER.items():
        if name in from_model and other not in from_model:
            allowed = f"goes with {other}, which needs what it stores"
            remedy = f"leave {other} to the model as well"
            yield Problem("object", "function of the model", name, allowed, remedy)


def _missing(entries: Iterable[str], image: Image) -> Iterator[Problem]:
    """Functions that the kernel enters and no object has."""
    there = {each.name for each in image.functions}
    files = ", ".join(each.name for each in image.objects)
    for name in entries:
        if name not in there:
            remedy = did_you_mean(name, there) or "another version may need other paths"
            yield Problem(files, "", name, "there is no such function", remedy)


def _unserved(
    entries: Iterable[str], from_model: frozenset[str], image: Image, debug: DebugInfo
) -> Iterator[Problem]:
    """Functions that may be called, and that neither an object nor the model has."""
    external, seen = set(image.external.values()), set[str]()
    for site in reachable(image, (each for each in entries if each not in from_model)):
        name = site.callee
        if site.is_call and name in external and name not in SERVED and name not in seen:
            seen.add(name)
            where = f"{site.caller.name}, {debug.line(site.address)}"
            remedy = f"leave {site.caller.name} to the model (--from-model), or add a row to "
            remedy += "EXTERNS or CONSTANTS in hgeisim/kernel/object/externs.py"
            yield Problem(site.caller.file, where, name, "there is no path for it", remedy)


def locks_are_steady(image: Image, entries: Iterable[str]) -> bool:
    """Whether only the initcall initialises locks; elsewhere, others may hold them."""
    others = (each for each in entries if each != "kvm_riscv_aia_init")
    return not any(site.callee in INIT_LOCK for site in reachable(image, others))


def preemptions_of(image: Image) -> tuple[str, ...]:
    """The preemption models that code was built for: preemptible code calls the scheduler where it
    enables preemption (CONFIG_PREEMPTION)."""
    external = set(image.external.values())
    if not external & set(PREEMPTS):
        return ("none", "voluntary")
    return ("rt",) if external & set(SLEEPING_LOCKS) else ("full",)
