"""Which durations of a trace tell which entry of the timing table, and which entries none tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hgeisim.trace import duration


class Measure(NamedTuple):
    """A kind of duration: `entry` of the timing table ("" for none), how it is taken, and whether
    more than the cost itself lies in it.  `events` are those that it needs, by built-in names.

    `of` takes events, or calls where `by_call` says so.
    """

    name: str
    entry: str
    how: str
    at_most: bool
    events: tuple[str, ...]
    of: Callable[[Any], Iterator[int]]
    by_call: bool = False


MEASURES = (
    Measure(
        "hold", "raw_spin_lock",
        "hgctrl->lock, lock_acquire to lock_release: taking and holding it", True,
        ("lock_acquire", "lock_release"), duration.holds,
    ),
    Measure(
        "cross_call", "ipi", "csd_queue_cpu to csd_function_entry on the other CPU", False,
        ("csd_queue_cpu", "csd_function_entry"), duration.cross_calls,
    ),
    Measure(
        "until_sweep", "ipi", "ioremap or iounmap to lread: fences are in it, too", True,
        ("ioremap", "lread", "free"), duration.until_sweep,
    ),
    Measure(
        "sweep", "vsfile_sweep", "imsic_vsfile_local_read, csd_function_entry to _exit", False,
        ("csd_function_entry", "csd_function_exit"), duration.sweeps,
    ),
    Measure(
        "since_sweep", "vsfile_sweep", "lread to free: the way back of the IPI is in it, too", True,
        ("ioremap", "lread", "free"), duration.since_sweep,
    ),
    Measure(
        "wake", "wake_up", "sched_waking to sched_wakeup", False,
        ("sched_waking", "sched_wakeup"), duration.wake_ups,
    ),
    Measure(
        "idle_wake", "wake_up", "kick on an idle CPU to vload there: the switch is in it, too",
        True, ("kick", "vload"), duration.idle_wake_ups,
    ),
    Measure(
        "switch", "context_switch", "vput of one that blocks to vload of the next, already woken",
        True, ("wakeon", "kick", "vput", "vload"), duration.switches,
    ),
    Measure(
        "teardown", "vm_teardown", "free to free, by a thread that destroys vCPUs", True,
        ("free",), duration.teardowns,
    ),
    Measure(
        "takedown", "stop_machine", "cpuhp callback takedown_cpu: stop_machine and a wait", True,
        ("cpuhp_enter", "cpuhp_exit"), duration.takedowns, by_call=True,
    ),
    Measure(
        "callbacks", "cpuhp_state", "cpuhp callbacks before KVM's, from the first in the trace",
        False, ("cpuhp_enter",), duration.callbacks, by_call=True,
    ),
    Measure(
        "alloc", "", "kvm_riscv_aia_alloc_hgei, entry to return", False,
        ("alloc", "alloc_ret"), duration.calls("alloc"), by_call=True,
    ),
    Measure(
        "free", "", "kvm_riscv_aia_free_hgei, entry to return", False,
        ("free", "free_ret"), duration.calls("free"), by_call=True,
    ),
    Measure(
        "ipi_round_trip", "", "ioremap or iounmap to free: fences, IPI, sweep, and back", False,
        ("ioremap", "lread", "free"), duration.ipi_round_trips,
    ),
    Measure(
        "migration", "", "alloc of a vCPU with a line elsewhere to its guest entry", False,
        ("alloc", "alloc_ret", "run"), duration.migrations,
    ),
    Measure(
        "update", "", "imsic_update, entry to return", False,
        ("upd", "upd_ret"), duration.calls("upd"), by_call=True,
    ),
    Measure(
        "release", "", "imsic_release, entry to return", False,
        ("rel", "rel_ret"), duration.calls("rel"), by_call=True,
    ),
    Measure(
        "disable", "", "kvm_riscv_aia_disable, entry to return", False,
        ("dis", "dis_ret"), duration.calls("dis"), by_call=True,
    ),
    Measure(
        "enable", "", "kvm_riscv_aia_enable, entry to return", False,
        ("en", "en_ret"), duration.calls("en"), by_call=True,
    ),
)  # fmt: skip
"""All that is measured; of two for one entry the first that the traces have is taken."""

UNMEASURABLE = {
    "raw_spin_unlock": "no event tells when an unlock is over",
    "interrupt_entry": "no event stands before the kernel's own entry code",
    "ipi_send": "no event tells when the sender goes on",
    "halt_poll": "no event in the polling loop",
    "guest_entry": "`run` stands before the entry, nothing at the exit",
}
"""Entries of the timing table that no trace tells."""


def why_missing(entry: str) -> str:
    """What would have to be recorded to measure an entry."""
    if entry in UNMEASURABLE:
        return UNMEASURABLE[entry]
    ways = [" and ".join(measure.events) for measure in MEASURES if measure.entry == entry]
    return f"it never happened, or was not recorded; needs {', or '.join(ways)}"
