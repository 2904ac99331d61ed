"""Remedies: for each kind of finding, the harm it does and the way to close it, for a mail."""

from __future__ import annotations

from typing import NamedTuple


class Remedy(NamedTuple):
    """The harm to a kernel with such a finding, and the duty of a fix."""

    breaks: str
    closes: str


REMEDIES = {
    "illegal-instruction": Remedy(
        "The access traps in HS-mode: the host panics.",
        "Hand out only lines that the HART has: a count for each CPU.",
    ),
    "use-after-free": Remedy(
        "A freed vCPU is read and written, and maybe kicked; or a freed page table is.",
        "Take a reference, or read the pointer, while the lock is held that its destroyer takes, "
        "or let the destroyer wait for the other CPU.",
    ),
    "guest-line": Remedy(
        "A guest takes and changes the interrupts of another one.",
        "Free a line only while owners[] names the vCPU that gives it back, and never reset "
        "free_bitmap while owners[] is set.",
    ),
    "no-such-line": Remedy(
        "The first access to that guest file traps: the host panics.",
        "Hand out only lines that the HART has: a count for each CPU.",
    ),
    "no-such-file": Remedy(
        "The page lies outside the IMSIC region of the HART: an access by its address fails.",
        "Hand out only lines that have a page: the number of guest files, not guest_index_bits.",
    ),
    "foreign-vsfile": Remedy(
        "The host reads or clears the registers of a VS-file that is not this vCPU's: another "
        "guest can lose its interrupts.",
        "Free the line only after the last access to its file, or look again under a lock that the "
        "freeing side takes.",
    ),
    "foreign-release": Remedy(
        "A vCPU that has already moved loses the file that it uses now.",
        "Compare vsfile_cpu and vsfile_hgei with the line that goes away, under vsfile_lock.",
    ),
    "double-free": Remedy(
        "Harmless only while nobody got the line in between; else it is taken from its new owner.",
        "Let one side alone free a line: the one that found vsfile_cpu >= 0 under the write lock.",
    ),
    "now-on-offline": Remedy(
        "The guest's interrupts go to a HART that is off.",
        "Allocate no line on a CPU that aia_disable has passed.",
    ),
    "double-owner": Remedy(
        "Two guests share one VS-file: each takes, clears and sets the interrupts of the other.",
        "Free a line only while owners[] names the vCPU that gives it back, and never reset "
        "free_bitmap while owners[] is set.",
    ),
    "not-owner": Remedy(
        "The line can be handed out again while its vCPU uses it.",
        "Free a line only while owners[] names the vCPU that gives it back, and never reset "
        "free_bitmap while owners[] is set.",
    ),
    "bitmap-owner": Remedy(
        "A line that is owned can be handed out again, or a free one never.",
        "Change free_bitmap and owners[] together under hgctrl->lock, and reset neither alone.",
    ),
    "dead-owner": Remedy(
        "An SGEI on that line kicks a vCPU that was freed.",
        "Clear owners[] before the vCPU is freed, and take a reference before using it.",
    ),
    "leak": Remedy(
        "The line is lost to all VMs until the CPU is set up anew.",
        "Free the line wherever its vCPU gives up the file, also when the bit is set already.",
    ),
    "set-up-lost": Remedy(
        "The guest takes no interrupt any more: its file is as nobody has set it up.",
        "Hold one lock (vcpu->mutex or a new one) from giving up the old file until its content is "
        "where the guest looks, in imsic_update and in imsic_release.",
    ),
    "sent-lost": Remedy(
        "An interrupt that was sent never reaches the guest.",
        "Read the old file only once its page leads elsewhere, and hold one lock (vcpu->mutex or a "
        "new one) until its content is where the guest looks, in imsic_update and imsic_release.",
    ),
    "lost-interrupt": Remedy(
        "An interrupt stays pending in a file in which the guest does not look.",
        "Hold one lock (vcpu->mutex or a new one) from giving up the old file until its content is "
        "where the guest looks, in imsic_update and in imsic_release.",
    ),
    "stray": Remedy(
        "The guest handles an interrupt that no one has sent.",
        "Clear a VS-file before its next owner uses it, and after its last one.",
    ),
    "left-behind": Remedy(
        "What was in use stays taken, or an interrupt finds nobody to handle it.",
        "Give back on the way out all that was taken on the way in.",
    ),
    "reset-kept": Remedy(
        "A vCPU starts again with interrupts of its past.",
        "Clear the file after the last path that can merge into it.",
    ),
    "misread": Remedy(
        "User space saves a state that the vCPU does not have, or the guest goes on with one.",
        "Read the whole word, and the file that the vCPU has now.",
    ),
    "unreachable": Remedy(
        "Whoever kicks the vCPU or waits for its fence sends no IPI to it, or one to another CPU.",
        "Set vcpu->cpu on every way into the guest: kvm_arch_vcpu_load, also from kvm_sched_in.",
    ),
    "foreign-registers": Remedy(
        "The guest runs without interrupts or with registers of another, and the next put saves "
        "them for good.",
        "Write all registers at a load unless this CPU still has them; forget the former vCPU "
        "where they go.",
    ),
    "foreign-vmid": Remedy(
        "The HART takes translations of one VM for those of another.",
        "Compare the VMID that was written to HGATP with interrupts off, before the guest.",
    ),
    "entry-refused": Remedy(
        "KVM_RUN fails, and the guest does not go on.",
        "Let a vCPU in mode auto go on with its SW-file where it gets no line.",
    ),
    "stale-pte": Remedy(
        "Stores of other guests go to a file that is not this vCPU's.",
        "Change the mapping and vsfile_cpu in one section.",
    ),
    "fence-lost": Remedy(
        "The guest goes on with translations that are gone: its stores reach an old file.",
        "Execute the queue whenever the request is taken.",
    ),
    "stale-translation": Remedy(
        "Interrupts that other guests send go to a file that nobody looks at any more.",
        "Fence after the page is mapped elsewhere, and wait for it before the file is read.",
    ),
    "guest-file": Remedy(
        "Its interrupts are pending in a file that the guest does not look at.",
        "Give the VS-file up before the guest is entered without it: imsic_release, then VGEIN.",
    ),
    "storm": Remedy(
        "The handler is entered again as soon as it returns: the CPU does nothing else.",
        "Clear in HGEIE what the handler was entered for.",
    ),
    "level": Remedy(
        "The guest sees VS_EXT or VS_SOFT without an interrupt, or none with one.",
        "Compute and set the level under one lock after the last change of the file; change "
        "irqs_pending and its mask together, under one lock as well.",
    ),
    "register": Remedy(
        "A CPU that is off listens, or one that is on does not.",
        "Set the registers where virtualization_enabled is set.",
    ),
    "armed": Remedy(
        "The next owner of the line is interrupted for nothing.",
        "Clear the HGEIE bit in free_hgei, or before the line is handed out.",
    ),
    "stale-armed": Remedy(
        "A needless SGEI and a kick of the new owner.",
        "Clear the HGEIE bit in free_hgei, or before the line is handed out.",
    ),
    "deaf": Remedy(
        "An MSI to the sleeping vCPU raises no SGEI: it sleeps on.",
        "Arm the line on the CPU of the VS-file until the vCPU is kicked, or do not sleep when it "
        "is on another one.",
    ),
    "lost-wakeup": Remedy(
        "The vCPU sleeps until something else wakes it up.",
        "Kick the vCPU whenever an interrupt becomes pending; and after announcing the sleep, look "
        "for one where it would be: on the CPU of the VS-file, and in the SW-file.",
    ),
    "unserved": Remedy(
        "The guest gets no interrupt any more, though none is lost.",
        "Let whoever makes an interrupt pending see to it that the vCPU enters its guest with it: "
        "VSEIP flushed, HGEIE armed, its requests handled.",
    ),
    "irq-freed-enabled": Remedy(
        "An SGEI arrives for a handler that is gone.",
        "Disable it on every CPU before it is freed.",
    ),
    "lock-init-held": Remedy(
        "The lock keeps nobody out while its holder goes on.",
        "Initialise it once, before the first CPU is enabled.",
    ),
    "broken-lock": Remedy(
        "Two contexts change free_bitmap and owners[] together.",
        "Initialise it once, before the first CPU is enabled.",
    ),
    "unlocked": Remedy(
        "Another CPU reads or writes the same data meanwhile, and sees half of it.",
        "Hold the lock around each access, for writing where it is written; or read with "
        "READ_ONCE and look again under the lock.",
    ),
    "data-race": Remedy(
        "The compiler may split, merge or repeat a plain access; KCSAN reports it.",
        "Hold one lock around both accesses; or, where any value will do, mark them with READ_ONCE "
        "and WRITE_ONCE.",
    ),
    "ipi-wait-atomic": Remedy(
        "Two CPUs that do it wait for each other with interrupts off.",
        "Send and wait with interrupts on, outside of the lock.",
    ),
    "lock-not-held": Remedy(
        "Data that the lock protects changes meanwhile.", "Take the lock in every caller."
    ),
    "warn-on": Remedy("A condition that the patch relies on does not hold.", "Make it hold."),
    "sleep-in-atomic": Remedy(
        "On PREEMPT_RT the lock sleeps: scheduling while atomic.",
        "Use a raw lock, or take it before preemption or interrupts go off.",
    ),
    "check": Remedy("An invariant of the patch does not hold.", "Make it hold."),
    "mode-refused": Remedy(
        "A VM does not get the AIA mode that it asked for.",
        "Leave CPUs without lines out of the common count.",
    ),
    "mode-unusable": Remedy(
        "No vCPU of the VM ever enters its guest.",
        "Refuse the mode where no CPU has a line.",
    ),
    "line-refused": Remedy(
        "The vCPU goes on with its SW-file, or not at all, though a line is free.",
        "Let alloc_hgei look at all lines of the CPU under hgctrl->lock.",
    ),
    "deadlock": Remedy(
        "They wait for ever, and so does whoever needs what they hold.",
        "Let one of them give up what it holds before it waits, and initialise no lock that "
        "somebody may hold.",
    ),
    "livelock": Remedy(
        "Each undoes what the other does, or waits for what the other never gives up; none of them "
        "goes on.",
        "Let one of them go on with what it has: lock in one order instead of trying, or back off "
        "for good.",
    ),
    "endless": Remedy("The path never ends.", "Bound the loop, or end what keeps it going."),
    "unbalanced": Remedy(
        "What was taken is never given back.", "Give it back on every way out of the function."
    ),
    "scheduling-while-atomic": Remedy(
        "The kernel warns, and may hang.", "Sleep only with preemption and interrupts on."
    ),
    "kernel-fault": Remedy(
        "The kernel panics, or does what nobody can foresee.",
        "Find out who may clear the pointer in that line, or free what it points to.",
    ),
    "exception": Remedy("The patch ends in an error.", "Correct it."),
    "waits-for-guest": Remedy(
        "It waits until the guest leaves KVM_RUN.", "Kick the vCPU before waiting for it."
    ),
    "starves": Remedy(
        "It does not run while others have the lines.", "Have more lines, or use mode auto."
    ),
    "circular": Remedy(
        "None of them goes on, nor does whoever wants one of the locks after them.",
        "Break one edge: drop the first lock before the second one is taken.",
    ),
    "recursion": Remedy(
        "The CPU waits for itself.", "Drop the lock first, or use a variant that is called with it."
    ),
    "irq-usage": Remedy(
        "An interrupt in the wrong place waits for the lock that it has interrupted.",
        "Turn interrupts off wherever the lock is taken, or do not take it in a handler.",
    ),
    "irq-inversion": Remedy(
        "An interrupt in the wrong place waits, over other locks, for one that it has interrupted.",
        "Turn interrupts off wherever the inner lock is taken, or take it outside of the other.",
    ),
    "irq-dependency": Remedy(
        "An interrupt in the wrong place waits, over other locks, for one that it has interrupted.",
        "Turn interrupts off wherever the inner lock is taken, or take it outside of the other.",
    ),
    "ipi-irqs-off": Remedy(
        "Two CPUs that do it wait for each other with interrupts off.",
        "Send and wait with interrupts on, outside of the lock.",
    ),
    "held-init": Remedy(
        "The lock keeps nobody out while its holder goes on.",
        "Initialise it once, before the first CPU is enabled.",
    ),
    "wait-context": Remedy(
        "On PREEMPT_RT the inner lock sleeps where nobody may.",
        "Make the inner lock raw, or take it outside.",
    ),
}
"""By kind; a kind of lock order that stands for several is looked up by its beginning."""
OTHER = Remedy("Two paths lock in a way that can hang.", "Lock in one order, in one context.")


def remedy(finding_id: str) -> Remedy:
    """The remedy of a finding."""
    kind = finding_id.partition(":")[0]
    return REMEDIES.get(kind) or REMEDIES.get(kind.split("-")[0]) or OTHER
