"""The books of a guest: what it may expect, and the rules by which that ends."""

from __future__ import annotations

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.variants import find_variant
from hgeisim.kernel.vcpu import GUEST_EIE
from hgeisim.machine.ledger import Ledger, Tally, ledger
from hgeisim.machine.watch import functions_of, watched
from hgeisim.watch.msis import Books
from tests.support.kernels import V7_0, machine, owner_on


def books() -> tuple[Ledger, Tally]:
    made = ledger(None, "v")
    assert made.tally is not None
    return made, made.tally


def test_what_was_sent_is_owed_until_it_is_taken() -> None:
    made, tally = books()
    made.send(3)
    made.send(3)
    assert (made.owed, tally.sent, tally.merged) == (0b1000, 2, 1)
    made.take(0b1000)
    assert (made.owed, made.stray, tally.delivered) == (0, 0, 1)
    made.take(0b10)
    assert (made.stray, tally.delivered) == (1, 1)


def test_a_reset_forgets_the_set_up_first_and_drops_what_is_owed_last() -> None:
    made, tally = books()
    made.set_up(0b110)
    made.send(1)
    made.reset_begins()
    assert (made.setup, made.owed) == (0, 0b10)
    made.send(2)
    made.reset_ends()
    assert (made.owed, dict(tally.dropped)) == (0, {"reset": 2})
    made.take(0b10)
    assert made.stray == 0, "it came in spite of the reset, and somebody has sent it"


def test_nothing_is_owed_to_a_vcpu_that_is_being_destroyed() -> None:
    made, tally = books()
    made.set_up(0b110)
    made.send(1)
    made.end()
    made.send(2)
    assert (made.setup, made.owed, made.gone) == (0, 0, 1)
    assert (tally.sent, dict(tally.dropped)) == (2, {"destroyed": 2})


def booted() -> Module:
    k = watched(find_variant(V7_0), functions_of(Books))(machine([1]))
    k.watch.add(Books(k))
    monitor = k.add_thread("swapper", 0)
    run_alone(k.riscv_kvm_init(monitor), monitor)
    return k


def test_a_trap_and_a_reset_are_entered_where_the_guest_calls_the_kernel() -> None:
    k = booted()
    vcpu = owner_on(k, "a", 0)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(vcpu.thread, vcpu), vcpu.thread)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_rmw_setup(vcpu.thread, vcpu, GUEST_EIE), vcpu.thread)
    assert vcpu.ledger.setup == GUEST_EIE
    for iid in (1, 2):
        vcpu.ledger.send(iid)
        run_alone(k.kvm_riscv_vcpu_aia_imsic_inject(vcpu.thread, vcpu, iid), vcpu.thread)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_rmw_topei(vcpu.thread, vcpu), vcpu.thread)
    assert vcpu.ledger.owed == 0b100
    run_alone(k.kvm_riscv_vcpu_aia_imsic_reset(vcpu.thread, vcpu), vcpu.thread)
    assert (vcpu.ledger.setup, vcpu.ledger.owed) == (0, 0)


def test_a_software_interrupt_is_owed_until_one_is_taken() -> None:
    made = ledger(None, "a")
    made.soft_begins()
    made.soft_ends()
    made.soft_begins()
    made.soft_ends()
    made.take_soft()
    assert (made.soft_owed, made.stray) == (0, 0)
    made.take_soft()
    assert made.stray == 0, "the second one came after the first was taken, or with it"
    made.take_soft()
    assert made.stray == 2


def test_one_that_is_being_sent_may_come_twice() -> None:
    made = ledger(None, "a")
    made.soft_begins()
    made.take_soft()
    made.soft_ends()
    made.take_soft()
    assert (made.soft_owed, made.soft_sent, made.stray) == (0, 0, 0)


def test_after_a_reset_it_need_not_come() -> None:
    made = ledger(None, "a")
    made.soft_begins()
    made.soft_ends()
    made.drop_soft()
    assert (made.soft_owed, made.soft_sent) == (0, 1)
    made.soft_begins()
    made.end()
    made.soft_begins()
    assert made.soft_owed == 0, "nothing is owed to a vCPU that is destroyed"
