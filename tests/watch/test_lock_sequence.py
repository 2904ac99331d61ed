"""The order in which a real kernel takes its locks, followed by the model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.structs import Thread
from hgeisim.lockorder.rules.context import Held
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.rwlock import ReadLock, WriteLock
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE
from hgeisim.machine.spinlock import Acquire
from hgeisim.machine.srcu import SrcuReadLock
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Watch, done
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder
from tests.support.kernels import V6_12, booted
from tests.support.source import ROOT

FACTS = (ROOT / "tests" / "data" / "lock-sequence-6.12.txt").read_text(encoding="utf-8")


def real(part: str) -> list[str]:
    """The locks that the kernel held, in one part of the trace."""
    lines = [line.partition(": ") for line in FACTS.splitlines() if not line.startswith("#")]
    return [held for name, _, held in lines if name == part]


class Holding:
    """Executes paths alone and notes the locks held after each acquisition."""

    def __init__(self) -> None:
        self.looking = Watch()
        self.order = LockOrder(False, PathChains(self.looking.paths, object))
        self.held: list[str] = []
        self.entries: set[type] = set()
        self.looking.add(self.order, self)

    @done(Acquire, ReadLock, WriteLock, MutexLock, DownRead, DownWrite, SrcuReadLock)
    def taken(self, who: Runner, op: Op, waited_ns: int) -> None:
        track = self.order._track(who)
        self.entries |= {type(each) for each in track.context.held}
        path = track.position.path()
        self.held.append(" ".join(f"{p.lock.key}{':r' if p.reader else ''}" for p in path))

    def run(self, path: Path[object], who: Runner) -> list[str]:
        self.held.clear()
        run_alone(path, who, self.looking)
        return [held for held, _ in groupby(self.held)]


def up_to_the_guest(path: Path[object]) -> Iterator[Op]:
    for op in path:
        yield op
        if isinstance(op, EnterGuest):
            return


def test_the_first_entry_of_a_vcpu() -> None:
    k = booted(V6_12, [1, 1])
    vm = k.add_vm("vm")
    k.add_vcpu("v0", 0, vm)
    vcpu = k.add_vcpu("v1", 1, vm)

    def path(thread: Thread) -> Path[None]:
        yield from k.kvm_vcpu_ioctl_begin(thread, vcpu)
        yield from up_to_the_guest(k.vcpu_enter_guest(thread, vcpu))

    assert Holding().run(path(vcpu.thread), vcpu.thread) == real("entry")


def test_an_sgei_that_wakes_a_vcpu() -> None:
    k = booted(V6_12, [1])
    vcpu = k.add_vcpu("v1", 0, k.add_vm("vm"))
    k.hgei[0].owners[1], vcpu.wait.waiter = vcpu.id, 1
    vcpu.thread.state, vcpu.thread.on_rq, vcpu.thread.on_cpu = TASK_INTERRUPTIBLE, 0, 0
    k.hart[0].hgeip = k.hart[0].hgeie = 2
    current = k.hardirq("hardirq/0", 1, 0)
    assert Holding().run(k.hgei_interrupt(current), current) == real("sgei")


def test_a_validator_holds_entries_of_its_own_only() -> None:
    k = booted(V6_12, [1])
    vcpu, holding = k.add_vcpu("v0", 0, k.add_vm("vm")), Holding()
    for _ in range(2):
        holding.run(k.kvm_riscv_vcpu_aia_imsic_inject(vcpu.thread, vcpu, 1), vcpu.thread)
    assert len(holding.held) > 1
    assert holding.entries == {Held}


def test_the_holder_of_a_lock_that_is_initialised_is_known_without_being_judged() -> None:
    """The validator does not know the current position of any context until it is shown all."""
    k = booted(V6_12, [1])
    lock, order = k.hgei[0].lock, Holding().order
    holder, other = k.add_thread("holder", 0), k.add_thread("other", 0)
    for _ in range(2):
        order.spun(holder, lock.lock, 0)
        order.released(holder, lock.unlock, 0)
    order.initialised(other, lock.init, 0)
    assert order.found == []
    order.spun(holder, lock.lock, 0)
    order.initialised(other, lock.init, 0)
    assert [finding.id for finding in order.found] == ["held-init:hgctrl->lock "]
