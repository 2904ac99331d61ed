"""A VM gets the AIA mode that its monitor asks for, where HARTs have lines."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import lines_of
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vm


class ModeGranted:
    """No VM was refused HGEI lines that the machine has (hazards V2-9, V5-1); for each VM when it
    was created.

    `emptied` says what made the global count of lines 0, as `Probes` keeps it.
    """

    def __init__(self, emptied: tuple[int, int, bool] | None = None) -> None:
        self.emptied = emptied

    def state(self, k: Module) -> Iterator[Finding]:
        """Report each VM that runs in another mode than it asked for."""
        for vm in k.vms:
            yield from self.vm_state(k, vm)

    def vm_state(self, k: Module, vm: Vm) -> Iterator[Finding]:
        """Report one VM."""
        lines = sum(lines_of(k, cpu) for cpu in range(len(k.hart)))
        if lines and vm.aia_mode != vm.asked_mode:
            text = f"{vm.name} asked for {vm.asked_mode} and is in {vm.aia_mode}; the HARTs have "
            yield Finding("mode-refused", "aia", f"{text}{lines} lines{self._cause(k)}")

    def _cause(self, k: Module) -> str:
        """Name the HART that is to blame, and since when."""
        if self.emptied is None:
            return ""
        cpu, now_ns, enabling = self.emptied
        when = f"at {now_ns / 1e6:.3f} ms"
        if enabling:
            return f", and enabling HART {cpu}, which has none, lowered their count to 0 {when}"
        if lines_of(k, cpu) == 0:
            return f", and HART {cpu}, which has none, ran the initcall {when}: their count is 0"
        files = [hart.guest_files for hart in k.topology.harts]
        weak = files.index(min(files))
        return f", and HART {weak} has no guest file: their count is 0 since the initcall {when}"
