"""The traced driver: the event trace of a real kernel decides what happens next.

The kernel paths get the probes that the trace was recorded with (`probed_call.py`).  A path runs
from one probe to the next, and there the trace must agree: it must have the same event, in the same
thread, on the same CPU, about the same vCPU, with the same values (`compare_event.py`).

Driven, so that the paths compute the state and every value that is compared:

* kvm_riscv_vcpu_aia_imsic_update, whole, from `upd`, `alloc` or `run`: with alloc_hgei, ioremap,
  the sweep of the old VS-file in an IPI, free_hgei, and imsic_release if no line is free;
* kvm_riscv_vcpu_aia_imsic_release, whole, from `rel` outside of other calls (a reset);
* kvm_riscv_vcpu_aia_imsic_cleanup, whole, from `free` outside of other calls;
* kvm_disable_virtualization_cpu and kvm_enable_virtualization_cpu, from `dis` and `en`, with the
  releases of CPU hotplug;
* hgei_interrupt, from `sgei`, with its kicks; HGEIP is set to what the trace says;
* kvm_riscv_aia_wakeon_hgei, from `wakeon`; it keeps HGEIE.

* the decision of kvm_arch_vcpu_load (v7.1 and later) whether registers are written, from `vload`.

Only compared: the VS-file that an `inject` or `imput` finds, VGEIN at `run`, and the page of
`ioremap`.  The lines of an SGEI must be armed, and able to be pending: they have an owner, or a
VS-file that was not left clear.  The AIA mode of a vCPU shows the first time that no line is free
for it.

Neither driven nor compared: other kicks, the scheduler, locks other than hgctrl->lock and
vsfile_lock, the contents of interrupt files, and all times.  vload, vput and cpuhp steps also show
that a call is over, and, with kicks, whether a vCPU sleeps through an interrupt
(`lost_wakeup.py`).  Every vCPU is a VM of its own here, so fences for other vCPUs are left out.

The arguments of a probe are read after its time stamp, so a VS-file that an event names may be one
that the vCPU gets later, before the next event of the thread (`LateRead` in `possible_state.py`).
`run` comes before the kernel looks at pending requests, so it does not prove that the guest is
entered.

A probe at entry fires before the lock is taken, and one at return after it was dropped.  So it is
not known when a section ran between two events of its thread: `interleavings.py` keeps every order
that the trace allows, as a set of hypotheses, and the trace disagrees when none is left.
"""
