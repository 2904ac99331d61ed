"""The traced driver: the event trace of a real kernel decides what happens next.

The kernel paths get the probes that the trace was recorded with (`probed_call.py`).  A path runs
from one probe to the next, and what it says there must be what the trace says: the same event, in
the same thread, on the same CPU, about the same vCPU, with the same values.

Driven, which means that the paths compute the state and every value that is compared:

* kvm_riscv_vcpu_aia_imsic_update, whole, from `upd`, `alloc` or `run`: with alloc_hgei, ioremap,
  the sweep of the old VS-file in an IPI, free_hgei, imsic_release where no line is free;
* kvm_riscv_vcpu_aia_imsic_release, whole, from `rel` where nobody else calls it (a reset);
* kvm_riscv_vcpu_aia_imsic_cleanup, whole, from `free` where nobody else calls it;
* kvm_disable_virtualization_cpu and kvm_enable_virtualization_cpu, from `dis` and `en`, with the
  releases of CPU hotplug;
* hgei_interrupt, from `sgei`, with its kicks; HGEIP is made to be what the trace says;
* kvm_riscv_aia_wakeon_hgei, from `wakeon`; it keeps HGEIE.

Only compared: the VS-file that an `inject` finds, VGEIN at `run`, the page of `ioremap`; and that
the lines of an SGEI are armed and can be pending: they have an owner, or a VS-file that was not
left clear.  The AIA mode of a vCPU is what it shows when first no line is free for it.

Neither driven nor compared: other kicks, the scheduler, locks other than hgctrl->lock and
vsfile_lock, what is in the interrupt files, and all times; vload, vput and cpuhp steps only show
that a call is over, and, with kicks, whether a vCPU sleeps through an interrupt
(`lost_wakeup.py`).  Every vCPU is a VM of its own here: fences for the others are left out.

The arguments of a probe are read after its time stamp, so a VS-file that an event names may be one
that the vCPU gets later, before the next event of the thread (`LateRead` in `possible_state.py`).
`run` stands before pending requests are looked at, so it does not prove that the guest is entered.

A probe at entry fires before the lock is taken, one at return after it was dropped.  So when a
section ran, between two events of its thread, is not known: `interleavings.py` keeps every order
that the trace allows, as a set of hypotheses, and the trace disagrees when none is left.
"""
