"""Checks of what a guest runs on, and of what is left when everything is at rest."""

from __future__ import annotations

import pytest

from hgeisim.checks.conservation import NothingStranded
from hgeisim.checks.guest import GuestLine, HostAlive, OwnVsFile
from hgeisim.checks.ownership import VsFileOwned
from hgeisim.kernel.structs import Vcpu
from tests.checks.test_checks import Case, says
from tests.support import kernels
from tests.support.kernels import V2, V5, V6_12

# the guest


def entered(case: Case, vcpu: Vcpu) -> Case:
    """The guest of a vCPU runs on the HART of its VS-file."""
    vcpu.vgein = max(vcpu.vsfile_hgei, 0)
    case.k.hart[max(vcpu.vsfile_cpu, 0)].guest = vcpu.id
    return case


def test_a_guest_on_its_own_line() -> None:
    case = Case()
    assert says(GuestLine(), entered(case, case.a).k) == []
    assert says(GuestLine(), entered(case, case.b).k) == []


@pytest.mark.parametrize("owner", [0, 2])
def test_a_guest_on_a_line_that_is_not_its_own(owner: int) -> None:
    case = Case()
    case.hgctrl.owners[1] = owner
    assert says(GuestLine(), case.k) == []
    assert says(GuestLine(), entered(case, case.a).k) == ["guest-line:hgei"]
    case.k.hart[0].take_interrupt()
    assert says(GuestLine(), case.k) == []


def test_a_guest_on_a_line_that_does_not_exist() -> None:
    case = Case()
    case.a.vsfile_cpu, case.a.vsfile_hgei = 1, 2
    case.k.hgei[1].owners[2] = case.a.id
    case.k.hart[1].geilen = 1
    assert says(GuestLine(), entered(case, case.a).k) == ["no-such-line:hgei"]


def test_a_guest_on_the_sw_file_needs_no_line() -> None:
    case = Case()
    case.a.vsfile_cpu = case.a.vsfile_hgei = -1
    case.hgctrl.owners[1] = 0
    assert says(GuestLine(), entered(case, case.a).k) == []


# the registers of a VS-file


@pytest.mark.parametrize(
    ("vgein", "ids"), [(1, []), (2, ["foreign-vsfile:hgei"]), (63, ["foreign-vsfile:hgei"])]
)
def test_registers_are_reached_for_the_owner_only(vgein: int, ids: list[str]) -> None:
    case = Case()
    hart = case.k.hart[0]
    hart.vgein = vgein
    assert says(OwnVsFile(), case.k) == [], "nobody says for whom: the host does not use it"
    hart.vsfile_of = case.a.id
    assert says(OwnVsFile(), case.k) == ids


def test_registers_of_a_file_that_was_freed() -> None:
    case = Case()
    case.k.hart[0].vgein, case.k.hart[0].vsfile_of = 1, case.a.id
    case.hgctrl.owners[1] = 0
    (finding,) = OwnVsFile().state(case.k)
    assert finding.text == "HART 0 accesses line 1 for a; it belongs to nobody"


# whole systems at rest


def test_a_vcpu_whose_line_is_not_its_own() -> None:
    case = Case()
    assert says(VsFileOwned(), case.k) == []
    case.hgctrl.owners[1] = 2
    assert says(VsFileOwned(), case.k) == ["not-owner:hgei"]
    case.a.vsfile_cpu = case.a.vsfile_hgei = -1
    assert says(VsFileOwned(), case.k) == []


def test_an_interrupt_in_the_sw_file_beside_a_vsfile() -> None:
    case = Case()
    case.a.swfile.eip = 1
    assert says(NothingStranded(), case.k) == ["lost-interrupt:swfile"]
    case.a.vsfile_cpu = case.a.vsfile_hgei = -1
    assert says(NothingStranded(), case.k) == []


def test_an_interrupt_in_a_file_that_nobody_owns() -> None:
    case = Case()
    case.k.hart[0].hgeip = 0b010
    assert says(NothingStranded(), case.k) == []
    case.hgctrl.owners[1] = 0
    assert says(NothingStranded(), case.k) == [], "it was for a vCPU that is destroyed"
    case.b.ledger.send(1)
    assert says(NothingStranded(), case.k) == ["lost-interrupt:vsfile"]


# the host


@pytest.mark.parametrize(("variant", "trapped"), [(V6_12, 1), (V2, 0), (V5, 0)])
def test_a_line_that_does_not_exist_is_an_illegal_instruction(variant: str, trapped: int) -> None:
    """HART 0, which runs the initcall, has two lines, HART 1 one."""
    k = kernels.booted(variant, [2, 1])
    for name in "ab":
        kernels.owner_on(k, name, 1)
    assert [hart.trapped for hart in k.hart] == [0, trapped]
    assert says(HostAlive(), k) == ["illegal-instruction:vsireg"] * trapped
