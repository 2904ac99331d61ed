"""One go of a suspended function of an object: from the answer to its request to the next request.

What it does is decided by the suspended state and by the shared memory that it reads, so a go can
be remembered.  The accesses of its own stack and registers are nobody else's business.  Before any
other access it asks; the whole loop of an lr and its sc is one access.
"""

from __future__ import annotations

from hgeisim.object.accesses import Accesses
from hgeisim.object.arithmetic import (
    COMBINATIONS,
    CONDITIONS,
    IMMEDIATES,
    OPERATIONS,
    WORD,
    s64,
)
from hgeisim.object.fault import (
    ENDLESS,
    ILLEGAL,
    STACK,
    STACK_SMASHED,
    UNWRITTEN,
    Fault,
)
from hgeisim.object.instruction import (
    A0,
    ARGUMENTS,
    CLOBBERED,
    RA,
    SIZES,
    SP,
    TP,
    Instruction,
    UnknownInstruction,
    signed,
)
from hgeisim.object.layout import (
    DEVICES,
    DEVICES_END,
    RETURN,
    THREAD_SIZE,
)
from hgeisim.object.request import (
    Call,
    Csr,
    DeviceWrite,
    Done,
    Request,
)
from hgeisim.object.suspended import Suspended

INSTRUCTIONS_MAX = 100_000
"""Instructions without a request; more count as endless."""
OUT = 16
"""Bytes above the first frame, to which a caller outside may let a function write a result."""
BUILT_IN = ("memset", "memcpy", "memmove")
PROGRESS = 5
"""t0 keeps what a built-in function returns while it copies."""


class Go(Accesses):
    """A go."""

    def run(self) -> Suspended:
        """Go on to the next request.  Raises `Fault`."""
        if isinstance(self.state.request, Call):
            self._return_from_call(self.answer or 0)
            self.answer = None
        for _ in range(INSTRUCTIONS_MAX):
            request = self._step()
            if request is not None:
                return self._suspended(request)
        raise Fault(ENDLESS, f"{INSTRUCTIONS_MAX} instructions without a shared access", self.pc)

    def _step(self) -> Request | None:
        pc = self.pc
        if pc == RETURN:
            return Done(s64(self.registers[A0]))
        name = self.around.calls.get(pc)
        if name in BUILT_IN:
            return self._built_in(name)
        try:
            it = self.around.code.at(pc)
        except UnknownInstruction as error:
            raise Fault(ILLEGAL, str(error), pc) from None
        self.steps.append(pc)
        branch = self.around.code.image.static_branches.get(pc)
        if branch is not None:
            enabled = bool(self.around.memory.load(branch.key, 4))
            self.pc = branch.target if enabled != branch.inverted else pc + it.size
            return None
        return self._execute(it)

    def _execute(self, it: Instruction) -> Request | None:
        x, y, name = self.registers[it.rs1], self.registers[it.rs2], it.name
        if self.unwritten.is_relied_on(it):
            raise Fault(UNWRITTEN, "relies on a word of the stack that was never written", self.pc)
        value: int | None = None
        following = self.pc + it.size
        if name in IMMEDIATES:
            value = IMMEDIATES[name](x, it.imm & WORD)
        elif name in OPERATIONS:
            value = OPERATIONS[name](x, y)
        elif name in CONDITIONS:
            following = self.pc + it.imm if CONDITIONS[name](x, y) else following
        elif name in SIZES:
            return self._load(it, x) if name[0] == "l" else self._store(it, x, y)
        elif name in ("lui", "auipc"):
            value = it.imm + (self.pc if name == "auipc" else 0)
        elif name in ("jal", "jalr"):
            self._set(it.rd, following)
            target = self.pc + it.imm if name == "jal" else (x + it.imm) & WORD & ~1
            return self._jump(target, following if it.rd == RA else None)
        elif name[:3] == "csr":
            return self._csr(it, x)
        elif name[:2] in ("am", "lr", "sc"):
            return self._atomic(it, x, y)
        elif not name.startswith("fence"):
            raise Fault(ILLEGAL, f"{name} is not executed here", self.pc)
        if value is not None:
            self._write(it.rd, value)
            self.unwritten.compute(it)
        self.pc = following
        return None

    def _jump(self, target: int, back: int | None) -> Request | None:
        """Go there; a function that is elsewhere is called, and what it returns is the answer.

        `back` is the return address, None for a jump without one: a return, or a tail call.
        """
        site, self.pc = self.pc, target
        name = self.around.calls.get(target)
        if back is not None and name is None:
            self.callers.append(back)
        elif name is None and self.around.code.is_tail_call(site, target):
            self.callers.append(site + 1)  # the function is not over before what it calls
        else:
            self._returned_to(target)
        if name is None or name in BUILT_IN:
            if name is not None:
                self.registers[PROGRESS], self.site = self.registers[A0], site
            return None
        if name == "__stack_chk_fail":
            raise Fault(STACK_SMASHED, "the guard of a stack frame was overwritten", self.pc)
        arguments = tuple(self.registers[i] for i in ARGUMENTS)
        if name in self.around.constants:
            self._return_from_call(self.around.constants[name])
            return None
        self.pc, self.site = self.registers[RA], site
        return Call(name, arguments)

    def _return_from_call(self, value: int) -> None:
        self.pc, self.site = self.registers[RA], 0
        self._returned_to(self.pc)  # where a function has ended with this call
        for i in CLOBBERED[1:]:
            self._set(i, 0)
        self.registers[A0] = value & WORD

    def _returned_to(self, address: int) -> None:
        """Leave the functions that end where a jump goes to a return address."""
        if address in self.callers:
            last = len(self.callers) - self.callers[::-1].index(address) - 1
            del self.callers[last:]

    def _load(self, it: Instruction, x: int) -> Request | None:
        address, size = (x + it.imm) & WORD, SIZES[it.name]
        value: int | Request
        if self._is_own(address):
            value = self._own(address, size)
        elif 0 <= address - self.registers[TP] < THREAD_SIZE:
            value = self._thread_field(address - self.registers[TP])
        else:
            value = self._shared(address, size)
        if not isinstance(value, int):
            return value
        self._set(it.rd, value if it.name.endswith("u") else signed(value, 8 * size))
        if self._is_own(address):
            self.unwritten.load(address, size, it.rd)
        self.pc += it.size
        return None

    def _store(self, it: Instruction, x: int, y: int) -> Request | None:
        address, size = (x + it.imm) & WORD, SIZES[it.name]
        request: Request | None
        if self._is_own(address):
            if address < self.registers[SP]:
                raise Fault(STACK, "a store below the stack pointer", self.pc)
            self._set_own(address, size, y)
            self.unwritten.store(address, size, it.rs2)
            request = None
        elif 0 <= address - self.registers[TP] < THREAD_SIZE:
            request = self._set_thread_field(address - self.registers[TP], y & 0xFFFFFFFF)
        elif DEVICES <= address < DEVICES_END:
            request = None if self._granted() else DeviceWrite(address, y & ((1 << 8 * size) - 1))
        else:
            request = self._set_shared(address, size, y)
        if request is None:
            self.pc += it.size
        return request

    def _atomic(self, it: Instruction, x: int, y: int) -> Request | None:
        size = 4 if it.name.endswith(".w") else 8
        name = it.name[:-2]
        if name == "sc":
            self._store_conditionally(it, x, y, size)
            return None
        old: int | Request = self._own(x, size) if self._is_own(x) else self._exchanged(x, size)
        if not isinstance(old, int):
            return old
        if name == "lr":
            self.reserved = x
        else:
            new = COMBINATIONS[name](_extended(old, size), _extended(y, size))
            self._put(x, size, new)
        self._set(it.rd, signed(old, 8 * size))
        self.pc += it.size
        return None

    def _store_conditionally(self, it: Instruction, x: int, y: int, size: int) -> None:
        """The sc of a loop: it fails unless its lr was in the same go."""
        fails = self.reserved != x
        if not fails:
            self._put(x, size, y)
        self.reserved = None
        self._set(it.rd, int(fails))
        self.pc += it.size

    def _csr(self, it: Instruction, x: int) -> Request | None:
        kind = it.name.removesuffix("i")
        operand = it.rs1 if it.name.endswith("i") else x
        if kind == "csrrw":
            how = "swap" if it.rd else "write"
        else:
            how = "read" if not it.rs1 else "set" if kind == "csrrs" else "clear"
        if self.answer is None:
            return Csr(it.imm, how, operand)
        value, self.answer = self.answer, None
        self._set(it.rd, value)
        self.pc += it.size
        return None

    def _built_in(self, name: str) -> Request | None:
        """Memset and memcpy, a word at a time: a0, a1 and a2 say what is left to do."""
        to, source, left = self.registers[A0 : A0 + 3]
        if not left:
            self._return_from_call(self.registers[PROGRESS])
            return None
        copies = name != "memset"
        words = left >= 8 and not to & 7 and not (copies and source & 7)
        size = 8 if words else 1
        if (request := self._asked(to, source if copies else to, size)) is not None:
            return request
        value = int.from_bytes(bytes([source & 0xFF]) * size, "little")
        if copies:
            value = self._any(source, size)
        self._put(to, size, value)
        self.registers[A0], self.registers[A0 + 2] = to + size, left - size
        self.registers[A0 + 1] += size if copies else 0
        return None

    def _suspended(self, request: Request) -> Suspended:
        if isinstance(request, Done):
            out = self._own(self.top - OUT, 8)
            return Suspended(self.state.stack, RETURN, (), b"", 0, Done(request.value, out))
        sp = self.registers[SP]
        if not self.base <= sp <= self.top:
            raise Fault(STACK, "the stack pointer has left the stack", self.pc)
        live = self._live(request)
        registers = tuple(v if i in live else 0 for i, v in enumerate(self.registers))
        frames, stack = bytes(self.stack[sp - self.base :]), self.state.stack
        callers = tuple(self.callers)
        return Suspended(
            *(stack, self.pc, registers, frames, self.count, request, None, callers, self.site),
            unwritten=self.unwritten.kept(sp, live),
        )

    def _live(self, request: Request) -> frozenset[int]:
        always = frozenset((SP, TP))
        if self.pc == RETURN:
            return always | {RA}
        if self.around.calls.get(self.pc) in BUILT_IN:
            return self.around.code.live(self.registers[RA]) | always | {RA, PROGRESS, 10, 11, 12}
        live = self.around.code.live(self.pc) | always
        if isinstance(request, Call):
            return (live - frozenset(CLOBBERED)) | {RA}
        return live


def _extended(value: int, size: int) -> int:
    """An operand of an atomic instruction as a word: RV64 extends the sign of 32 bits."""
    return signed(value, 8 * size) & WORD
