"""The accesses of a go: registers, its own stack, the present task, and shared memory, for which it
asks first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hgeisim.object.arithmetic import WORD
from hgeisim.object.code import Code
from hgeisim.object.fault import MISALIGNED, NULL, UNMAPPED, Fault
from hgeisim.object.image import EXTERNAL
from hgeisim.object.instruction import SP
from hgeisim.object.layout import DEVICES, EXTERNAL_END, NULL_PAGE, STACK_SIZE, STACKS
from hgeisim.object.request import Access, Preempt, Request, ThisCpu
from hgeisim.object.shared_memory import SharedMemory
from hgeisim.object.suspended import Suspended
from hgeisim.object.unwritten import Tracker


@dataclass(frozen=True)
class Surroundings:
    """All that a go needs besides the state: `calls` are the names of functions that are elsewhere,
    `constants` the values that some of them return without further ado.  `thread` has the offsets
    of the fields of thread_info and task_struct that `tp` points to.  `asks`: whether a go asks
    before each access to shared memory, for in time nothing comes between two of them."""

    code: Code
    memory: SharedMemory
    calls: Mapping[int, str]
    constants: Mapping[str, int]
    thread: Mapping[int, str]
    asks: bool = True


class Accesses:
    """The registers and the memory of a go.  `steps` are the addresses of the instructions that
    were executed."""

    def __init__(self, around: Surroundings, state: Suspended) -> None:
        self.around, self.state = around, state
        self.registers = list(state.registers)
        self.pc, self.count, self.site = state.pc, state.count, state.site
        self.base = STACKS + state.stack * STACK_SIZE
        self.top = self.base + STACK_SIZE
        self.unwritten = Tracker(self.top, state.unwritten)
        self.stack = bytearray(STACK_SIZE)
        if state.frames:
            self.stack[-len(state.frames) :] = state.frames
        self.answer = state.answer
        self.reserved: int | None = None
        self.steps: list[int] = []
        self.callers = list(state.callers)

    def _granted(self) -> bool:
        """Whether the request that comes now is the one that was answered."""
        granted, self.answer = self.answer is not None, None
        return granted

    def _may_access(self) -> bool:
        """Whether shared memory may be accessed now."""
        return not self.around.asks or self._granted()

    def _is_own(self, address: int) -> bool:
        return self.base <= address < self.top

    def _set(self, register: int, value: int) -> None:
        """Give a register a value; it does not stem from an unwritten word."""
        self._write(register, value)
        self.unwritten.set(register)

    def _write(self, register: int, value: int) -> None:
        if register == SP:
            self.unwritten.grow(self.registers[SP], value & WORD)
        if register:
            self.registers[register] = value & WORD

    def _own(self, address: int, size: int) -> int:
        at = address - self.base
        return int.from_bytes(self.stack[at : at + size], "little")

    def _set_own(self, address: int, size: int, value: int) -> None:
        at = address - self.base
        self.stack[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def _thread_field(self, offset: int) -> int | Request:
        name = self.around.thread.get(offset)
        if name == "preempt_count":
            return self.count
        if name == "cpu":
            if self.answer is None:
                return ThisCpu()
            value, self.answer = self.answer, None
            return value
        if name is None:
            raise Fault(UNMAPPED, f"byte {offset} of the present task is not known here", self.pc)
        return 0

    def _set_thread_field(self, offset: int, value: int) -> Request | None:
        if self.around.thread.get(offset) != "preempt_count":
            raise Fault(UNMAPPED, f"a store to byte {offset} of the present task", self.pc)
        if not self._granted():
            return Preempt(value > self.count)
        self.count = value
        return None

    def _shared(self, address: int, size: int) -> int | Request:
        """Read memory that is not the own stack, once that was granted."""
        memory = self.around.memory
        known = memory.constant(address, size)
        if known is not None:
            return known
        self._check(address, size)
        if not self._is_stack(address) and not self._may_access():
            return Access(address, size)
        return memory.load(address, size)

    def _is_stack(self, address: int) -> bool:
        """Whether it is the stack of somebody else, who has handed that over and waits."""
        return STACKS <= address < DEVICES

    def _check(self, address: int, size: int) -> None:
        """Raise the fault of an address that cannot be used."""
        if address < NULL_PAGE:
            raise Fault(NULL, f"NULL dereference, offset {address:#x}", self.pc)
        if address % size:
            raise Fault(MISALIGNED, f"{size} bytes at {address:#x}", self.pc)
        if EXTERNAL <= address < EXTERNAL_END:
            name = self.around.code.image.external.get(address & ~0xFFF, "?")
            raise Fault(UNMAPPED, f"variable {name} is not known here", self.pc)
        if not self.around.memory.is_mapped(address, size):
            raise Fault(UNMAPPED, f"nothing is mapped at {address:#x}", self.pc)

    def _set_shared(self, address: int, size: int, value: int) -> Request | None:
        self._check(address, size)
        memory = self.around.memory
        if memory.constant(address, size) is not None:
            raise Fault(UNMAPPED, f"a store to {memory.name_of(address)}, a constant", self.pc)
        if not self._is_stack(address) and not self._may_access():
            return Access(address, size, writes=True)
        memory.store_bytes(address, size, value)
        return None

    def _exchanged(self, address: int, size: int) -> int | Request:
        self._check(address, size)
        if not self._may_access():
            return Access(address, size, writes=True)
        return self.around.memory.load(address, size)

    def _put(self, address: int, size: int, value: int) -> None:
        if self._is_own(address):
            self._set_own(address, size, value)
            self.unwritten.store(address, size)
        else:
            self.around.memory.store_bytes(address, size, value & ((1 << 8 * size) - 1))

    def _asked(self, to: int, source: int, size: int) -> Request | None:
        """The request before a word is copied: one access for both sides."""
        constant = self.around.memory.constant
        shared = [each for each in (to, source) if not self._is_own(each)]
        shared = [each for each in shared if each == to or constant(each, size) is None]
        for each in shared:
            self._check(each, size)
        if all(map(self._is_stack, shared)) or self._may_access():
            return None
        return Access(shared[0], size, writes=shared[0] == to)

    def _any(self, address: int, size: int) -> int:
        """Read whatever lies there."""
        if self._is_own(address):
            return self._own(address, size)
        known = self.around.memory.constant(address, size)
        return self.around.memory.load(address, size) if known is None else known
