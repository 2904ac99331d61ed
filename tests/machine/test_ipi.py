"""Interrupts between HARTs: who is called, who waits for whom, and how calls queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.drivers.run_to_end import answer_ipi, run_alone
from hgeisim.kernel.main import Module
from hgeisim.machine.hart import SENDER_BITS
from hgeisim.machine.ipi import Ipi, SendReschedule
from hgeisim.machine.ops import LEFT, STEP, Path
from hgeisim.machine.task import Runner
from tests.support import kernels
from tests.support.steps import Context


class Calls:
    """An IPI whose handler notes on which HART it ran, and in which state."""

    def __init__(self, k: Module) -> None:
        self.ran: list[tuple[str, int, int]] = []
        self.ipi = Ipi(self.handler)
        self.k = k

    def handler(self, current: Runner, sender: Runner) -> Path[None]:
        """Note it."""
        self.ran.append((current.name, current.cpu, current.id))
        yield STEP

    def path(self, who: Runner, mask: int) -> Path[None]:
        """Send it."""
        yield STEP
        who.ipi_mask = mask
        yield self.ipi


@given(st.integers(0, 15), st.integers(0, 15))
def test_all_online_harts_of_the_mask_run_it_once(mask: int, online: int) -> None:
    k = kernels.unbooted(kernels.V6_12, [1] * 4)
    for cpu, hart in enumerate(k.hart):
        hart.online = online >> cpu & 1
    calls, who = Calls(k), k.add_thread("t", 0)
    run_alone(calls.path(who, mask), who)
    assert [cpu for _, cpu, _ in calls.ran] == [c for c in range(4) if mask & online & 1 << c]
    assert all(ident == 0 for _, _, ident in calls.ran), "in hardirqs, which have no id"
    assert (who.ipi_mask, who.ipi_wait) == (0, 0)


def test_the_sender_waits_for_the_last() -> None:
    k = kernels.unbooted(kernels.V6_12, [1] * 3)
    calls, who = Calls(k), k.add_thread("t", 0)
    who.ipi_mask = 0b110
    calls.ipi.begin(who)
    assert (who.ipi_wait, calls.ipi.ready(who)) == (0b110, False)
    who.ipi_wait = 0b100
    assert not calls.ipi.ready(who)
    answer_ipi(calls.ipi, who)
    assert [cpu for _, cpu, _ in calls.ran] == [2]
    assert calls.ipi.ready(who)


def test_it_says_what_it_calls() -> None:
    k = kernels.unbooted(kernels.V6_12, [1])
    assert str(k.vsfile_local_read) == "IPI imsic_vsfile_local_read"
    assert str(Calls(k).ipi) == "IPI handler"
    assert k.vsfile_local_read != k.vsfile_local_rw


@pytest.mark.parametrize("online", [0, 1])
def test_a_reschedule_ipi_has_no_answer_and_is_lost_offline(online: int) -> None:
    k = kernels.unbooted(kernels.V6_12, [1, 1])
    k.hart[1].online = online
    who, op = k.add_thread("t", 0), SendReschedule(1)
    op.begin(who)
    assert op.ready(who)
    op.end(who)
    assert (k.hart[1].resched_ipi, str(op)) == (online, "reschedule hart1")


@given(st.lists(st.integers(1, (1 << SENDER_BITS) - 1), max_size=8))
def test_calls_are_answered_in_the_order_of_their_coming(senders: list[int]) -> None:
    hart = kernels.unbooted(kernels.V6_12, [1]).hart[0]
    for sender in senders:
        hart.queue_call(sender)
    answered = []
    while hart.next_caller():
        answered.append(hart.next_caller())
        hart.called()
    assert (answered, hart.call_queue) == (senders, 0)


def test_every_runner_has_a_number_of_its_own_that_fits_the_queue() -> None:
    k = kernels.unbooted(kernels.V6_12, [1, 1])
    threads = [k.add_thread(f"t{i}", 0) for i in range(3)]
    hardirqs = [k.hardirq(f"h{i}", i, i % 2) for i in range(3)]
    numbers = [who.number for who in (*threads, *hardirqs)]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 1 << SENDER_BITS for number in numbers)
    assert [who.id for who in hardirqs] == [0, 0, 0]


def test_a_sample_of_sgei_changes_nothing() -> None:
    k = kernels.unbooted(kernels.V6_12, [1])
    who, op = k.add_thread("t", 0), k.sgei[0]
    assert op.mover(who) == LEFT
    assert str(op) == "sgei hart0"

    def path() -> Path[None]:
        yield op

    Context(path(), who).finish()
    assert not k.hart[0].sgei_pending()


def test_own_patches_may_name_the_sample_by_its_hart() -> None:
    k = kernels.unbooted(kernels.V6_12, [1, 1])
    assert [hart.sgei for hart in k.hart] == k.sgei
