"""What each operation costs in simulated time.

ALL VALUES ARE ASSUMPTIONS.  Nobody has published figures for RISC-V KVM; these are taken from the
middle of the usual ranges of server-class cores (CSR access 10..50 ns, uncontended raw spinlock
20..60 ns, IPI 1..3 us, context switch 2..5 us, VM exit and entry 1..3 us, stop_machine 0.1..5 ms).
A scenario may replace each of them in its [timing] table.
"""

from __future__ import annotations

from typing import cast

from pydantic import Field

from hgeisim.scenario.distribution import Constant, Cost
from hgeisim.scenario.table import Table


def _cost(value_ns: int, meaning: str) -> Cost:
    default = Constant.model_construct(value=value_ns)
    allowed = f'a time such as "2us" or a distribution ({meaning})'
    return cast("Cost", Field(default=default, description=allowed))


class Timing(Table):
    """The timing table: a distribution of ns for each operation."""

    raw_spin_lock: Cost = _cost(40, "take a free raw spinlock")
    raw_spin_unlock: Cost = _cost(30, "release a raw spinlock")
    interrupt_entry: Cost = _cost(500, "enter and leave a hardirq handler")
    ipi: Cost = _cost(2_000, "send an IPI until its handler starts")
    ipi_send: Cost = _cost(300, "send an IPI and go on")
    vsfile_sweep: Cost = _cost(1_500, "read or write all registers of a VS-file")
    wake_up: Cost = _cost(3_000, "wake a blocked vCPU")
    context_switch: Cost = _cost(2_500, "switch a HART from one task to another")
    halt_poll: Cost = _cost(5_000, "one round of polling before a vCPU sleeps")
    guest_entry: Cost = _cost(1_500, "enter and leave the guest")
    vm_teardown: Cost = _cost(20_000, "other work of destroying a vCPU")
    stop_machine: Cost = _cost(500_000, "stop all HARTs to take one down")
    cpuhp_state: Cost = _cost(200_000, "callbacks of CPU hotplug, all on one side of KVM's")


TIMING_NS = {name: field.default.value for name, field in Timing.model_fields.items()}
"""The default timing table: nanoseconds by name (assumptions, see above)."""
