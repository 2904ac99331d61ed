"""A kernel that does one thing differently from the real one does not agree with its traces."""

from __future__ import annotations

import pytest

from hgeisim.drivers.traced.conformance import check_trace
from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import ENOENT, Caller, Thread, Vcpu
from hgeisim.kernel.variants import OWN
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner
from tests.support.traced import excerpt, variant_of


class HighestFirst(Aia):
    """Hands out the highest free line."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """The highest free line, or -ENOENT."""
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        ret = hgctrl.free_bitmap.bit_length() - 1
        if ret > 0:
            hgctrl.free_bitmap &= ~bit(ret)
            hgctrl.owners[ret] = owner.id
        yield hgctrl.lock.unlock_irqrestore
        return ret if ret > 0 else -ENOENT


class FreesNothing(Aia):
    """Forgets that a line was given back."""

    def kvm_riscv_aia_free_hgei(k, cpu: int, hgei: int) -> Path[None]:
        """Do nothing but a step."""
        yield STEP


class KicksNobody(Aia):
    """The SGEI handler only clears HGEIE."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """Kick no owner."""
        current.hart.hgeie &= ~current.hart.hgeip
        yield STEP


class KeepsItsFile(Imsic):
    """AUTO without a free line keeps the old VS-file, as HWACCEL does."""

    def imsic_without_vsfile(k, current: Thread, vcpu: Vcpu, old_cpu: int) -> Path[int]:
        """Release nothing."""
        yield STEP
        return 1


class ReleasesNothing(Aia):
    """A CPU goes offline with its lines."""

    def take_line_away(k, current: Caller, vcpu: Vcpu, hgei: int) -> Path[None]:
        """Do nothing but a step."""
        yield STEP


class NeverArms(Aia):
    """A blocked vCPU's line is not armed."""

    def kvm_riscv_aia_wakeon_hgei(k, current: Runner, owner: Vcpu, enable: int) -> Path[None]:
        """Do nothing but a step."""
        yield STEP


@pytest.mark.parametrize(
    ("mutant", "name", "event"),
    [
        (HighestFirst, "hotplug", "alloc_ret"),
        (FreesNothing, "hotplug", "alloc_ret"),
        (FreesNothing, "storm-auto", "alloc_ret"),
        (KicksNobody, "storm-auto", "kick"),
        (KeepsItsFile, "migrations-3132", "rel"),
        (ReleasesNothing, "hotplug", "rel"),
        (NeverArms, "enable-at-vm-create", "sgei"),
    ],
)
def test_a_mutant_disagrees(
    mutant: type[Aia], name: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OWN, "m.py:Mutant", mutant)
    disagreement = check_trace(excerpt(name), f"{variant_of(name)}+m.py:Mutant").disagreement
    assert disagreement is not None
    assert disagreement.record.event == event
