"""The registers of a HART and of its interrupt files, and what keeps interrupts from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.kernel.structs import make_hart, make_interrupt_file
from hgeisim.machine.guest import SWEEP_VSFILE, EnterGuest
from hgeisim.machine.hart import ALL_ONES, Hart, bit, ffs, find_first_bit, fls
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ledger import ledger
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
)
from hgeisim.machine.topology import HartSpec
from tests.support import kernels

IDENTITIES = st.sets(st.integers(1, 63))


def hart(geilen: int) -> Hart:
    """A HART with a number of lines, and room for one more."""
    return make_hart(None, 0, geilen, geilen + 2)


def mask(identities: set[int]) -> int:
    """A register with a bit for each identity."""
    return sum(1 << iid for iid in identities)


# HGEIE and HGEIP


@pytest.mark.parametrize(("geilen", "kept"), [(0, 0), (1, 0b10), (3, 0b1110), (63, (1 << 64) - 2)])
def test_hgeie_is_warl(geilen: int, kept: int) -> None:
    made = hart(geilen)
    made.write_hgeie(ALL_ONES)
    assert made.hgeie == kept
    assert max(fls(made.hgeie) - 1, 0) == geilen


@given(st.integers(0, 63), st.integers(0, ALL_ONES))
def test_hgeie_keeps_bits_geilen_to_1_of_whatever_is_written(geilen: int, value: int) -> None:
    made = hart(geilen)
    made.write_hgeie(value)
    assert {n for n in range(64) if made.hgeie >> n & 1} == {
        n for n in range(1, geilen + 1) if value >> n & 1
    }


@pytest.mark.parametrize(
    ("hgeip", "hgeie", "sgeie", "pending"),
    [(2, 2, 1, True), (2, 2, 0, False), (2, 4, 1, False), (6, 4, 1, True), (0, 2, 1, False)],
)
def test_sgei_is_the_level_of_pending_and_enabled_files(
    hgeip: int, hgeie: int, sgeie: int, pending: bool
) -> None:
    made = hart(2)
    made.hgeip, made.hgeie, made.sgeie = hgeip, hgeie, sgeie
    assert made.sgei_pending() is pending


# interrupt files (AIA specification, chapter 3)


@given(IDENTITIES, IDENTITIES, st.integers(0, 63))
def test_topei_is_the_lowest_pending_and_enabled_identity_below_the_threshold(
    eip: set[int], eie: set[int], threshold: int
) -> None:
    deliverable = {iid for iid in eip & eie if not threshold or iid < threshold}
    assert topei(mask(eip), mask(eie), threshold) == min(deliverable, default=0)


@given(IDENTITIES, IDENTITIES, st.integers(0, 63), st.integers(1, 63))
def test_a_threshold_lets_through_what_is_below_it_only(
    eip: set[int], eie: set[int], threshold: int, iid: int
) -> None:
    top = topei(mask(eip), mask(eie), threshold)
    assert not threshold or top < threshold
    more = topei(mask(eip | {iid}), mask(eie | {iid}), threshold)
    assert top == 0 or more <= top, "a further identity never hides a lower one"
    assert threshold == 1 or not threshold or topei(mask({1}), mask({1}), threshold) == 1


@given(IDENTITIES, IDENTITIES, st.integers(0, 63), st.booleans())
def test_hgeip_follows_the_registers_of_a_file(
    eip: set[int], eie: set[int], threshold: int, eidelivery: bool
) -> None:
    made = hart(2)
    made.eip[2], made.eie[2] = mask(eip), mask(eie)
    made.eithreshold[2], made.eidelivery[2] = threshold, int(eidelivery)
    made.update_hgeip(2)
    expected = eidelivery and topei(mask(eip), mask(eie), threshold)
    assert made.hgeip == (0b100 if expected else 0)
    swfile = make_interrupt_file(None, "swfile")
    swfile.eip, swfile.eie = mask(eip), mask(eie)
    swfile.eithreshold, swfile.eidelivery = threshold, int(eidelivery)
    assert swfile.deliverable() == bool(expected), "a SW-file delivers by the same rule"


@given(st.lists(st.integers(1, 63)), IDENTITIES, st.integers(0, 63))
def test_a_guest_serves_all_that_is_delivered_and_leaves_the_rest(
    msis: list[int], eie: set[int], threshold: int
) -> None:
    made = hart(1)
    made.set_up(1, mask(eie), ledger(None, "v"))
    made.eithreshold[1] = threshold
    for iid in msis:
        made.write_msi(1, iid)
    made.serve(1, ledger(None, "v"))
    left = {iid for iid in msis if iid not in eie or (threshold and iid >= threshold)}
    assert (made.eip[1], made.hgeip) == (mask(left), 0)


def test_an_msi_to_a_file_that_delivers_nothing_stays_pending_in_it() -> None:
    made = hart(1)
    made.write_msi(1, 3)
    assert (made.eip[1], made.hgeip) == (0b1000, 0)
    made.set_up(1, 0b1000, ledger(None, "v"))
    assert made.hgeip == 0b10
    made.clear_file(1)
    registers = made.eidelivery[1], made.eithreshold[1], made.eip[1], made.eie[1]
    assert (registers, made.hgeip) == ((0, 0, 0, 0), 0)


@pytest.mark.parametrize(("hgei", "there"), [(-1, 0), (0, 0), (1, 1), (2, 1), (3, 0)])
def test_what_happens_to_a_file_that_is_not_there(hgei: int, there: int) -> None:
    """An MSI is lost, and a sweep of its registers is an illegal instruction."""
    k = kernels.unbooted(kernels.V6_12, [2])
    who, made = k.add_thread("t", 0), k.hart[0]
    assert made.has_file(hgei) == there
    made.write_msi(hgei, 1)
    made.set_up(hgei, 0b10, ledger(None, "v"))
    assert made.hgeip == (bit(hgei) if there else 0)
    made.vgein = hgei
    SWEEP_VSFILE.end(who)
    assert made.trapped == 1 - there
    made.serve(hgei, ledger(None, "v"))
    made.clear_file(hgei)
    assert made.hgeip == 0


def test_clearing_a_file_in_memory() -> None:
    made = make_interrupt_file(None, "swfile")
    made.eidelivery = made.eithreshold = made.eip = made.eie = 7
    made.clear()
    assert (made.eidelivery, made.eithreshold, made.eip, made.eie) == (0, 0, 0, 0)


# what keeps interrupts and the stopper away


@pytest.mark.parametrize(
    ("field", "interruptible", "preemptible"),
    [
        ("irq_off", False, False),
        ("hardirq", False, False),
        ("preempt_count", True, False),
        ("current", True, False),
        ("hgeie", True, True),
    ],
)
def test_what_an_interrupt_and_the_stopper_wait_for(
    field: str, interruptible: bool, preemptible: bool
) -> None:
    made = hart(2)
    setattr(made, field, 1)
    assert (made.interruptible(), made.preemptible()) == (interruptible, preemptible)


@pytest.mark.parametrize("field", ["irq_off", "preempt_count"])
def test_a_guest_exits_for_an_interrupt_and_for_the_stopper(field: str) -> None:
    """The host has interrupts and preemption off there, the guest has not."""
    k = kernels.unbooted(kernels.V6_12, [1])
    who, made = k.add_thread("t", 0), k.hart[0]
    setattr(made, field, 1)
    EnterGuest(3).end(who)
    assert (made.guest, made.interruptible(), made.preemptible()) == (3, True, True)
    made.take_interrupt()
    assert (made.guest, made.hardirq, made.interruptible()) == (0, 1, False)


def test_interrupts_and_preemption_are_turned_off_in_nested_sections() -> None:
    k = kernels.unbooted(kernels.V6_12, [0])
    who = k.add_thread("t", 0)
    sections: list[tuple[str, Op, Op]] = [
        ("irq_off", LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE),
        ("preempt_count", PREEMPT_DISABLE, PREEMPT_ENABLE),
    ]
    for field, off, on in sections:
        counts = []
        for op in (off, off, on, on):
            op.end(who)
            counts.append(getattr(who.hart, field))
        assert counts == [1, 2, 1, 0]


# words


def test_bit_shifts_as_risc_v_does() -> None:
    assert [bit(0), bit(5), bit(63), bit(64), bit(65)] == [1, 32, 1 << 63, 1, 2]


@given(st.integers(1, ALL_ONES))
def test_ffs_and_fls_name_the_lowest_and_the_highest_bit(word: int) -> None:
    set_bits = [n for n in range(64) if word >> n & 1]
    assert ffs is find_first_bit
    assert (find_first_bit(word), fls(word) - 1) == (set_bits[0], set_bits[-1])
    assert fls(0) == 0


@pytest.mark.parametrize(
    ("spec", "lines"),
    [(HartSpec(3), 3), (HartSpec(127), 63), (HartSpec(7, 5), 5), (HartSpec(2, 0), 0)],
)
def test_lines_of_a_hart(spec: HartSpec, lines: int) -> None:
    assert spec.lines == lines


def test_the_global_count_of_guest_files_is_the_least() -> None:
    assert kernels.machine([7, 2, HartSpec(3, geilen=1)]).nr_guest_files == 2
