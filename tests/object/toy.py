"""The objects of tests/data/object, and a small kernel that serves what they ask for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hgeisim.machine.shared import Memory
from hgeisim.object.debug_info import DebugInfo
from hgeisim.object.elf import read_object
from hgeisim.object.image import Image
from hgeisim.object.layout import percpu_offset
from hgeisim.object.object_code import ObjectCode, Outside
from hgeisim.object.request import Access, Call, Csr, Done, Preempt, Request, ThisCpu

DATA = Path(__file__).parent.parent / "data" / "object"
CPUS = 2
RUNNER = 1


@cache
def image(name: str = "pool.o") -> Image:
    return Image([read_object(name, (DATA / name).read_bytes())])


@cache
def debug(name: str = "pool.o") -> DebugInfo:
    return DebugInfo(image(name))


def code(name: str = "pool.o", *elsewhere: str) -> ObjectCode:
    return ObjectCode(image(name), debug(name), Memory(), CPUS, Outside(frozenset(elsewhere)))


def user(made: ObjectCode, ident: int) -> int:
    """A struct user in memory."""
    address = made.allocate(made.debug.size("user"), f"user{ident}")
    made.shared.store_bytes(address + made.debug.offset("user", "id"), 4, ident)
    return address


def field(made: ObjectCode, address: int, struct: str, name: str) -> int:
    """The value of a field, unsigned."""
    member = made.debug.member(struct, name)
    return made.shared.load(address + member.offset, member.size)


def pool(made: ObjectCode, cpu: int) -> int:
    """The control block of a CPU."""
    return made.image.symbols["pool"] + percpu_offset(cpu)


LIBGCC: dict[str, Any] = {
    "__popcountdi2": lambda a, *_: a.bit_count(),
    "__clzdi2": lambda a, *_: 64 - a.bit_length(),
    "__ctzdi2": lambda a, *_: (a & -a).bit_length() - 1,
    "__bswapdi2": lambda a, *_: int.from_bytes(a.to_bytes(8, "little"), "big"),
}
"""The functions of libgcc that a build without Zbb calls."""


class Alone:
    """A context that runs alone: `requests` are all that its function has asked for.

    `cpu` is where it runs, `registers` are CSRs by number, and `on_call` answers calls.
    """

    def __init__(self, made: ObjectCode, cpu: int = 0) -> None:
        self.code, self.cpu = made, cpu
        self.requests: list[Request] = []
        self.registers: dict[int, int] = {}
        self.calls = SimpleNamespace(
            _raw_spin_lock_irqsave=lambda *_: 2,
            _raw_spin_unlock_irqrestore=lambda *_: 0,
            **LIBGCC,
        )

    def call(self, function: str | int, *arguments: int, runner: int = RUNNER) -> int:
        """Run a function to its end; returns what C returns."""
        at = self.code.enter(runner, function, arguments)
        while True:
            at = self.code.go_on(at)
            request = self.code.request(at)
            self.requests.append(request)
            if isinstance(request, Done):
                return request.value
            if self.code.shows_its_stack(at):
                self.code.publish(at)
                at = self.code.take_back(at, self.answer(request))
            else:
                at = self.code.answered(at, self.answer(request))

    def answer(self, request: Request) -> int:
        match request:
            case Access() | Preempt():
                return 0
            case ThisCpu():
                return self.cpu
            case Csr(number, "read", _):
                return self.registers.get(number, 0)
            case Call(name, arguments):
                answer: Any = getattr(self.calls, name)
                return int(answer(*arguments))
        raise NotImplementedError(str(request))
