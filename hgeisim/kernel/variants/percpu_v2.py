"""[PATCH V2 1/4] RISC-V: KVM: AIA: Make HGEI number and management fully per-CPU (April 2026)."""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.hart import ALL_ONES, bit, fls
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class PercpuV2(Aia):
    """Every CPU probes its own lines when it is enabled, each time it is enabled.

    So each time it also declares all lines free and the lock new, and touches no owner.
    """

    locks_are_steady = False

    def nr_hgei(k, hgctrl: HgeiControl) -> int:
        """hgctrl->nr_hgei."""
        return hgctrl.nr_hgei

    def aia_hgei_init(k) -> Path[None]:
        """The patch moves the set-up of locks and bitmaps to kvm_riscv_aia_enable; that of SGEI
        stays as it is in the base."""
        yield from k.request_sgei()

    def kvm_riscv_aia_enable(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_enable with the patch (2.3 V2, steps 1-14)."""
        yield STEP
        if k.globals.kvm_riscv_aia_available:
            yield from k.set_hgei_up(current, k.hgei[current.cpu])
            yield from k.enable_sgei(current)

    @part_of("kvm_riscv_aia_enable")
    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """Steps 2-7, each time a CPU is enabled, no lock held."""
        yield STEP
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.set_free_bitmap(hgctrl)
        yield hgctrl.lock.init

    @part_of("kvm_riscv_aia_enable")
    def probe_nr_hgei(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """Steps 2-5: the count is built up in the shared field, n + 1 first."""
        current.hart.write_hgeie(ALL_ONES)
        yield STEP
        hgctrl.nr_hgei = fls(current.hart.hgeie)
        yield STEP
        current.hart.write_hgeie(0)
        yield STEP
        if hgctrl.nr_hgei:
            yield STEP
            hgctrl.nr_hgei -= 1

    @part_of("kvm_riscv_aia_enable")
    def set_free_bitmap(k, hgctrl: HgeiControl) -> Path[None]:
        """Step 6: all lines are free, whoever owns them."""
        yield STEP
        nr_hgei = hgctrl.nr_hgei
        yield STEP
        if nr_hgei:
            hgctrl.free_bitmap = bit(nr_hgei + 1) - 1
            yield STEP
            hgctrl.free_bitmap &= ~bit(0)
        else:
            hgctrl.free_bitmap = 0
