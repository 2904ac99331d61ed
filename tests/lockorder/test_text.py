"""Reports as people read them, to the letter.

They begin with the line that lockdep prints, and name its classes and functions: the right answers
are what lockdep printed on unmodified kernels (v7.3.4) for B-08, B-09 and B-23.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from textwrap import dedent

import pytest

from hgeisim.drivers.lock_survey import survey
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.report.text import GRADES, HEADLINES, TITLES, text_of
from hgeisim.lockorder.report.violation import Report
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.scenario.load import load_scenario
from tests.lockorder.test_programs import MAPS, hard, masked, pair, run


def check_text(report: Report, text: str) -> None:
    assert text_of(report) == dedent(text).lstrip("\n")


def test_circular() -> None:
    validator = Validator()
    kvm = Lock("vm1.lock", KINDS["mutex"], "kvm->lock")
    mm = Lock("mm1.mmap_lock", KINDS["rwsem"], "mmap_lock")
    notifier, ioctl = validator.context("notifier"), validator.context("VCPU 1")
    notifier.stack = ("do_munmap", "kvm_mmu_notifier")
    validator.acquire_read(notifier, mm)
    validator.acquire(notifier, kvm)
    ioctl.stack = ("kvm_vm_ioctl",)
    validator.acquire(ioctl, kvm)
    ioctl.stack = ("kvm_vm_ioctl", "kvm_vcpu_fault")
    validator.acquire(ioctl, mm)
    (report,) = validator.reports
    check_text(
        report,
        """
        WARNING: possible circular locking dependency detected
        LO-ea725999 circular: locks wait for each other in a cycle
        can hang as seen
        VCPU 1 wants mm1.mmap_lock [mmap_lock] (W) {++++} sleep:sleep in kvm_vcpu_fault
          and has vm1.lock [kvm->lock] (W) {+.+.} sleep:sleep since kvm_vm_ioctl
        New edge: kvm->lock < mmap_lock
        Old path: mmap_lock < kvm->lock
        Chain, the last wait first:
          -> #1 kvm->lock (SN), lock by notifier inside mmap_lock since kvm_mmu_notifier
              kvm_mmu_notifier
              do_munmap
            mmap_lock was taken in
              kvm_mmu_notifier
              do_munmap
          -> #0 mmap_lock (EN), lock by VCPU 1 inside kvm->lock since kvm_vm_ioctl
              kvm_vcpu_fault
              kvm_vm_ioctl
        How it hangs:
          CPU0                                  CPU1
          lock(kvm->lock)
                                                rlock(mmap_lock)
                                                lock(kvm->lock)  <- waits for CPU0
          lock(mmap_lock)  <- waits for CPU1
        Ways out:
          give kvm->lock up before kvm_vcpu_fault wants mmap_lock
          or give mmap_lock up before kvm_mmu_notifier wants kvm->lock
        Held:
          #0 vm1.lock [kvm->lock] (W) {+.+.} sleep:sleep since kvm_vm_ioctl
        Here:
              kvm_vcpu_fault
              kvm_vm_ioctl
        """,
    )


def test_grades() -> None:
    gated = "lock C, {}, unlock C"
    guarded = run(MAPS, gated.format(pair("A", "B")), gated.format(pair("B", "A")))
    one_task = run(MAPS, f"{pair('A', 'B')}, {pair('B', 'A')}")
    locks = "A1:mutex:A A2:mutex:A B1:mutex:B B2:mutex:B"
    instances = run(locks, pair("A1", "B1"), pair("B2", "A2"))
    lines = [text_of(report).splitlines()[2] for (report,) in (guarded, one_task, instances)]
    assert lines == [
        "cannot hang as seen: C keeps its tasks apart",
        "cannot hang as seen: only one task does all of it",
        "by class only: the instances seen do not close it",
    ]


def test_many_cpus_stand_close() -> None:
    names = ["first_lock", "second_lock", "third_lock", "fourth_lock"]
    locks = " ".join(f"{name}:mutex" for name in names)
    rounds = zip(names, [*names[1:], names[0]], strict=True)
    (report,) = run(locks, *(pair(one, other) for one, other in rounds))
    lines = text_of(report).splitlines()
    start = lines.index("How it hangs:") + 1
    assert lines[start : start + 9] == [
        "  CPU0        CPU1        CPU2        CPU3",
        "  lock(fourth_lock)",
        "              lock(first_lock)",
        "                          lock(second_lock)",
        "                                      lock(third_lock)",
        "                                      lock(fourth_lock)  <- waits for CPU0",
        "                          lock(third_lock)  <- waits for CPU3",
        "              lock(second_lock)  <- waits for CPU2",
        "  lock(first_lock)  <- waits for CPU1",
    ]


def test_recursion() -> None:
    (report,) = run("X1:rwsem:X X2:rwsem:X", "read_lock X1, lock X2")
    check_text(
        report,
        """
        WARNING: possible recursive locking detected
        LO-20ee886a recursion: a lock is taken inside one of its own class
        T0 wants X2 [X] (W) {++++} sleep:sleep in lock X2
          and has X1 [X] (r) {++++} sleep:sleep since read_lock X1
          missing nesting annotation?
        How it hangs:
          CPU0
          rlock(X1)
          lock(X2)  <- waits for itself
        Ways out:
          give X up before lock X2 wants it again
          or give the inner one a subclass, if everybody takes them in one order
        Held:
          #0 X1 [X] (r) {++++} sleep:sleep since read_lock X1
        Here:
              lock X2
              T0
        """,
    )


def test_sync_and_the_same_instance() -> None:
    (report,) = run("S:srcu", "read_lock S, sync S")
    text = text_of(report)
    assert "  the same instance\n" in text
    assert "  rlock(S)\n  sync(S)  <- waits for itself\n" in text


def test_irq_usage() -> None:
    (report,) = run("A:spinlock", hard("lock A, unlock A"), "lock A")
    check_text(
        report,
        """
        WARNING: inconsistent lock state
        LO-ef677440 irq-usage: a lock is taken in a handler, and held where that handler can come
        T1 at A (-) {?...} config:config in lock A
        Usage:
          IN-HARDIRQ-W A, first by T0
              lock A
              T0
          HARDIRQ-ON-W A, first by T1
              lock A
              T1
        How it hangs:
          CPU0
          lock(A)
          <Interrupt>
            lock(A)  <- waits for itself
        Ways out:
          keep interrupts off while tasks hold A, such as in lock A
          or take A in a thread, not in the handler
        Here:
              lock A
              T1
        """,
    )


def test_a_mark_names_its_first_context() -> None:
    safe = hard("lock A, unlock A")
    (report,) = run("A:spinlock", safe, safe, "lock A, unlock A, lock A")
    assert [mark.who for mark in report.marks] == ["T0", "T2"]


def test_irq_dependency() -> None:
    locks = "A:spinlock B:spinlock"
    (report,) = run(locks, "lock B", hard("lock A, unlock A"), masked(pair("A", "B")))
    check_text(
        report,
        """
        WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected
        LO-faf49e2e irq-dependency: a lock of a handler leads to one that the handler can interrupt
        T2 wants B (W) {+.+.} config:config in lock B
          and has A (W) {-...} config:config since lock A
        New edge: A < B
        Usage:
          IN-HARDIRQ-W A, first by T1
              lock A
              T1
          HARDIRQ-ON-W B, first by T0
              lock B
              T0
        Chain, the last wait first:
          -> #0 B (EN), lock by T2 inside A since lock A
              lock B
              T2
            A was taken in
              lock A
              T2
        How it hangs:
          CPU0                            CPU1
          lock(B)
                                          lock(A)
                                          lock(B)  <- waits for CPU0
          <Interrupt>
            lock(A)  <- waits for CPU1
        Ways out:
          give A up before lock B wants B
          or keep interrupts off while tasks hold B, such as in lock B
          or take A in a thread, not in the handler
        Held:
          #0 A (W) {-...} config:config since lock A
        Here:
              lock B
              T2
        """,
    )


def test_irq_inversion() -> None:
    locks = "A:spinlock B:spinlock C:spinlock"
    (report,) = run(
        locks, masked(pair("A", "B")), masked(pair("B", "C")), hard("lock A, unlock A"), "lock C"
    )
    text = text_of(report)
    assert [link.source for link in report.chain] == ["A", "B"]
    assert [mark.cls for mark in report.marks] == ["A", "C"]
    assert "lock(B)  <- waits for CPU2\n" in text
    assert "lock(C)  <- waits for CPU0\n" in text


def test_wait_context() -> None:
    (report,) = run("R:raw_spinlock A:spinlock", "lock R, lock A")
    check_text(
        report,
        """
        [ BUG: Invalid wait context ]
        LO-2b586fc6 wait-context: an acquisition may wait longer than its place allows
        T0 wants A (W) {....} config:config in lock A
          and has R (W) {+.+.} spin:spin since lock R
          needs config, R allows spin
        Ways out:
          give R up before lock A wants A
          or make A a raw lock, and all that is taken inside it
        Held:
          #0 R (W) {+.+.} spin:spin since lock R
        Here:
              lock A
              T0
        """,
    )


def test_a_place_without_a_lock() -> None:
    (report,) = run("", "irq_disable, ipi_wait")
    check_text(
        report,
        """
        LO-4ae2a27f ipi-irqs-off: an IPI is waited for with interrupts off
        T0 in ipi_wait
          waits for other CPUs with interrupts off: two that do so hang
        Ways out:
          wait for @ipi where interrupts are on
        Here:
              ipi_wait
              T0
        """,
    )


def test_an_event_is_owed() -> None:
    (report,) = run("M:mutex", "lock M, wait E", "lock M, unlock M, complete E")
    text = text_of(report)
    assert "T1 wants M (W) {+.+.} sleep:sleep in complete E\n  and owes @ev:E " in text
    assert "  -> #0 M (EN), lock by T1 before it completes @ev:E\n" in text
    assert "  -> #1 @ev:E (EN), wait by T0 inside M since lock M\n" in text
    assert "(must answer @ev:E)" in text
    assert "wait(@ev:E)  <- waits for CPU0" in text


def test_what_a_baseline_knows_is_not_new() -> None:
    locks = "A:mutex B:mutex C:mutex"
    (report,) = run(locks, pair("A", "B"), pair("B", "C"), pair("C", "A"))

    def ages(known: Container[Pair] | None) -> list[str]:
        lines = text_of(report, known).splitlines()
        return [line for line in lines if line.startswith(("New edge", "Old path"))]

    assert ages(None) == ["New edge: C < A", "Old path: A < B < C"]
    assert ages({("C", "A")}) == ["New edge: A < B < C", "Old path: C < A"]
    assert ages({("A", "B"), ("C", "A")}) == ["New edge: B < C", "Old path: C < A < B"]
    everything = {("A", "B"), ("B", "C"), ("C", "A")}
    assert ages(everything) == ["Old path: C < A < B < C"]


def test_nothing_is_known_of_the_stack() -> None:
    validator = Validator()
    validator.acquire(validator.context("task"), Lock("A", KINDS["mutex"]))
    validator.exit_task(validator.context("task"))
    (report,) = validator.reports
    check_text(
        report,
        """
        WARNING: lock held when returning to user space!
        LO-61522cbf held-at-exit: locks are left behind
        task
          task exit
        Held:
          #0 A (W) {+.+.} sleep:sleep
        """,
    )


def test_every_grade_has_words() -> None:
    assert [grade.value for grade in GRADES] == ["possible", "instances", "guarded", "one-task"]
    assert all(title and not title.endswith(".") for title in TITLES.values())


@cache
def reports(scenario: str) -> dict[str, Report]:
    """The reports of a scenario by the id of their finding."""
    return survey([(scenario, load_scenario(scenario))]).reports()


@pytest.mark.slow
def test_b08() -> None:
    report = reports("hotplug-storm")["wait-context:imsic->vsfile_lock rq->__lock"]
    lines = text_of(report).splitlines()
    assert lines[0] == "[ BUG: Invalid wait context ]"
    assert [view.cls for view in report.held] == ["vcpu->mutex", "rq->__lock"]
    called = ["kvm_riscv_vcpu_aia_imsic_put", "kvm_riscv_vcpu_aia_put", "kvm_arch_vcpu_put"]
    assert [*report.stack[::-1]][:4] == [*called, "kvm_sched_out"]


@pytest.mark.slow
def test_b09_has_four_edges() -> None:
    report = reports("hotplug-storm")["circular:imsic->vsfile_lock -SN-> rq->__lock -EN->"]
    lines = text_of(report).splitlines()
    assert lines[0] == "WARNING: possible circular locking dependency detected"
    classes = ["imsic->vsfile_lock", "imsic->swfile_extirq_lock", "p->pi_lock", "rq->__lock"]
    assert f"In full:  {' < '.join([*classes, classes[0]])}" in lines
    functions = {link.stack[-1] for link in report.chain}
    assert functions == {"try_to_wake_up", "kvm_riscv_vcpu_aia_imsic_put"}


@pytest.mark.slow
def test_b23() -> None:
    report = reports("host-shutdown")["irq-usage:kvm->mmu_lock IN-HARDIRQ-W HARDIRQ-ON-W"]
    assert text_of(report).splitlines()[0] == "WARNING: inconsistent lock state"
    assert [str(mark.bit) for mark in report.marks] == ["HARDIRQ-ON-W", "IN-HARDIRQ-W"]
    assert report.marks[0].stack[-1] == "kvm_riscv_mmu_ioremap"
    assert report.marks[1].stack[-2:] == (
        "kvm_riscv_vcpu_aia_imsic_release",
        "kvm_riscv_mmu_iounmap",
    )


def test_each_headline_is_of_a_kind() -> None:
    assert HEADLINES.keys() <= TITLES.keys()
