"""A VM gets the AIA mode that its monitor asks for, where HARTs have lines."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import lines_of
from hgeisim.kernel.module import Module


class ModeGranted:
    """No VM was refused HGEI lines that the machine has (hazard V2-9); for the end of a run."""

    def state(self, k: Module) -> Iterator[Finding]:
        """Report each VM that runs in another mode than it asked for."""
        lines = sum(lines_of(k, cpu) for cpu in range(len(k.hart)))
        for vm in k.vms:
            if lines and vm.aia_mode != vm.asked_mode:
                text = f"{vm.name} asked for {vm.asked_mode} and is in {vm.aia_mode}; "
                yield Finding("mode-refused", "aia", f"{text}the HARTs have {lines} lines")
