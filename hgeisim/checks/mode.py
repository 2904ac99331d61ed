"""A VM gets the AIA mode that its monitor asks for, if and only if HARTs have lines for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.cause import LINELESS, Cause
from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import lines_of
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import HWACCEL, Vm


class ModeGranted(StateCheck[Vm]):
    """No VM was refused HGEI lines that the machine has (hazards V2-9, V5-1)."""

    def subjects(self, k: Module) -> Iterable[Vm]:
        """All VMs."""
        return k.vms

    def wrong(self, k: Module, vm: Vm) -> Iterator[Finding]:
        """Report a VM that runs in another mode than it asked for."""
        lines = [lines_of(k, cpu) for cpu in range(len(k.hart))]
        total, cause = sum(lines), Cause(frozenset() if all(lines) else frozenset([LINELESS]))
        if total and vm.aia_mode != vm.asked_mode:
            text = f"{vm.name} asked for {vm.asked_mode} and is in {vm.aia_mode}; the HARTs have "
            yield Finding("mode-refused", "aia", f"{text}{total} lines", cause)


class ModeUsable(StateCheck[Vm]):
    """No VM was granted HWACCEL where no HART has a line: none of its vCPUs could run."""

    def subjects(self, k: Module) -> Iterable[Vm]:
        """All VMs."""
        return k.vms

    def wrong(self, k: Module, vm: Vm) -> Iterator[Finding]:
        """Report a VM that can never run."""
        if vm.aia_mode == HWACCEL and not any(lines_of(k, cpu) for cpu in range(len(k.hart))):
            text = f"{vm.name} is in mode hwaccel, and no HART has a line"
            yield Finding("mode-unusable", "hwaccel", text)
