"""The names that a patch of your own may use: `from hgeisim.patch import Aia, Vcpu, STEP, Path`.

These names are stable; docs/idioms.md says what to yield for each idiom of the kernel.  A patch may
also import from the modules that define them, under their present or former names (`FORMER`).
"""

from __future__ import annotations

import sys
from importlib import import_module

from hgeisim.kernel import structs
from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_imsic import Imsic, ImsicDevice
from hgeisim.kernel.cpu import Cpuhp
from hgeisim.kernel.cpu_idle import CpuIdle
from hgeisim.kernel.interrupts import Interrupts
from hgeisim.kernel.kvm_main import Block
from hgeisim.kernel.main import Module
from hgeisim.kernel.mmu import Mmu
from hgeisim.kernel.request import Request
from hgeisim.kernel.sched import Sched
from hgeisim.kernel.structs import (
    AUTO,
    EBUSY,
    EINVAL,
    EMUL,
    ENOENT,
    EXITING_GUEST_MODE,
    HWACCEL,
    IN_GUEST_MODE,
    IRQ_VS_EXT,
    IRQ_VS_SOFT,
    IRQ_VS_TIMER,
    OUTSIDE_GUEST_MODE,
    REQ_HFENCE,
    REQ_VCPU_RESET,
    Caller,
    Globals,
    HardIrq,
    HgeiControl,
    PerCpu,
    Rq,
    Thread,
    Vcpu,
    Vm,
)
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.kernel.variants.percpu_v3 import PercpuV3
from hgeisim.kernel.variants.percpu_v4 import PercpuV4
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.atomics import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_add_return,
    atomic_dec,
    atomic_dec_and_test,
    atomic_inc,
    clear_bit,
    cmpxchg,
    get_cpu,
    per_cpu_ptr,
    put_cpu,
    raw_smp_processor_id,
    set_bit,
    smp_processor_id,
    test_and_clear_bit,
    test_and_set_bit,
    test_bit,
    this_cpu_ptr,
    try_cmpxchg,
    xchg,
)
from hgeisim.machine.balance import hands_over
from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.hart import ALL_ONES, Hart, bit, ffs, find_first_bit, fls
from hgeisim.machine.idle import GO_IDLE, POWER_DOWN
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.kernel_name import in_c, outside, part_of
from hgeisim.machine.mutex import Mutex, RwSem, mutex, rwsem
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    STEP,
    WARN_ON,
    Path,
    lockdep_assert_held,
)
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.schedule import STOP_MACHINE, TASK_INTERRUPTIBLE, TASK_RUNNING
from hgeisim.machine.shared import Array, Field, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock, spinlock
from hgeisim.machine.srcu import Srcu, srcu
from hgeisim.machine.task import Runner

FORMER = {
    "hgeisim.kernel.block": "hgeisim.kernel.kvm_main",
    "hgeisim.kernel.cpuhp": "hgeisim.kernel.cpu",
    "hgeisim.kernel.imsic": "hgeisim.kernel.aia_imsic",
    "hgeisim.kernel.imsic_device": "hgeisim.kernel.aia_imsic",
    "hgeisim.kernel.module": "hgeisim.kernel.main",
    "hgeisim.machine.assertions": "hgeisim.machine.ops",
    "hgeisim.machine.clock": "hgeisim.machine.topology",
    "hgeisim.machine.trylock": "hgeisim.machine.ops",
}
"""Former names of modules, which an older patch may import, and their present names."""
sys.modules.update({old: import_module(new) for old, new in FORMER.items()})

__all__ = [
    "ALL_ONES",
    "AUTO",
    "EBUSY",
    "EINVAL",
    "EMUL",
    "ENOENT",
    "EXITING_GUEST_MODE",
    "GO_IDLE",
    "HWACCEL",
    "IN_GUEST_MODE",
    "IRQ_VS_EXT",
    "IRQ_VS_SOFT",
    "IRQ_VS_TIMER",
    "LOCAL_IRQ_DISABLE",
    "LOCAL_IRQ_ENABLE",
    "OUTSIDE_GUEST_MODE",
    "POWER_DOWN",
    "PREEMPT_DISABLE",
    "PREEMPT_ENABLE",
    "READ_ONCE",
    "REQ_HFENCE",
    "REQ_VCPU_RESET",
    "STEP",
    "STOP_MACHINE",
    "SWEEP_VSFILE",
    "TASK_INTERRUPTIBLE",
    "TASK_RUNNING",
    "WARN_ON",
    "WRITE_ONCE",
    "Aia",
    "Array",
    "Block",
    "Caller",
    "CpuIdle",
    "Cpuhp",
    "Field",
    "Globals",
    "HardIrq",
    "Hart",
    "HgeiControl",
    "Imsic",
    "ImsicDevice",
    "Interrupts",
    "Ipi",
    "Mmu",
    "Module",
    "Mutex",
    "Path",
    "PerCpu",
    "PercpuV2",
    "PercpuV3",
    "PercpuV4",
    "PercpuV5",
    "RawSpinlock",
    "Request",
    "Rq",
    "Runner",
    "RwLock",
    "RwSem",
    "Sched",
    "Shared",
    "Srcu",
    "Thread",
    "Vcpu",
    "VcpuRun",
    "Vm",
    "atomic_add_return",
    "atomic_dec",
    "atomic_dec_and_test",
    "atomic_inc",
    "bit",
    "build",
    "clear_bit",
    "cmpxchg",
    "ffs",
    "find_first_bit",
    "fls",
    "get_cpu",
    "hands_over",
    "in_c",
    "lockdep_assert_held",
    "mutex",
    "outside",
    "part_of",
    "per_cpu_ptr",
    "put_cpu",
    "raw_smp_processor_id",
    "raw_spinlock",
    "rwlock",
    "rwsem",
    "set_bit",
    "smp_processor_id",
    "spinlock",
    "srcu",
    "structs",
    "test_and_clear_bit",
    "test_and_set_bit",
    "test_bit",
    "this_cpu_ptr",
    "try_cmpxchg",
    "xchg",
]
