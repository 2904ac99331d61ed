"""Each check fires where it must, and stays silent one step away."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from hgeisim.checks.check import StateCheck, vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.guest import GuestLine, HostAlive, OwnVsFile
from hgeisim.checks.lifetime import UseAfterFree
from hgeisim.checks.locking import OneInside
from hgeisim.checks.ownership import (
    BitmapAgrees,
    LineExists,
    NoLeak,
    OneOwner,
    VsFileOwned,
    name_of,
)
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import STEP
from hgeisim.machine.shared import Memory, address_of, addresses
from hgeisim.machine.topology import HartSpec
from tests.support import kernels
from tests.support.kernels import V2, V5, V6_12


class Case:
    """Two HARTs with two lines each; vCPU a has (0, 1), vCPU b has (0, 2)."""

    def __init__(self, memory: Memory | None = None, variant: str = V6_12) -> None:
        self.k: Module = kernels.booted(variant, [2, 2], memory)
        self.a, self.b = (kernels.owner_on(self.k, name, 0) for name in "ab")
        self.hgctrl = self.k.hgei[0]


def says(check: StateCheck[Any], k: Module) -> list[str]:
    return [finding.id for finding in check.state(k)]


def text(check: StateCheck[Any], k: Module) -> str:
    (finding,) = check.state(k)
    return finding.text


STATE_CHECKS = [
    GuestLine(),
    HostAlive(),
    OwnVsFile(),
    VsFileOwned(),
    OneOwner(),
    BitmapAgrees(),
    LineExists(),
    NoLeak(),
    OneInside(),
]


@pytest.mark.parametrize("check", STATE_CHECKS)
@pytest.mark.parametrize("variant", kernels.ALL_VARIANTS)
def test_nothing_is_wrong_with_a_booted_kernel(check: StateCheck[Any], variant: str) -> None:
    assert says(check, Case(None, variant).k) == []


# findings


def test_findings_differ_by_their_ids_only() -> None:
    one, two = Finding("leak", "hgei", "line 1"), Finding("leak", "hgei", "line 2")
    assert one == two
    assert one.id == "leak:hgei"
    assert one != Finding("leak", "vcpu", "line 1")
    assert one != Finding("double-owner", "hgei", "line 1")


def test_name_of_an_owner() -> None:
    case = Case()
    assert (name_of(case.k, 0), name_of(case.k, case.b.id)) == ("nobody", "b")
    assert [*vcpus(case.k)] == [case.a, case.b]


# one owner


def test_two_vcpus_with_one_vsfile() -> None:
    case = Case()
    case.b.vsfile_hgei = 1
    assert says(OneOwner(), case.k) == ["double-owner:hgei"]
    assert text(OneOwner(), case.k) == "HART 0 line 1 is the VS-file of a and of b"


def test_the_same_line_of_two_harts_is_not_one_vsfile() -> None:
    case = Case()
    case.b.vsfile_cpu, case.b.vsfile_hgei = 1, 1
    assert says(OneOwner(), case.k) == []


def test_two_vcpus_without_a_vsfile_do_not_share_it() -> None:
    case = Case()
    for vcpu in (case.a, case.b):
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
    assert says(OneOwner(), case.k) == []


# bitmap and owners


def test_a_free_line_with_an_owner() -> None:
    case = Case()
    case.hgctrl.free_bitmap = 0b10
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:free-line"]
    assert text(BitmapAgrees(), case.k) == ("HART 0 line 1 is free in free_bitmap, its owner is a")


def test_a_taken_line_without_an_owner() -> None:
    case = Case()
    case.hgctrl.owners[2] = 0
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:taken-line"]
    assert text(BitmapAgrees(), case.k) == (
        "HART 0 line 2 is taken in free_bitmap, its owner is nobody"
    )


def test_all_lines_taken_without_an_owner() -> None:
    """Reported once, and useless to a HART with one line, where it is the same as one of them."""
    case = Case()
    case.hgctrl.free_bitmap = 0
    assert says(BitmapAgrees(), case.k) == []
    for line in range(len(case.hgctrl.owners)):
        case.hgctrl.owners[line] = 0
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:all-lines"]
    assert text(BitmapAgrees(), case.k).startswith("HART 0 has none of 2 lines free, and nobody")
    case.k.globals.kvm_riscv_aia_nr_hgei = 1
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:taken-line"]


def inside(case: Case) -> None:
    case.hgctrl.lock.inside = 1


def disabled(case: Case) -> None:
    case.k.per_cpu[0].virtualization_enabled = 0


def beyond_the_count(case: Case) -> None:
    case.k.globals.kvm_riscv_aia_nr_hgei = 0


@pytest.mark.parametrize("excuse", [inside, disabled, beyond_the_count])
def test_bitmap_and_owners_may_differ_while_somebody_is_at_work(
    excuse: Callable[[Case], None],
) -> None:
    case = Case()
    case.hgctrl.free_bitmap = 0b110
    excuse(case)
    assert says(BitmapAgrees(), case.k) == []


def test_another_cpu_at_work_is_no_excuse() -> None:
    case = Case()
    case.hgctrl.free_bitmap = 0b10
    case.k.hgei[1].lock.inside = 1
    case.k.per_cpu[1].virtualization_enabled = 0
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:free-line"]


def test_more_lines_than_slots_are_looked_at_as_far_as_there_are_slots() -> None:
    case = Case()
    case.k.globals.kvm_riscv_aia_nr_hgei = 63
    assert says(BitmapAgrees(), case.k) == []


def test_line_0_is_no_line() -> None:
    """A bitmap whose bit 0 is set hands it out, and the caller takes that for no line."""
    case = Case()
    case.hgctrl.free_bitmap |= 1
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:no-such-line"]
    case.hgctrl.free_bitmap &= ~1
    case.k.hgei[1].owners[0] = 1
    assert says(BitmapAgrees(), case.k) == ["bitmap-owner:no-such-line"]
    assert text(BitmapAgrees(), case.k) == "HART 1 has lines 1..2, and 0 is free or has an owner"


@pytest.mark.parametrize(
    ("bitmap", "ids"),
    [(0, ["dead-owner:taken-line"]), (0b10, ["bitmap-owner:free-line", "dead-owner:free-line"])],
)
def test_an_owner_that_was_freed(bitmap: int, ids: list[str]) -> None:
    case = Case()
    case.a.freed = 1
    case.hgctrl.free_bitmap = bitmap
    assert says(BitmapAgrees(), case.k) == ids
    case.hgctrl.owners[1] = 0
    case.hgctrl.free_bitmap = 0b10
    assert says(BitmapAgrees(), case.k) == []


# lines that exist


@pytest.mark.parametrize(("hgei", "ids"), [(2, []), (3, ["no-such-line:hgei"])])
def test_a_vsfile_on_a_line_beyond_geilen(hgei: int, ids: list[str]) -> None:
    case = Case()
    case.b.vsfile_hgei = hgei
    assert says(LineExists(), case.k) == ids


def test_a_vcpu_without_a_vsfile_needs_no_line() -> None:
    case = Case()
    case.a.vsfile_cpu, case.a.vsfile_hgei = -1, 63
    assert says(LineExists(), case.k) == []


def test_a_vsfile_beyond_the_guest_files() -> None:
    k = kernels.booted(V2, [HartSpec(1, geilen=2)])
    for name in "ab":
        kernels.owner_on(k, name, 0)
    assert says(LineExists(), k) == ["no-such-file:hgei"]


# leaks


def test_a_taken_line_whose_owner_does_not_name_it() -> None:
    case = Case()
    case.a.vsfile_cpu = case.a.vsfile_hgei = -1
    assert says(NoLeak(), case.k) == ["leak:hgei"]
    assert text(NoLeak(), case.k) == "HART 0 line 1 stays with a, which does not use it"


@pytest.mark.parametrize("line", [(1, 1), (0, 2)])
def test_an_owner_that_names_another_line(line: tuple[int, int]) -> None:
    case = Case()
    case.a.vsfile_cpu, case.a.vsfile_hgei = line
    assert says(NoLeak(), case.k) == ["leak:hgei"]


def test_the_leak_of_a_disabled_cpu_counts() -> None:
    case = Case()
    disabled(case)
    case.k.hgei[1].owners[2] = case.a.id
    assert says(NoLeak(), case.k) == ["leak:hgei"]


# what a check says it watches


def spoil_vsfile(case: Case) -> None:
    case.b.vsfile_hgei = 1


def spoil_bitmap(case: Case) -> None:
    case.hgctrl.free_bitmap = 0b110


def spoil_owner(case: Case) -> None:
    case.hgctrl.owners[1] = 0


def spoil_freed(case: Case) -> None:
    case.a.freed = 1


def spoil_lock(case: Case) -> None:
    case.hgctrl.lock.inside = 2


def spoil_vgein(case: Case) -> None:
    case.k.hart[0].vgein, case.k.hart[0].vsfile_of = 2, case.a.id


def spoil_guest(case: Case) -> None:
    case.k.hart[0].guest, case.a.vgein = case.a.id, 2


@pytest.mark.parametrize("check", STATE_CHECKS)
@pytest.mark.parametrize(
    "spoil",
    [
        *[spoil_vsfile, spoil_bitmap, spoil_owner, spoil_freed, spoil_lock, disabled],
        *[spoil_vgein, spoil_guest],
    ],
)
@pytest.mark.parametrize("variant", [V6_12, V5])
def test_a_verdict_depends_on_nothing_but_what_is_watched(
    check: StateCheck[Any], spoil: Callable[[Case], None], variant: str
) -> None:
    memory = Memory()
    case = Case(memory, variant)
    spoil(case)
    memory.begin_step(memory.cells)
    says(check, case.k)
    watched = {*check.watches(case.k)}
    assert {memory.names[a] for a in memory.reads} <= {memory.names[a] for a in watched}


# lifetime


def touch(memory: Memory, case: Case, reads: Collection[int], writes: Collection[int]) -> list[str]:
    touched = [*reads, *writes]
    who = case.k.threads[0]
    moment = Moment(who, STEP, "imsic_release", "kvm_riscv_aia_disable", touched, writes)
    return [finding.id for finding in UseAfterFree().wrong(case.k, moment)]


UAF = "use-after-free:kvm_riscv_aia_disable"


def test_a_freed_vcpu_is_neither_read_nor_written() -> None:
    memory = Memory()
    case = Case(memory)
    case.a.freed = 1
    cell = address_of(case.a, "vsfile_cpu")
    assert touch(memory, case, [cell], []) == [UAF]
    assert touch(memory, case, [], [cell]) == [UAF]
    assert touch(memory, case, [address_of(case.b, "vsfile_cpu")], []) == []
    assert touch(memory, case, [address_of(case.hgctrl, "free_bitmap")], []) == []


def test_a_living_vcpu_may_be_touched() -> None:
    memory = Memory()
    case = Case(memory)
    assert touch(memory, case, [*addresses(case.a)], [*addresses(case.b)][:3]) == []


def test_the_step_that_frees_is_not_after_the_free() -> None:
    memory = Memory()
    case = Case(memory)
    case.a.freed = 1
    assert touch(memory, case, [], [address_of(case.a, "freed")]) == []


def test_a_freed_vcpu_is_not_kicked() -> None:
    memory = Memory()
    case = Case(memory)
    case.a.freed = 1
    assert touch(memory, case, [address_of(case.a.wait, "waiter")], []) == [UAF]


@pytest.mark.parametrize(
    "part", ["swfile", "wait", "mutex", "vsfile_lock", "swfile_extirq_lock", "hfence_lock"]
)
def test_all_parts_of_a_vcpu_go_with_it(part: str) -> None:
    memory = Memory()
    case = Case(memory)
    case.a.freed = 1
    cell = next(addresses(getattr(case.a, part)))
    assert touch(memory, case, [cell], []) == [UAF]
    assert touch(memory, case, [*addresses(case.a.vm.mmu_lock)], []) == []


def test_a_use_after_free_says_in_which_function() -> None:
    memory = Memory()
    case = Case(memory)
    case.a.freed = 1
    touched = [address_of(case.a, "mode")]
    moment = Moment(case.k.threads[0], STEP, "kick", "hgei_interrupt", touched)
    (finding,) = UseAfterFree().wrong(case.k, moment)
    assert finding.id == "use-after-free:hgei_interrupt"
    assert finding.text == "swapper touches a after it was freed, in kick"
