"""[PATCH V3] RISC-V: KVM: AIA: Make HGEI number management fully per-CPU (May 2026)."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class PercpuV3(PercpuV2):
    """percpu-v2 with what its review wanted: the count of a CPU is bounded by the guest files of
    that CPU, and one that is smaller lowers the global count.

    It was read from changelogs.  That of V3 says: a per-HART count of guest files comes first, the
    global one stays their minimum, the bound is squashed in.  That of V4 takes out what enable does
    to the global count, and GENMASK and the set-up of SGEI come in; that of V5 ends the set-up of
    lock and bitmap at each enable.  So V3 still has percpu-v2's way of all these.  Not determined:
    how enable lowers the global count (here as the review had it, a plain int and 0 skipped), and
    when the initcall stopped to probe (here with V3, which has the minimum to begin with).
    """

    def kvm_riscv_aia_init(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_init with the patch (2.1): nothing is probed here any more."""
        yield STEP
        k.globals.kvm_riscv_aia_nr_hgei = k.topology.nr_guest_files
        yield from k.aia_hgei_init()
        yield STEP
        k.globals.kvm_riscv_aia_available = 1

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """Steps 2-7, each time a CPU is enabled, no lock held; the two more come after 5."""
        yield STEP
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.bound_nr_hgei(current, hgctrl)
        yield from k.lower_nr_hgei(hgctrl.nr_hgei)
        yield from k.set_free_bitmap(hgctrl)
        yield hgctrl.lock.init

    @part_of("kvm_riscv_aia_enable")
    def bound_nr_hgei(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """The bound squashed in: not more lines than this CPU has guest files."""
        yield STEP
        hgctrl.nr_hgei = min(hgctrl.nr_hgei, k.topology.harts[current.cpu].guest_files)

    @part_of("kvm_riscv_aia_enable")
    def lower_nr_hgei(k, nr_hgei: int) -> Path[None]:
        """A HART with lines, but fewer than the global count, lowers it: read, then written."""
        yield STEP
        if nr_hgei and nr_hgei < k.globals.kvm_riscv_aia_nr_hgei:
            yield STEP
            k.globals.kvm_riscv_aia_nr_hgei = nr_hgei
