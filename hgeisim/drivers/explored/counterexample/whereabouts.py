"""Where the content of a vCPU's interrupt file was while it moved, until it was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hgeisim.drivers.explored.counterexample.traced import Traced
from hgeisim.drivers.explored.model.space import Space
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.shared import address_of

LEDGERS = {"set-up-lost": ("setup", "eie"), "sent-lost": ("owed", "eip")}
"""What the books of a guest call what is lost, and the register that ought to have it."""


class Places(NamedTuple):
    """The cells that have the lost bits of a vCPU from a step on (None: from the start)."""

    since: int | None
    cells: tuple[int, ...]


class Whereabouts(NamedTuple):
    """The vCPU, what it lost, and where that was."""

    vcpu: Vcpu
    register: str
    bits: int
    history: tuple[Places, ...]


def whereabouts(space: Space, traced: Traced) -> Whereabouts | None:
    """Follow what a finding says was lost; None if it says no such thing."""
    book, register = LEDGERS.get(traced.finding.kind, ("", ""))
    final = space.fine.codebook.decode(traced.final)
    for vcpu in space.system.k.vcpus:
        if book and vcpu is not None and address_of(vcpu.ledger, book) in traced.cells:
            bits = final[address_of(vcpu.ledger, book)]
            history = tuple(_history(space, traced, vcpu, (register, bits)))
            return Whereabouts(vcpu, register, bits, history)
    return None


def _history(space: Space, traced: Traced, vcpu: Vcpu, what: tuple[str, int]) -> Iterator[Places]:
    register, bits = what
    names, start = space.system.memory.names, space.system.start
    registers = re.compile(rf"(hart\d+\.{register}\[\d+\]|.*(swfile|mrif)\.{register})$")
    cells = [cell for cell, name in enumerate(names) if registers.fullmatch(name)]
    cpu, hgei = (start[address_of(vcpu, f"vsfile_{part}")] for part in ("cpu", "hgei"))
    home = f"hart{cpu}.{register}[{hgei}]" if cpu >= 0 else f"{vcpu.name}.swfile.{register}"
    held = {cell for cell in cells if names[cell] == home and start[cell] & bits == bits}
    yield Places(None, tuple(sorted(held)))
    for place, step in enumerate(traced.steps):
        before = set(held)
        come = {c for c in cells if c in step.changes and step.changes[c][1] & bits == bits}
        gone = {c for c in held if c in step.changes and step.changes[c][1] & bits != bits}
        if not held or held & step.reads.keys():
            held |= come
        held -= gone
        if held != before:
            yield Places(place, tuple(sorted(held)))
