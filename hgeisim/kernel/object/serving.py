"""The requests of objects, served by operations and paths of the model.

A generator here stands around kernel functions and is none itself; it keeps numbers only.
"""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.object.csrs import access_csr
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Op, Path
from hgeisim.object.layout import file_of
from hgeisim.object.object_code import KernelFault
from hgeisim.object.request import Access, Call, Csr, DeviceWrite, Preempt, ThisCpu

AT_ONCE = (Access, Preempt)
"""The requests that one operation serves, always the same."""


def operation(request: Access | Preempt) -> Op:
    """The operation that serves a request of `AT_ONCE`."""
    if isinstance(request, Access):
        return STEP
    return PREEMPT_DISABLE if request.off else PREEMPT_ENABLE


def served(k: Any, current: Any, at: int) -> Path[int | None]:
    """The path that serves any other request of a suspended function."""
    match k.object.request(at):
        case ThisCpu():
            return this_cpu(current)
        case DeviceWrite(address, value):
            return store_to_device(k, address, value)
        case Csr(number, how, value):
            return access_csr(k, current, (number, how, value), k.object.functions(at))
        case Call(name, arguments):
            path: Path[int | None] = k.externs[name](k, current, *arguments)
            return path
    raise NotImplementedError(str(k.object.request(at)))


def this_cpu(current: Any) -> Path[int]:
    """thread_info.cpu: no other context can change it while it is read."""
    yield from ()
    return int(current.cpu)


def store_to_device(k: Any, address: int, value: int) -> Path[None]:
    """A store to the page of an interrupt file."""
    yield STEP
    cpu, hgei = file_of(address)
    if cpu >= len(k.hart):
        raise KernelFault(f"a store to {address:#x}, where there is not a device", ())
    k.hart[cpu].write_msi(hgei, value)
    yield k.sgei[cpu]
