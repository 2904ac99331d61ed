"""PM-0: HARTs lose their power in idle, and KVM restores nothing, as before v7.3."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Path


class PM0(Module):
    """On v7.3 the notifier does nothing; on older bases there is none."""

    powers_down = True

    def kvm_cpu_pm_enter(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_ENTER, v7.2."""
        yield from ()

    def kvm_cpu_pm_exit(k, current: Thread) -> Path[None]:
        """KVM's notifier of CPU_PM_EXIT, v7.2."""
        yield from ()
