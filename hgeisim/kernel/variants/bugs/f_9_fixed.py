"""A fix of F-9: a load elsewhere forgets on which CPU the guest was left."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.structs import Thread
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.machine.ops import STEP, Path


class F9Fixed(FormerSkip):
    """On former-skip: what another CPU was given is newer than what that CPU has."""

    def load_registers(k, current: Thread, vcpu: Any) -> Path[None]:
        """kvm_arch_vcpu_load with the patch (2.10)."""
        yield from super().load_registers(current, vcpu)
        yield STEP
        if vcpu.last_exit_cpu != current.cpu:
            vcpu.last_exit_cpu = -1
