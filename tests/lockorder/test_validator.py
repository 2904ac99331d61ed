"""The validator as drivers use it: chains, stacks, stable ids, and rules that case files lack."""

from __future__ import annotations

import pytest

from hgeisim.lockorder.graph.lock_class import KINDS, Flavour, How, Lock
from hgeisim.lockorder.report.violation import Grade, Report
from hgeisim.lockorder.rules import lifetime as holding
from hgeisim.lockorder.rules import usage_marks as marking
from hgeisim.lockorder.rules.acquisition import judge
from hgeisim.lockorder.rules.context import Chain, Context, Step
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.lockorder.rules.viewpoint import Sizes, View
from hgeisim.lockorder.rules.wait_context import Config

NESTED = How(nest=Lock("P", KINDS["mutex"]))


def mutex(name: str, key: str = "", rank: int | None = None) -> Lock:
    return Lock(name, KINDS["mutex"], key, rank)


def take(validator: Validator, context: Context, *locks: Lock) -> None:
    for lock in locks:
        validator.acquire(context, lock)
    for lock in reversed(locks):
        validator.release(context, lock)


def only(validator: Validator) -> Report:
    (report,) = validator.reports
    return report


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each lock that is judged, as it happens."""
    names: list[str] = []

    def watched(scene: View, step: Step) -> Chain:
        names.append(step.lock.name)
        return judge(scene, step)

    monkeypatch.setattr(holding, "judge", watched)
    return names


def test_a_chain_is_judged_once(judged: list[str]) -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    task = validator.context("task")
    for _ in range(3):
        take(validator, task, a, b)
    assert judged == ["A", "B"]


def test_a_chain_is_judged_again_in_another_order_mode_or_state(judged: list[str]) -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    task = validator.context("task")
    take(validator, task, a, b)
    take(validator, task, b, a)
    validator.acquire(task, a, How(trylock=True))
    validator.release(task, a)
    validator.bh_disable(task)
    take(validator, task, a)
    assert judged == ["A", "B", "B", "A", "A", "A"]


def test_interrupts_that_come_on_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    validator, a = Validator(), mutex("A")
    task = validator.context("task")
    validator.acquire(task, a)
    for _ in range(2):
        validator.irq_disable(task)
        validator.irq_enable(task)
        monkeypatch.setattr(marking, "enabled", None)
    assert not len(validator.reports)


def test_another_task_has_chains_of_its_own(judged: list[str]) -> None:
    validator, a = Validator(), mutex("A")
    take(validator, validator.context("one"), a)
    take(validator, validator.context("two"), a)
    assert judged == ["A", "A"]


def test_a_remembered_chain_still_counts_as_a_wait() -> None:
    validator, a = Validator(), mutex("A")
    worker, waiter = validator.context("worker"), validator.context("waiter")
    take(validator, worker, a)
    validator.begin(worker)
    take(validator, worker, a)
    validator.complete(worker, "done")
    validator.acquire(waiter, a)
    validator.wait(waiter, "done")
    assert only(validator).kind == "circular"


def test_work_that_begins_owes_nothing() -> None:
    validator, a = Validator(), mutex("A")
    worker, waiter = validator.context("worker"), validator.context("waiter")
    take(validator, worker, a)
    validator.begin(worker)
    validator.complete(worker, "done")
    validator.acquire(waiter, a)
    validator.wait(waiter, "done")
    assert not len(validator.reports)


def test_a_context_is_found_again() -> None:
    validator = Validator()
    assert validator.context("task") is validator.context("task")
    assert validator.context("task") is not validator.context("other")


def test_a_violation_is_reported_once() -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    for name in ("one", "two", "three"):
        take(validator, validator.context(name), a, b)
        take(validator, validator.context(name), b, a)
    assert [report.grade for report in validator.reports] == [Grade.ONE_TASK, Grade.POSSIBLE]


def test_checking_goes_on_after_a_report() -> None:
    validator, a, b, c = Validator(), mutex("A"), mutex("B"), mutex("C")
    one, two = validator.context("one"), validator.context("two")
    for locks in ((a, b), (b, c)):
        take(validator, one, *locks)
        take(validator, two, *reversed(locks))
    assert [report.about for report in validator.reports] == [
        ("A -EN->", "B -EN->"),
        ("B -EN->", "C -EN->"),
    ]


def test_what_was_reported_stays_in_the_graph() -> None:
    validator, a, b, c = Validator(), mutex("A"), mutex("B"), mutex("C")
    take(validator, validator.context("one"), a, b)
    take(validator, validator.context("two"), b, a)
    take(validator, validator.context("three"), a, c)
    take(validator, validator.context("four"), c, b)
    assert [report.about for report in validator.reports] == [
        ("A -EN->", "B -EN->"),
        ("A -EN->", "C -EN->", "B -EN->"),
    ]


def ids_of(*orders: tuple[Lock, Lock]) -> list[str]:
    validator = Validator()
    for number, order in enumerate(orders):
        context = validator.context(f"task {number}")
        context.stack = (f"function_{number}",)
        take(validator, context, *order)
    return [report.id for report in validator.reports]


def test_an_id_is_stable() -> None:
    a, b = mutex("A"), mutex("B")
    assert ids_of((a, b), (b, a)) == ["LO-804147bf"]
    assert ids_of((b, a), (a, b)) == ids_of((a, b), (b, a), (b, a))
    other_instances = mutex("A2", "A"), mutex("B2", "B")
    assert ids_of(other_instances, other_instances[::-1]) == ids_of((a, b), (b, a))
    assert ids_of((a, mutex("C")), (mutex("C"), a)) != ids_of((a, b), (b, a))


def test_misuse_in_two_functions_is_two_violations() -> None:
    validator, a = Validator(), mutex("A")
    task = validator.context("task")
    for function in ("one", "two", "one"):
        task.stack = ("main", function)
        validator.assert_held(task, a)
    assert [report.stack for report in validator.reports] == [("main", "one"), ("main", "two")]


def test_each_dependency_keeps_its_stacks() -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    one, two = validator.context("one"), validator.context("two")
    for context, locks in ((one, (a, b)), (two, (b, a))):
        for lock in locks:
            context.stack = (context.name, f"take_{lock.name}")
            validator.acquire(context, lock)
    first, second = only(validator).chain
    assert (first.who, first.since, first.stack) == ("two", ("two", "take_B"), ("two", "take_A"))
    assert (second.who, second.since, second.stack) == ("one", ("one", "take_A"), ("one", "take_B"))
    assert [view.stack for view in only(validator).held] == [("two", "take_B")]


def test_a_lock_names_where_it_was_taken_this_time() -> None:
    validator, a = Validator(), mutex("A")
    task = validator.context("task")
    for function in ("first", "second"):
        task.stack = (function,)
        validator.acquire(task, a)
        validator.release(task, a) if function == "first" else None
    validator.exit_task(task)
    assert only(validator).held[0].stack == ("second",)


def test_ranks_order_a_class() -> None:
    validator = Validator()
    low, high = mutex("low", "X", rank=1), mutex("high", "X", rank=2)
    take(validator, validator.context("one"), low, high)
    assert not len(validator.reports)
    take(validator, validator.context("two"), high, low)
    assert [report.kind for report in validator.reports] == ["recursion", "circular"]


def test_equal_ranks_are_no_order() -> None:
    validator = Validator()
    take(validator, validator.context("one"), mutex("a", "X", 1), mutex("b", "X", 1))
    assert only(validator).kind == "recursion"


def test_a_rank_alone_is_no_order() -> None:
    validator = Validator()
    take(validator, validator.context("one"), mutex("a", "X"), mutex("b", "X", 1))
    take(validator, validator.context("two"), mutex("a", "Y", 0), mutex("b", "Y"))
    assert [report.about[0] for report in validator.reports] == ["X", "Y"]


def test_the_subclass_of_a_held_lock_can_change() -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    one, two = validator.context("one"), validator.context("two")
    validator.acquire(one, a)
    validator.acquire(one, b)
    validator.set_subclass(one, a, 1)
    assert [held.cls.name for held in one.held] == ["A/1", "B"]
    validator.acquire(two, b)
    validator.acquire(two, a, How(subclass=1))
    assert only(validator).about == ("A/1 -EN->", "B -EN->")


def test_a_kept_lock_names_where_it_was_taken() -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    task = validator.context("task")
    for lock in (a, b):
        task.stack = (f"take_{lock.name}",)
        validator.acquire(task, lock)
    task.stack = ("release_A",)
    validator.release(task, a)
    assert [held.stack for held in task.held] == [("take_B",)]


def test_a_handler_may_interrupt_anybody() -> None:
    validator = Validator()
    a, b = (Lock(name, KINDS["raw_spinlock"]) for name in "AB")
    task = validator.context("task")
    validator.irq_disable(task)
    take(validator, task, a, b)
    validator.enter_hardirq(task)
    take(validator, task, b, a)
    assert only(validator).grade is Grade.POSSIBLE
    assert [link.who for link in only(validator).chain] == ["a handler", "task"]


def test_a_context_resumes_where_it_was() -> None:
    validator, a, b, c = Validator(), mutex("A"), mutex("B"), mutex("C")
    task = validator.context("task")
    for lock in (a, b):
        task.stack = (f"take_{lock.name}",)
        validator.acquire(task, lock)
    position = task.chain
    assert [chain.lock for chain in position.path()] == [a, b]
    validator.resume(task, position.below)
    validator.assert_not_held(task, b)
    take(validator, task, c)
    validator.resume(task, position)
    validator.assert_held(task, b)
    assert [(held.lock, held.stack) for held in task.held] == [(a, ("take_A",)), (b, ("take_B",))]
    validator.resume(task, task.root)
    assert task.chain.is_empty
    assert list(validator.reports) == []


def test_a_position_leads_where_the_validator_would_go(judged: list[str]) -> None:
    validator, a, b = Validator(), mutex("A"), mutex("B")
    task = validator.context("task")
    take(validator, task, a, b)
    (one,) = task.root.after.values()
    (two,) = one.after.values()
    assert one.after.get(two.step) is two
    assert (one.lock, one.below, two.lock, two.below) == (a, task.root, b, one)
    validator.resume(task, one)
    validator.acquire(task, b)
    assert task.chain is two
    assert judged == ["A", "B"]


def test_what_depends_on_the_place_is_no_position_to_go_to() -> None:
    """A handler that sleeps is reported for each function in which it does."""
    validator, a = Validator(), mutex("A")
    handler = validator.context("handler")
    validator.enter_hardirq(handler)
    for place in ("one", "two"):
        handler.stack, handler.place = (place,), place
        take(validator, handler, a)
    assert handler.root.after == {}
    assert [chain.lock for chain in handler.root.again.values()] == [a]
    places = [report.about[-1] for report in validator.reports if report.kind == "wait-context"]
    assert places == ["in one", "in two"]
    assert validator.sizes.chains == 1


def test_what_is_not_validated_is_not_learned() -> None:
    validator, quiet = Validator(), Lock("N", KINDS["mutex_novalidate"])
    task = validator.context("task")
    validator.irq_disable(task)
    validator.acquire(task, quiet, How(trylock=True))
    validator.irq_enable(task)
    take(validator, task, mutex("A"))
    validator.exit_task(task)
    assert validator.sizes.dependencies == 0
    assert [view.usage for view in only(validator).held] == ["{....}"]


def test_the_subclass_of_what_is_not_held() -> None:
    validator = Validator()
    validator.set_subclass(validator.context("one"), mutex("A"), 1)
    assert only(validator).kind == "bad-unlock"


def test_a_downgraded_lock_is_held_by_a_reader() -> None:
    validator, sem, b = Validator(), Lock("A", KINDS["rwsem"]), mutex("B")
    task = validator.context("task")
    validator.acquire(task, sem)
    validator.acquire(task, b)
    validator.downgrade(task, sem)
    assert [(held.lock, held.flavour) for held in task.held] == [
        (sem, Flavour.SHARED),
        (b, Flavour.EXCLUSIVE),
    ]


def test_what_is_kept_was_not_waited_for(judged: list[str]) -> None:
    """T1 gives up the gate G early, but took B under it."""
    validator, g, a, b = Validator(), mutex("G"), mutex("A"), mutex("B")
    one, two = validator.context("one"), validator.context("two")
    for lock in (g, a, b):
        validator.acquire(one, lock)
    validator.release(one, g)
    take(validator, two, g, b, a)
    assert only(validator).grade is Grade.GUARDED


def test_a_kept_chain_is_not_a_taken_one() -> None:
    validator, a, b, c = Validator(), mutex("A"), mutex("B"), mutex("C")
    one, two = validator.context("one"), validator.context("two")
    for lock in (a, b, c):
        validator.acquire(one, lock)
    validator.release(one, a)
    validator.release(one, c)
    validator.release(one, b)
    take(validator, one, b, c)
    take(validator, two, a, c, b)
    assert [report.grade for report in validator.reports] == [Grade.POSSIBLE]


def test_readers_of_what_has_none() -> None:
    validator = Validator()
    with pytest.raises(ValueError, match=r"^A: a mutex has no readers$"):
        validator.acquire_read(validator.context("task"), mutex("A"))


def test_might_sleep() -> None:
    validator, spin = Validator(), Lock("A", KINDS["spinlock"])
    task = validator.context("task")
    validator.might_sleep(task)
    assert not len(validator.reports)
    validator.acquire(task, spin)
    validator.might_sleep(task)
    assert only(validator).kind == "wait-context"
    assert [held.lock for held in task.held] == [spin]


def test_the_default_is_a_kernel_of_today() -> None:
    assert Validator().known.config == Config(
        raw_nesting=True, preempt_rt=False, queued_rwlocks=True
    )


def test_sizes() -> None:
    validator, a, b, c = Validator(), mutex("A"), mutex("B"), mutex("C")
    take(validator, validator.context("one"), a, b, c)
    take(validator, validator.context("one"), b, c)
    expected = Sizes(classes=3, dependencies=3, chains=5, longest_chain=3)
    assert validator.sizes == expected
    assert Validator().sizes == Sizes(0, 0, 0, 0)


def test_nested_dependencies_inside_a_class_are_no_dependencies() -> None:
    validator, parent = Validator(), NESTED.nest
    assert parent is not None
    task = validator.context("task")
    validator.acquire(task, parent)
    validator.acquire(task, mutex("1", "X"), NESTED)
    validator.acquire(task, mutex("2", "X"), NESTED)
    assert validator.sizes.dependencies == 1
