"""Which locals of a function still matter at each instruction (backward data flow on bytecode).

A local that will be written before it is read again is dead: two contexts that differ only in dead
locals behave alike, so the explorer may treat them as one.
"""

from __future__ import annotations

import dis
import re
from functools import cache
from types import CodeType

FALLS_NOWHERE = ("RETURN_VALUE", "RETURN_CONST", "RERAISE", "RAISE_VARARGS")
ALWAYS_JUMPS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


@cache
def live_locals(code: CodeType) -> dict[int, tuple[str, ...]]:
    """Map the offset of each instruction to the sorted names that are live after it."""
    program = list(dis.get_instructions(code))
    live_before: list[frozenset[str]] = [frozenset()] * (len(program) + 1)
    successors = _successors(program)
    changed = True
    while changed:
        changed = False
        for i in reversed(range(len(program))):
            after = frozenset[str]().union(*(live_before[j] for j in successors[i]))
            before = _before(program[i], after)
            changed |= before != live_before[i]
            live_before[i] = before
    return {
        x.offset: tuple(sorted(frozenset[str]().union(*(live_before[j] for j in successors[i]))))
        for i, x in enumerate(program)
    }


def _successors(program: list[dis.Instruction]) -> list[list[int]]:
    index = {x.offset: i for i, x in enumerate(program)}
    jumps = set(dis.hasjrel) | set(dis.hasjabs)
    found = []
    for i, x in enumerate(program):
        follow = [] if x.opname in FALLS_NOWHERE + ALWAYS_JUMPS else [i + 1]
        if x.opcode in jumps:
            follow.append(index[x.argval])
        found.append(follow)
    return found


def _before(x: dis.Instruction, after: frozenset[str]) -> frozenset[str]:
    """What is live before an instruction, given what is live after it."""
    for access, name in reversed(_accesses(x)):
        after = after | {name} if access == "LOAD" else after - {name}
    return after


def _accesses(x: dis.Instruction) -> list[tuple[str, str]]:
    """The locals an instruction loads, stores or deletes, in order; some instructions of Python
    3.13 do two things (STORE_FAST_LOAD_FAST)."""
    names = x.argval if isinstance(x.argval, tuple) else (x.argval,)
    kinds = re.findall(r"(LOAD|STORE|DELETE)_FAST", x.opname)
    return list(zip(kinds, names, strict=False))
