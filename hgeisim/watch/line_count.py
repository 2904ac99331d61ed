"""What made the global count of HGEI lines 0, for the report of a VM that was refused its mode."""

from __future__ import annotations

from hgeisim.checks.ownership import lines_of
from hgeisim.kernel.module import Module
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import returned


class LineCount:
    """Remembers which CPU left the count at 0, when, and whether it was being enabled or ran the
    initcall.  It has to watch the boot."""

    def __init__(self, k: Module) -> None:
        self.k = k
        self._emptied: tuple[int, int, bool] | None = None

    @returned("kvm_riscv_aia_init")
    def counted(self, ret: None, current: Runner) -> None:
        """The initcall has counted."""
        self._look(current.cpu, enabling=False)

    @returned("kvm_riscv_aia_enable")
    def enabled(self, ret: None, current: Runner) -> None:
        """A HART may have lowered the count."""
        self._look(current.cpu, enabling=True)

    def _look(self, cpu: int, enabling: bool) -> None:
        if self.k.globals.kvm_riscv_aia_nr_hgei:
            self._emptied = None
        elif self._emptied is None:
            self._emptied = cpu, self.k.ktime_get(), enabling

    def cause(self) -> str:
        """Name the HART that is to blame, and since when; an empty text while there are lines."""
        if self._emptied is None:
            return ""
        cpu, now_ns, enabling = self._emptied
        when = f"at {now_ns / 1e6:.3f} ms"
        if enabling:
            return f", and enabling HART {cpu}, which has none, lowered their count to 0 {when}"
        if lines_of(self.k, cpu) == 0:
            return f", and HART {cpu}, which has none, ran the initcall {when}: their count is 0"
        files = [hart.guest_files for hart in self.k.topology.harts]
        weak = files.index(min(files))
        return f", and HART {weak} has no guest file: their count is 0 since the initcall {when}"
