"""Lock inversions of KVM that were fixed, or caught in review: found as they were, not as fixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hgeisim.lockorder.cases.case_file import cases_from
from hgeisim.lockorder.cases.conformance import play
from hgeisim.watch.lock_report import finding_of, redundant

TYPES = {
    "vsfile_lock": "rwlock",
    "swfile_extirq_lock": "raw_spinlock",
    "irqs_pending_lock": "raw_spinlock",
    "vcpu->mutex": "mutex",
    "kvm->lock": "mutex",
    "kvm->srcu": "srcu",
    "mp_state_lock": "spinlock",
    "cpu_hotplug_lock": "rwsem",
    "kvm_lock": "mutex",
    "kvm_usage_lock": "mutex",
    "irqfds.lock": "spinlock",
}


def inside(*takes: str) -> list[list[Any]]:
    """Take locks one inside the other and give them back; `r:x` reads, `irq` masks interrupts."""
    ops, back = list[list[Any]](), list[list[Any]]()
    for number, take in enumerate(takes):
        mode, _, name = take.rpartition(":")
        if take == "irq":
            ops.append(["irq_save", f"f{number}"])
            back.append(["irq_restore", f"f{number}"])
        elif mode == "sync":
            ops.append(["sync", name])
        else:
            read = "read_" if mode == "r" else ""
            ops.append([f"{read}lock", name])
            back.append([f"{read}unlock", name])
    return [*ops, *back[::-1]]


@dataclass(frozen=True)
class Program:
    """The locks that each of some tasks takes, and the findings about them (none once fixed)."""

    threads: tuple[list[list[Any]], ...]
    findings: list[str] = field(default_factory=list)


INJECT = inside("irq", "r:vsfile_lock", "swfile_extirq_lock", "irqs_pending_lock")
HISTORY = {
    # Serialize virtual interrupt pending state updates, v3: has_interrupts under irqs_pending_lock.
    "B-05": Program(
        (INJECT, inside("irq", "irqs_pending_lock", "r:vsfile_lock")),
        [
            "wait-context:vsfile_lock irqs_pending_lock",
            "circular:irqs_pending_lock -EN-> vsfile_lock -SN->",
        ],
    ),
    "B-05 as merged": Program((INJECT, inside("irq", "irqs_pending_lock"))),
    # 2121cadec45a (6.10): an SBI HSM start took kvm->lock inside the run loop's SRCU section.
    "B-06": Program(
        (
            inside("vcpu->mutex", "r:kvm->srcu", "kvm->lock"),
            inside("kvm->lock", "vcpu->mutex"),
            inside("kvm->lock", "sync:kvm->srcu"),
        ),
        [
            "circular:kvm->lock -EN-> vcpu->mutex -EN->",
            "circular:kvm->lock -EN-> kvm->srcu -SN->",
        ],
    ),
    "B-06 fixed": Program(
        (
            inside("vcpu->mutex", "r:kvm->srcu", "mp_state_lock"),
            inside("kvm->lock", "vcpu->mutex"),
            inside("kvm->lock", "sync:kvm->srcu"),
        )
    ),
    # 6.12: kvm_usage_count was protected by kvm_lock, which CPU hotplug takes the other way round.
    "B-13": Program(
        (inside("kvm_lock", "r:cpu_hotplug_lock"), inside("cpu_hotplug_lock", "kvm_lock")),
        ["circular:cpu_hotplug_lock -EN-> kvm_lock -EN->"],
    ),
    "B-13 fixed": Program(
        (inside("kvm_usage_lock", "r:cpu_hotplug_lock"), inside("cpu_hotplug_lock", "kvm_lock"))
    ),
    # irqbypass RFC v1: devices are notified under vsfile_lock, a routing update goes the other way.
    "B-14": Program(
        (
            inside("irq", "vsfile_lock", "irqfds.lock"),
            inside("irq", "irqfds.lock", "r:vsfile_lock"),
        ),
        ["circular:irqfds.lock -EN-> vsfile_lock -EN->"],
    ),
    "B-14 v3": Program(
        (
            [*inside("irq", "vsfile_lock"), *inside("irq", "irqfds.lock")],
            inside("irq", "irqfds.lock", "r:vsfile_lock"),
        )
    ),
    # The same RFC enabled interrupts under vsfile_lock; a device's handler injects with it.
    "B-14 spin_unlock_irq": Program(
        (
            [
                ["irq_save", "f"],
                ["lock", "vsfile_lock"],
                ["irq_disable"],
                ["lock", "irqfds.lock"],
                ["unlock", "irqfds.lock"],
                ["irq_enable"],
                ["unlock", "vsfile_lock"],
                ["irq_restore", "f"],
            ],
            [
                ["irq_disable"],
                ["hardirq_enter", {"threaded": True}],
                *inside("r:vsfile_lock"),
                ["hardirq_exit"],
                ["irq_enable"],
            ],
        ),
        ["irq-usage:vsfile_lock IN-HARDIRQ-R HARDIRQ-ON-W"],
    ),
}


@pytest.mark.parametrize("name", HISTORY)
def test_history(name: str) -> None:
    program = HISTORY[name]
    case = {
        "id": name,
        "lock_types": TYPES,
        "expect": "pass",
        "threads": [
            {"name": f"t{number}", "ops": ops} for number, ops in enumerate(program.threads)
        ],
    }
    (played,) = [play(each) for each in cases_from([case])]
    less = redundant(played.reports)
    assert [i for r in played.reports if (i := finding_of(r).id) not in less] == program.findings
