"""Findings that are known: the baseline of shipped kernels, and names for the faults of patches.

An accepted finding is printed, with its reason, and does not count as new.  The others have only a
name: the hazard that a reviewer knows them by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from hgeisim.lockorder.report import Grade


@dataclass(frozen=True)
class Known:
    """A finding in the variants that match a pattern, with the name that people use for it;
    `realtime` says that it is known with PREEMPT_RT only."""

    finding: str
    variants: str
    name: str
    reason: str
    accepted: bool = False
    realtime: bool = False


NO_REFERENCE = "aia_disable releases a vCPU that it holds no reference to; docs/findings.md"
TWO_MOVERS = "aia_disable and imsic_update move the same VS-file at once; docs/findings.md"
STALE_FILE = "a VS-file is read after vsfile_lock was dropped, see also B-10; docs/findings.md"
IN_HARDIRQ = "kvm_shutdown: aia_disable in hardirqs that wait for each other; docs/findings.md"
SLEEPS = "vsfile_lock, mmu_lock and hfence_lock are taken while atomic; docs/findings.md"
UNDER_RQ = "imsic_put takes vsfile_lock under rq->__lock; docs/findings.md"
RQ_AND_BACK = "vsfile_lock and rq->__lock, in either order; docs/findings.md"
TWO_INSIDE = "raw_spin_lock_init on re-enable lets two contexts inside"
NOT_DISARMED = "an owner that moved left its HGEIE bit set, until v6.16; docs/findings.md"
ALL_63 = "BIT(63 + 1) - 1 is 0, so no line is free on a HART with all 63; docs/findings.md"
EXIT_ORDER = "kvm_riscv_aia_exit comes before kvm_exit, until v6.15; docs/findings.md"
ONE_FOR_ALL = "a HART without lines takes AUTO and HWACCEL from all VMs; docs/findings.md"

VSFILE, MMU, HFENCE = "imsic->vsfile_lock", "kvm->mmu_lock", "vcpu->hfence_lock"
SLEEPING = (VSFILE, MMU, HFENCE)
SAFE, UNSAFE = "IN-HARDIRQ-W", "HARDIRQ-ON-W"


def _accepted(finding: str, name: str, reason: str, variants: str = "*") -> Known:
    return Known(finding, variants, name, reason, accepted=True)


def _realtime(finding: str, name: str, reason: str, variants: str = "*") -> Known:
    return Known(finding, variants, name, reason, accepted=True, realtime=True)


IN_REBOOT = "hardirq in kvm_riscv_aia_disable"
LOCK_ORDER = (
    *(_accepted(f"wait-context:{each} {IN_REBOOT}", "F-4", IN_HARDIRQ) for each in SLEEPING),
    _accepted(f"ipi-irqs-off:kvm_make_vcpus_request_mask {IN_REBOOT}", "F-4", IN_HARDIRQ),
    _accepted(f"circular:@ipi -EN-> {MMU} -EN->", "F-4", IN_HARDIRQ),
    _accepted(f"irq-usage:{MMU} {SAFE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _accepted(f"irq-usage:{HFENCE} {SAFE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _accepted(f"irq-inversion:{MMU} {SAFE} {HFENCE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _accepted(f"irq-inversion:@ipi {SAFE} {MMU} {UNSAFE}", "F-4", IN_HARDIRQ),
    _accepted(f"irq-dependency:{MMU} {SAFE} {MMU} {UNSAFE}", "F-4", IN_HARDIRQ),
    _accepted(f"irq-dependency:{MMU} {SAFE} {HFENCE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _realtime(f"irq-usage:{VSFILE} {SAFE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _realtime(f"irq-inversion:@ipi {SAFE} {VSFILE} {UNSAFE}", "F-4", IN_HARDIRQ),
    _realtime(f"irq-dependency:{MMU} {SAFE} {VSFILE} {UNSAFE}", "F-4", IN_HARDIRQ),
    *(
        _realtime(f"wait-context:{each} preemption off in {place}", "B-08", SLEEPS)
        for each in SLEEPING
        for place in ("kvm_riscv_vcpu_aia_imsic_update", "kvm_riscv_aia_disable")
    ),
)
"""What lock order says: a class and what forbids it there, place included, and nothing like it."""
UNDER_RQ_LOCK = (
    _accepted(f"wait-context:{VSFILE} rq->__lock", "B-08", UNDER_RQ),
    *(
        _realtime(f"{kind}:{lock} {SAFE} {VSFILE} {UNSAFE}", "B-08", UNDER_RQ)
        for kind in ("irq-inversion", "irq-dependency")
        for lock in ("rq->__lock", "p->pi_lock", "hgctrl->lock")
    ),
    *(
        _accepted(
            f"circular{grade.suffix}:{VSFILE} -SN-> {way}rq->__lock -EN->", "B-09", RQ_AND_BACK
        )
        for grade in Grade
        for way in ("", "p->pi_lock -EN-> ")
    ),
)
"""... of vsfile_lock inside rq->__lock; in the bases of SINCE_PUT, where imsic_put takes it."""
SINCE_PUT = ("v6.16*", "v6.18*", "v7.1*")

KNOWN = (
    _accepted("use-after-free:kvm_riscv_aia_disable", "F-1", NO_REFERENCE),
    _accepted("dead-owner:taken-line", "F-1", NO_REFERENCE),
    _accepted("lost-interrupt:swfile", "F-3", TWO_MOVERS),
    _accepted("lost-interrupt:vsfile", "F-3", TWO_MOVERS),
    _accepted("foreign-vsfile:hgei", "F-3", STALE_FILE),
    _accepted(f"deadlock:{MMU}", "F-4", IN_HARDIRQ),
    _accepted(f"deadlock:{MMU}+{HFENCE}", "F-4", IN_HARDIRQ),
    _accepted(f"deadlock:{HFENCE}", "F-4", IN_HARDIRQ),
    _realtime(f"deadlock:{VSFILE}", "F-4", IN_HARDIRQ),
    _accepted("ipi-wait-atomic:ack_flush", "F-4", IN_HARDIRQ),
    *(_realtime(f"sleep-in-atomic:{each}", "B-08", SLEEPS) for each in SLEEPING),
    *LOCK_ORDER,
    *(replace(each, variants=base) for base in SINCE_PUT for each in UNDER_RQ_LOCK),
    _accepted("irq-freed-enabled:sgei", "B-17", EXIT_ORDER, "v6.12*"),
    _accepted("stale-armed:hgei", "F-5", NOT_DISARMED, "v6.12*"),
    Known("lost-wakeup:vcpu", "v6.12*", "B-02", "HGEIE is set on whatever CPU it blocks on"),
    Known("lost-wakeup:vcpu", "v6.16*", "B-03", "HGEIP is read on whatever CPU it blocks on"),
    _accepted("lost-wakeup:vcpu", "F-3", TWO_MOVERS),
    Known("double-owner:hgei", "*+percpu-v2*", "V2-2", "free_bitmap is reset on re-enable"),
    Known("guest-line:hgei", "*+percpu-v2-lock-init*", "V2-1", TWO_INSIDE),
    Known("not-owner:hgei", "*+percpu-v2-lock-init*", "V2-1", TWO_INSIDE),
    Known("guest-line:hgei", "*+percpu-v2*", "V2-2", "free_bitmap is reset on re-enable"),
    Known("not-owner:hgei", "*+percpu-v2*", "V2-2", "free_bitmap is reset on re-enable"),
    Known("bitmap-owner:free-line", "*+percpu-v2*", "V2-2", "free_bitmap is reset on re-enable"),
    Known("bitmap-owner:taken-line", "*+percpu-v2*", "V2-1", TWO_INSIDE),
    Known("bitmap-owner:all-lines", "*+percpu-v2*", "B-16", ALL_63),
    Known("bitmap-owner:all-lines", "v6.??", "B-16", ALL_63),
    Known("bitmap-owner:all-lines", "v7.?", "B-16", ALL_63),
    Known("dead-owner:free-line", "*+percpu-v2*", "V2-3", "owners[] is not cleared on re-enable"),
    Known("leak:hgei", "*+percpu-v2*", "V2-3", "owners[] is not cleared on re-enable"),
    Known("lock-init-held:hgctrl->lock", "*+percpu-v2*", "V2-1", "raw_spin_lock_init on re-enable"),
    Known("broken-lock:hgctrl->lock", "*+percpu-v2*", "V2-1", "raw_spin_lock_init on re-enable"),
    Known(
        "held-init:hgctrl->lock set_hgei_up",
        "*+percpu-v2*",
        "V2-1",
        "raw_spin_lock_init on re-enable",
    ),
    Known("deadlock:hgctrl->lock", "*+percpu-v2*", "V2-1", "raw_spin_lock_init on re-enable"),
    _accepted("mode-refused:aia", "V5-1", ONE_FOR_ALL, "*+percpu-v5*"),
    Known("mode-refused:aia", "*", "V2-9", "the count was probed on a HART without lines"),
    Known("no-such-line:hgei", "*", "F-2", "one HGEI count for HARTs that differ"),
    Known("illegal-instruction:vsireg", "*", "F-2", "one HGEI count for HARTs that differ"),
)


def known(finding_id: str, variant: str, realtime: bool = False) -> Known | None:
    """The entry for a finding in a variant, with PREEMPT_RT or without: the first that matches."""
    return next(
        (
            entry
            for entry in KNOWN
            if finding_id == entry.finding
            and fnmatchcase(variant, entry.variants)
            and (realtime or not entry.realtime)
        ),
        None,
    )


def known_facts(finding_id: str, variant: str, realtime: bool = False) -> dict[str, str | None]:
    """The name and the reason of a known finding as documents tell them, None when it is new."""
    entry = known(finding_id, variant, realtime)
    return {"known_as": entry.name if entry else None, "reason": entry.reason if entry else None}


def hazard(finding_id: str, variant: str, realtime: bool = False) -> str:
    """The name by which people know a finding in a variant; its own id when it has none."""
    entry = known(finding_id, variant, realtime)
    return entry.name if entry else finding_id


def new_findings(
    finding_ids: Iterable[str], variant: str, strict: bool = False, realtime: bool = False
) -> list[str]:
    """The ids that the baseline does not accept; with `strict`, all of them."""
    entries = ((i, known(i, variant, realtime)) for i in finding_ids)
    return [i for i, entry in entries if strict or entry is None or not entry.accepted]
