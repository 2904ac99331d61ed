"""The names that the kernel has for the functions of the model, and for none of them.

Most functions of the model are called as in C.  The others carry a mark::

    @part_of("kvm_riscv_aia_enable")  a piece of the body of that function
    @in_c("ack_kick")                 the whole function, under another name
    @outside("guest")                 not a function of the kernel: a guest, a monitor, a balancer

A mark only says so: the function stays as it is.  It is looked up by name in all classes of a
kernel, so a function that overrides a marked one needs no mark.

Call chains, tables, lock-order sites and the ids of findings show the names of the kernel
(`shown`).  Whatever depends on the function itself, such as the memo, which functions were entered,
or what a patch overrides, keeps the names of the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import FrameType
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
LOOKING_ON = ("hgeisim.checks.", "hgeisim.watch.")
"""The modules that look on from within a path."""
OBJECT = "hgeisim.kernel.object."
SERVING = (
    "hgeisim.object.",
    *(OBJECT + each for each in ("between", "csrs", "externs", "serving")),
)
"""The modules that run objects, and serve what those ask for."""
AROUND = ("hgeisim.drivers.", "hgeisim.machine.", "hgeisim.kernel.script", *SERVING, *LOOKING_ON)
"""The modules whose functions stand around those of the kernel."""


class Mark(NamedTuple):
    """The functions of C that a function of the model stands for, or whose it is instead."""

    functions: tuple[str, ...] = ()
    outside: str = ""


def part_of(*functions: str) -> Callable[[F], F]:
    """Say that a function is a piece of a kernel function; of several, of the one that calls it."""
    return _marked(Mark(functions))


def in_c(name: str) -> Callable[[F], F]:
    """Say what C calls a function."""
    return _marked(Mark((name,)))


def outside(whose: str) -> Callable[[F], F]:
    """Say that a function is not the kernel's."""
    return _marked(Mark(outside=whose))


MARKS = (part_of.__name__, in_c.__name__, outside.__name__)


def _marked(mark: Mark) -> Callable[[F], F]:
    def says(function: F) -> F:
        function.kernel_name = mark  # type: ignore[attr-defined]
        return function

    return says


def marks(kernel: type) -> Mapping[str, Mark]:
    """The mark of each function of a kernel that has one."""
    return _marks(kernel)


def shown(kernel: type, functions: tuple[str, ...]) -> tuple[str, ...]:
    """A call chain, outermost first, by the names of the kernel: a piece and the function that it
    is a part of are one."""
    return _shown(kernel, functions)


def _collected(kernel: Any) -> Mapping[str, Mark]:
    return {
        name: member.kernel_name
        for cls in reversed(kernel.__mro__)
        for name, member in vars(cls).items()
        if hasattr(member, "kernel_name")
    }


def _translated(kernel: Any, functions: tuple[str, ...]) -> tuple[str, ...]:
    known, chain = marks(kernel), list[str]()
    for name in functions:
        names = known.get(name, Mark()).functions or (name,)
        name = next((each for each in reversed(chain) if each in names), names[0])
        if chain[-1:] != [name]:
            chain.append(name)
    return tuple(chain)


_marks: Callable[[Any], Mapping[str, Mark]] = cache(_collected)
_shown: Callable[[Any, tuple[str, ...]], tuple[str, ...]] = cache(_translated)


def innermost(kernel: type, functions: tuple[str, ...]) -> str:
    """The innermost function of a call chain by its name in the kernel; in parentheses, whose it is
    instead.  Empty for an empty chain."""
    whose = marks(kernel).get(functions[-1], Mark()).outside if functions else ""
    return f"({whose})" if whose else "".join(shown(kernel, functions)[-1:])


def subject(kernel: type, functions: tuple[str, ...]) -> str:
    """The innermost function as a finding about it names it: by its own name where it stands in a
    user's file, which is where to look."""
    name = "".join(functions[-1:])
    theirs = (cls for cls in kernel.__mro__ if not cls.__module__.startswith("hgeisim."))
    own = any(name in vars(cls) for cls in theirs)
    return name if own else "".join(shown(kernel, functions)[-1:])


def is_of_kernel(frame: FrameType) -> bool:
    """Whether a frame is that of a function of the kernel, or of a user's patch."""
    return not frame.f_globals["__name__"].startswith(AROUND)


FORMER = {
    "ack_flush": "ack_kick",
    "bound_nr_hgei": "kvm_riscv_aia_enable",
    "disable_sgei": "kvm_riscv_aia_disable",
    "disarm_new_line": "kvm_riscv_vcpu_aia_imsic_update",
    "enable_sgei": "kvm_riscv_aia_enable",
    "guest_mode": "kvm_arch_vcpu_ioctl_run",
    "halt_poll": "kvm_vcpu_halt",
    "imsic_without_vsfile": "kvm_riscv_vcpu_aia_imsic_update",
    "kick_after_store": "kvm_riscv_vcpu_aia_imsic_inject",
    "kvm_vcpu_ioctl_begin": "kvm_arch_vcpu_ioctl_run",
    "kvm_vcpu_ioctl_end": "kvm_arch_vcpu_ioctl_run",
    "lower_nr_hgei": "kvm_riscv_aia_enable",
    "on_each_cpu_in_turn": "cpuhp_setup_state",
    "probe_nr_hgei": "kvm_riscv_aia_enable",
    "request_sgei": "aia_hgei_init",
    "set_free_bitmap": "kvm_riscv_aia_enable",
    "set_hgei_up": "kvm_riscv_aia_enable",
    "switch_to_others": "context_switch",
    "take_line_away": "kvm_riscv_aia_disable",
    "task_rq_lock": "__task_rq_lock",
    "vcpu_enter_guest": "kvm_arch_vcpu_ioctl_run",
}
"""The names of the model that ids and lock-order sites had, and those of the kernel that they have.

Not what the marks say: what an old file means does not depend on a patch.
"""
OWN_NAMES = re.compile(r"(endless|exception|livelock|unbalanced|warn-on):")
"""Findings about a function of a user's file, which keeps its name (`subject`)."""
_BETWEEN = re.compile(r"( in )(\w+ and \w+)$")


def present_id(text: str) -> str:
    """The present form of the id of a finding, or of a lock-order site, that a file has."""
    if OWN_NAMES.match(text):
        return text
    text = re.sub(r"\w+", lambda word: FORMER.get(word[0], word[0]), text)
    return _BETWEEN.sub(lambda two: two[1] + " and ".join(sorted({*two[2].split(" and ")})), text)
