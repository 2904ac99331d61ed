"""The objects of a kernel, ready to run: where functions begin, go on, and hand over their stacks.

A go is remembered with what it read and wrote, as a step of a Python path is, so the instructions
of a function are interpreted once for each situation and not for each state of a search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from hgeisim.errors import ModelError
from hgeisim.machine.hang import Hang
from hgeisim.machine.shared import Fixed
from hgeisim.object.accesses import Surroundings
from hgeisim.object.arithmetic import WORD
from hgeisim.object.code import Code
from hgeisim.object.debug_info import DebugInfo
from hgeisim.object.execution import OUT, Go
from hgeisim.object.fault import Fault
from hgeisim.object.image import Image
from hgeisim.object.instruction import A0, RA, SP, TP
from hgeisim.object.layout import (
    HEAP,
    RETURN,
    STACK_SIZE,
    STACKS,
    THREAD_SIZE,
    THREADS,
    percpu_offset,
)
from hgeisim.object.plain_memory import AnyMemory, Aside, PlainMemory
from hgeisim.object.request import Call, Done, Request, Start
from hgeisim.object.shared_memory import SharedMemory
from hgeisim.object.suspended import Suspended, Suspensions
from hgeisim.object.unwritten import NOTHING

ALIGNMENT = 64
GUARD = 0x57AC_CA9A_4700
"""Any value: what -fstack-protector compares on the way out of a function."""
TASK_FIELDS = {"thread_info": ("flags", "preempt_count", "cpu"), "task_struct": ("stack_canary",)}
"""The fields behind `tp` that code may use; thread_info is the first part of task_struct."""


Chain: TypeAlias = tuple[tuple[str, ...], tuple[bool, ...]]
"""The functions of a call chain, and which of them are inlined."""


class KernelFault(Hang):
    """An object has done what would crash the kernel, in the innermost of some functions."""

    kind = "kernel-fault"


class Outside(NamedTuple):
    """The functions that are not run from here: `elsewhere` even if an object defines them, and
    `constants`, which just return a value."""

    elsewhere: frozenset[str] = frozenset()
    constants: Mapping[str, int] = MappingProxyType({})


class Remembered(NamedTuple):
    """A go from one suspended function to another: the cells it read and wrote, with values."""

    reads: tuple[tuple[int, int], ...]
    writes: tuple[tuple[int, int], ...]
    there: int


class ObjectCode(Fixed):
    """The objects of one kernel; `shared` is the memory that they and the model have in common.

    `executed` are the addresses of all instructions that were executed, `followed` the pairs of
    them that came one after the other without a request in between.
    """

    def __init__(
        self,
        image: Image,
        debug: DebugInfo,
        memory: AnyMemory,
        cpus: int,
        outside: Outside,
    ) -> None:
        self.image, self.debug, self.memory = image, debug, memory
        self.shared = SharedMemory(memory, image, cpus)
        calls = {
            image.symbols[name]: name for name in sorted(outside.elsewhere) if name in image.symbols
        }
        thread = self._task_fields()
        self.timed = isinstance(memory, PlainMemory)
        self.around = Surroundings(
            *(Code(image), self.shared, image.external | calls, outside.constants, thread),
            asks=not self.timed,
        )
        self.suspended = Suspensions()
        self.goes = 0
        self.executed: set[int] = set()
        self.followed: set[tuple[int, int]] = set()
        self._known: dict[int, list[Remembered]] = {}
        self._stacks: dict[tuple[int, int], int] = {}
        self._free: dict[int, list[int]] = {}
        self._entries: list[int] = []
        self._entered: list[str] = []
        self._chains: dict[int, Chain] = {}
        self._heap = HEAP
        self._fix_symbols(cpus)

    def _task_fields(self) -> dict[int, str]:
        return {
            self.debug.offset(struct, name): name
            for struct, names in TASK_FIELDS.items()
            if self.debug.has_struct(struct)
            for name in names
        }

    def _fix_symbols(self, cpus: int) -> None:
        """The variables of other files that stay as they are: those about CPUs."""
        symbols = self.image.symbols
        if base := symbols.get("__per_cpu_offset"):
            for cpu in range(cpus):
                self.shared.fix(base + 8 * cpu, 8, percpu_offset(cpu))
        if base := symbols.get("cpu_bit_bitmap"):
            for bit in range(64):
                self.shared.fix(base + 8 * (bit + 1), 8, 1 << bit)
        if base := symbols.get("__mmiowb_state"):  # orders stores to devices, which all are here
            for cpu in range(cpus):
                self.shared.fix(base + percpu_offset(cpu), 4, 0)
        if base := symbols.get("__stack_chk_guard"):
            self.shared.fix(base, 8, GUARD)
        for name in ("__cpu_possible_mask", "__cpu_online_mask"):
            if base := symbols.get(name):
                self.shared.fix(base, 8, (1 << cpus) - 1)

    def allocate(self, size: int, name: str) -> int:
        """Mapped memory that is 0 at first, such as that of a struct."""
        address = self._heap
        self._heap += -(-size // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        return self.shared.map(address, size, name)

    def entry(self, function: str | int) -> int:
        """The address of a function, by its name or that address."""
        return self.image.symbols[function] if isinstance(function, str) else function

    def enter(
        self,
        runner: int,
        function: str | int,
        arguments: tuple[int, ...],
        out: int | None = None,
        given: int = 0,
    ) -> int:
        """The number of a function that is about to begin, called from outside.

        `runner` is the number of the context that executes it, and `out` the argument for which
        a pointer to room for one word is passed, in which `given` stands.
        """
        entry = self.entry(function)
        if self.timed:
            stack, runner = self._free_stack(entry), 0
        else:
            stack = self._stack(runner, entry)
        top = STACKS + (stack + 1) * STACK_SIZE
        registers = [0] * 32
        registers[RA], registers[SP], registers[TP] = RETURN, top - OUT, THREADS
        registers[TP] += runner * THREAD_SIZE
        for i, value in enumerate(arguments):
            registers[A0 + i] = value & WORD
        if out is not None:
            registers[A0 + out] = top - OUT
        frame = (given & WORD).to_bytes(OUT, "little")
        return self.suspended.number(Suspended(stack, entry, tuple(registers), frame, 0, Start()))

    def _stack(self, runner: int, entry: int) -> int:
        """Each function that a context enters from outside has a stack of its own: what it calls
        elsewhere may enter another one, whose pointers into the first are told apart."""
        known = self._stacks.get((runner, entry))
        if known is None:
            known = self._stacks[runner, entry] = len(self._stacks)
            self._entries.append(entry)
            function = self.image.function_at(entry)
            self._entered.append(function.name if function else hex(entry))
            name = f"{self._entered[-1]} of context {runner}"
            self.shared.map(STACKS + known * STACK_SIZE, STACK_SIZE, name)
        return known

    def _free_stack(self, entry: int) -> int:
        """A stack that is nobody's, for a call of a function in time: what one context has taught
        is known for all others.  `leave` gives it back."""
        free = self._free.setdefault(entry, [])
        return free.pop() if free else self._stack(len(self._stacks), entry)

    def leave(self, number: int) -> Done:
        """The result of a function that was entered from outside, and has returned."""
        state = self.suspended[number]
        if not isinstance(state.request, Done):
            raise ModelError(f"{self.functions(number)} has not returned")
        if self.timed:
            self._free[self._entries[state.stack]].append(state.stack)
        return state.request

    def request(self, number: int) -> Request:
        """The request of a suspended function."""
        return self.suspended[number].request

    def result(self, number: int) -> Done | None:
        """The result of a function; None while it has not returned."""
        request = self.suspended[number].request
        return request if isinstance(request, Done) else None

    def go_on(self, number: int) -> int:
        """Let a suspended function go on to its next request, on the present memory.

        Raises `KernelFault`.
        """
        memory = self.memory
        cells = memory.cells
        for each in self._known.get(number, ()):
            for cell, value in each.reads:
                if cells[cell] != value:
                    break
            else:
                return self._repeat(each)
        self.goes += 1
        go = Go(self.around, self.suspended[number])
        self.shared.memory = aside = Aside(memory)
        try:
            there = self.suspended.number(go.run())
        except Fault as fault:
            raise self._kernel_fault(fault, go) from None
        finally:
            self.shared.memory = memory
            self.executed.update(go.steps)
            self.followed.update(pairwise(go.steps))
        made = Remembered(tuple(aside.reads.items()), tuple(aside.writes.items()), there)
        self._known.setdefault(number, []).append(made)
        return self._repeat(made)

    def _repeat(self, made: Remembered) -> int:
        for cell, _ in made.reads:
            self.memory.read(cell)
        for cell, value in made.writes:
            self.memory.write(cell, value)
        return made.there

    def _kernel_fault(self, fault: Fault, go: Go) -> KernelFault:
        callers = (each - 1 for each in go.callers)
        places = (*callers, fault.pc or go.pc)
        chain = tuple(name for place in places for name in self.debug.functions_at(place))
        where = self.debug.line(fault.pc)
        text = f"{chain[-1] if chain else 'object code'}: {fault}"
        return KernelFault(f"{text} ({where})" if where else text, chain)

    def answered(self, number: int, answer: int | None) -> int:
        """The same function with the answer to its request."""
        return self.suspended.answered(number, answer or 0)

    def shows_its_stack(self, number: int) -> bool:
        """Whether a function calls another one with a pointer into its own stack."""
        state = self.suspended[number]
        if not isinstance(state.request, Call):
            return False
        low = STACKS + state.stack * STACK_SIZE
        return any(low <= each < low + STACK_SIZE for each in state.request.arguments)

    def _words(self, number: int) -> tuple[int, int]:
        """The first address of the frames of a suspended function, and the one behind them."""
        state = self.suspended[number]
        top = STACKS + (state.stack + 1) * STACK_SIZE
        if len(state.frames) % 8:
            raise ModelError("a stack pointer is not aligned")
        return top - len(state.frames), top

    def publish(self, number: int) -> None:
        """Let others see the stack of a function, until `take_back`."""
        frames = self.suspended[number].frames
        low, top = self._words(number)
        for address in range(low, top, 8):
            value = int.from_bytes(frames[address - low : address - low + 8], "little")
            if value:
                self.shared.store_bytes(address, 8, value)

    def take_back(self, number: int, answer: int | None) -> int:
        """The same function with its stack as others have left it, and the answer to its call."""
        low, top = self._words(number)
        words = []
        for address in range(low, top, 8):
            value = self.shared.load(address, 8)
            words.append(value.to_bytes(8, "little"))
            if value:
                self.shared.store_bytes(address, 8, 0)
        # Others may have written any of its words.
        made = replace(self.suspended[number], frames=b"".join(words), unwritten=NOTHING)
        return self.answered(self.suspended.number(made), answer)

    def functions(self, number: int) -> tuple[str, ...]:
        """The call chain of a suspended function, outermost first, inlined functions included."""
        return self._chain(number)[0]

    def is_inlined(self, number: int, depth: int) -> bool:
        """Whether a function of that chain is inlined in the one before it."""
        return self._chain(number)[1][depth]

    def _chain(self, number: int) -> Chain:
        known = self._chains.get(number)
        if known is not None:
            return known
        state = self.suspended[number]
        if isinstance(state.request, Done):
            known = (), ()
        else:
            places = (*(each - 1 for each in state.callers), state.site or state.pc)
            found = [
                (name, depth > 0)
                for place in places
                for depth, name in enumerate(self.debug.functions_at(place))
            ]
            names, inlined = zip(*found or [(self._entered[state.stack], False)], strict=True)
            known = names, inlined
        self._chains[number] = known
        return known

    def line(self, number: int) -> str:
        """The file and line of a suspended function."""
        state = self.suspended[number]
        return str(self.debug.line(state.site or state.pc) or "")
