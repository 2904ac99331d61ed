"""Watchers: every driver shows each wanted operation and function once, in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.frames import functions as functions_in
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.run_to_end import run_alone
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment, TimedClock
from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.traced.probed_call import STOPS, Probe, probed
from hgeisim.errors import ModelError
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO, EMUL, Vcpu
from hgeisim.kernel.variants import BASES, find_variant
from hgeisim.machine.ops import STEP, Op, Path, Step
from hgeisim.machine.shared import Memory
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Watch, done, entered, functions_of, returned, waits, watched
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Constant, Timing
from tests.support.kernels import V6_12, V7_0, add_vcpu, booted, machine, running
from tests.support.stateless import Live
from tests.support.timed_machine import COSTS
from tests.timed.test_fused import EVERY_OP

UPDATE = "kvm_riscv_vcpu_aia_imsic_update"
PATHS = [name for name, _ in inspect.getmembers(Module, inspect.isgeneratorfunction)]
"""Every path of a kernel."""


class Log:
    """A log of everything that one context does, from its first function on."""

    def __init__(self, who: Runner) -> None:
        self.who, self.lines, self.depth = who, list[str](), 0

    @done(*(EVERY_OP.keys() - {Step}))
    def operation(self, who: Runner, op: Op, waited_ns: int) -> None:
        if who is self.who and self.depth:
            self.lines.append(str(op))

    def begins(self, name: str) -> Callable[..., None]:
        def begin(*arguments: object) -> None:
            self.depth += 1
            self.lines.append(f"{name} begins")

        return begin

    def ends(self, name: str) -> Callable[..., None]:
        def end(*arguments: object) -> None:
            self.depth -= 1
            self.lines.append(f"{name} ends")

        return end

    def watch(self, k: Module) -> None:
        """Watch every path; the methods are generated here, not marked."""
        k.watch.add(self)
        for name in PATHS:
            k.watch.entered[name].append(self.begins(name))
            k.watch.returned[name].append(self.ends(name))


def kernel(variant: str, form: Callable[[Any], Any] = lambda cls: cls) -> Any:
    return watched(form(find_variant(variant)), frozenset(PATHS))


def entry(k: Module) -> tuple[Runner, Path[int]]:
    """A vCPU that runs for the first time, until its guest waits."""
    vcpu = add_vcpu(k, "a", 0)
    return vcpu.thread, running(k, vcpu)


def boot(k: Module) -> Module:
    monitor = k.add_thread("swapper", 0)
    run_alone(k.riscv_kvm_init(monitor), monitor)
    return k


def after_a_step(k: Module, vcpu: Vcpu) -> Path[None]:
    """A task of a search starts at its first operation: watchers see nothing before it."""
    yield STEP
    yield from running(k, vcpu)


def alone(variant: str) -> list[str]:
    k = boot(kernel(variant)(machine([1])))
    who, path = entry(k)
    log = Log(who)
    log.watch(k)
    run_alone(path, who, k.watch)
    return log.lines


def timed(variant: str, form: Callable[[Any], Any] = lambda cls: cls) -> list[str]:
    env = LaneEnvironment()
    k = boot(kernel(variant, form)(machine([1]), clock=TimedClock(env)))
    driver = TimedDriver(env, k, Costs(Timing.model_validate(COSTS), Streams(1)))
    who, path = entry(k)
    driver.costs.of_owner("guest_run", "a", Constant.model_construct(value=1_000))
    log = Log(who)
    log.watch(k)
    driver.spawn(k.threads[-1], path)
    env.run(until=5_000_000_000)
    switched_in = ["kvm_sched_in begins", "kvm_sched_in ends"]
    assert log.lines[:2] == switched_in, "the driver calls the preempt notifier"
    return log.lines[2:]


def explored(variant: str) -> list[str]:
    memory = Memory()
    k = boot(kernel(variant)(machine([1]), memory))
    who, _ = entry(k)
    vcpu = k.vcpus[1]
    assert vcpu is not None
    system = System(k, "none")
    system.add_task(vcpu.thread, lambda: after_a_step(k, vcpu))
    system.seal()
    log = Log(who)
    log.watch(k)
    contexts = Live(system)
    while contexts.step(0):
        pass
    return log.lines


@pytest.mark.parametrize("variant", BASES)
def test_all_drivers_show_each_operation_and_function_once_and_in_order(variant: str) -> None:
    lines = alone(variant)
    assert f"{UPDATE} begins" in lines
    assert lines.count("kvm_riscv_aia_alloc_hgei ends") == 1
    assert len(lines) > 60
    assert timed(variant) == lines
    assert timed(variant, fused) == lines
    assert explored(variant) == lines


def test_trace_check_stops_at_each_function_once_and_in_order() -> None:
    """Compare the stops that a path of the traced driver yields with a watcher of the same path."""
    lines = [each.split() for each in alone(V6_12)]
    k = boot_probed()
    who, path = entry(k)
    stops = []
    for op in path:
        if isinstance(op, Probe):
            stops.append(op.name)
        else:
            op.begin(who)
            assert op.ready(who)
            op.end(who)
    names = {"kvm_riscv_aia_alloc_hgei": "alloc", UPDATE: "upd", "kvm_riscv_mmu_ioremap": "ioremap"}
    seen = [
        names[what] + ("_ret" if when == "ends" else "")
        for what, when in (each for each in lines if len(each) == 2 and each[0] in STOPS)
        if (what, when) != ("kvm_riscv_mmu_ioremap", "ends")
    ]
    assert stops == seen
    assert stops[:5] == ["upd", "alloc", "alloc_ret", "ioremap", "upd_ret"]


def boot_probed() -> Module:
    k: Any = probed(find_variant(V6_12))(machine([1]))
    monitor = k.add_thread("swapper", 0)
    for op in k.riscv_kvm_init(monitor):
        if not isinstance(op, Probe):
            op.begin(monitor)
            op.end(monitor)
    made: Module = k
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blocked-move", "stale-attr"])
def test_a_search_of_a_watched_kernel_is_the_same(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scenario = load_scenario(name, {"variant": V6_12})
    before = exhaustive(space_of(scenario), 20_000)
    from hgeisim.drivers.explored import explored_scenario as explorer  # noqa: PLC0415

    monkeypatch.setattr(explorer, "find_variant", kernel)
    after = exhaustive(space_of(scenario), 20_000)
    assert after == before
    assert before.coverage == "exhausted"


def test_call_chains_have_no_overrides_in_them() -> None:
    k = boot(kernel(V6_12)(machine([1])))
    _, path = entry(k)
    for op in path:
        if isinstance(op, Acquire):
            break
    chain = functions_in(path)
    assert len(set(chain)) == len(chain)


# The table


class Counter:
    """Watches one thing of each kind."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    @done(Acquire, Release)
    def lock(self, who: Runner, op: Op, waited_ns: int) -> None:
        self.seen.append((str(op), waited_ns))

    @waits
    def waiting(self, who: Runner, op: Op, irq_off: int, preempt_count: int) -> None:
        self.seen.append(("waits", irq_off, preempt_count))

    @entered("kvm_riscv_aia_free_hgei")
    @returned("add_vm")
    def both(self, *arguments: Any) -> None:
        self.seen.append(arguments)


def test_a_watcher_gets_the_wanted_operations_and_nothing_else() -> None:
    k = boot(watched(find_variant(V7_0), functions_of(Counter))(machine([1])))
    counter = Counter()
    k.watch.add(counter)
    vm = k.add_vm("vm")
    lock = k.hgei[0].lock
    k.watch.show(k.threads[0], lock.lock_irqsave, 7)
    k.watch.show(k.threads[0], STEP)
    k.watch.show_wait(k.threads[0], lock.lock_irqsave, 1, 2)
    run_alone(k.kvm_riscv_aia_free_hgei(0, 1), k.threads[0])
    took = (str(lock.lock_irqsave), 7)
    assert counter.seen == [(vm, "vm", AUTO), took, ("waits", 1, 2), (0, 1)]


def test_defaults_and_results_go_through_an_override() -> None:
    cls = watched(find_variant(V7_0), frozenset(["add_vm", "kvm_riscv_vcpu_unset_interrupt"]))
    k = boot(cls(machine([1])))
    assert k.add_vm("vm").aia_mode == AUTO
    assert k.add_vm("vm", EMUL).aia_mode == EMUL
    vcpu = add_vcpu(k, "a", 0)
    vcpu.irqs_pending = 1 << 10
    run_alone(k.kvm_riscv_vcpu_unset_interrupt(vcpu), k.threads[0])
    assert vcpu.irqs_pending == 0


def test_only_shows_some_operations() -> None:
    counter, k = Counter(), booted(V7_0, [1])
    watch = Watch(counter).only(Acquire)
    watch.show(k.threads[0], k.hgei[0].lock.lock_irqsave)
    watch.show(k.threads[0], k.hgei[0].lock.unlock_irqrestore)
    assert counter.seen == [(str(k.hgei[0].lock.lock_irqsave), 0)]


def test_each_combination_is_composed_once() -> None:
    base = find_variant(V7_0)
    names = frozenset(["hgei_interrupt"])
    assert watched(base, names) is watched(base, frozenset(names))
    assert watched(base, names) is not watched(base, frozenset())
    assert watched(base, frozenset()).shown == {}


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        (("cpu", "hgei"), True),
        (("where", "line"), True),
        (("hgei", "cpu"), False),
        (("cpu",), False),
        (("cpu", "hgei", "owner"), False),
        (("*rest",), True),
        (("cpu", "*rest"), True),
    ],
)
def test_a_method_has_the_parameters_of_its_function(parameters: Sequence[str], fits: bool) -> None:
    space: dict[str, Any] = {"entered": entered}
    body = f"@entered('kvm_riscv_aia_free_hgei')\ndef see(self, {', '.join(parameters)}): pass"
    exec(body, space)  # noqa: S102 - a method for each case
    watcher = type("Watcher", (), {"see": space["see"]})()
    k = watched(find_variant(V7_0), functions_of(type(watcher)))(machine([1]))
    if fits:
        k.watch.add(watcher)
    else:
        with pytest.raises(ModelError, match="kvm_riscv_aia_free_hgei takes"):
            k.watch.add(watcher)


def test_a_function_that_is_not_shown_cannot_be_watched() -> None:
    k = booted(V7_0, [1])
    with pytest.raises(ModelError, match="this kernel does not show"):
        k.watch.add(Counter())


@pytest.mark.parametrize("names", ["cpu, see", "ret, owner", "_next, k", "_k, _see", "_ret, __k"])
def test_a_patch_may_name_its_parameters_as_it_likes(names: str) -> None:
    """The generated override has parameter names of its own."""
    space: dict[str, Any] = {"STEP": STEP}
    source = f"def path(kernel, {names}):\n yield STEP\n return [{names}]"
    exec(source, space)  # noqa: S102 - a patch for each case
    mine: Any = type("Mine", (find_variant(V7_0),), {"kvm_riscv_aia_free_hgei": space["path"]})
    got: list[object] = []

    class Watcher:
        """Keeps everything that it is shown."""

        @entered("kvm_riscv_aia_free_hgei")
        @returned("kvm_riscv_aia_free_hgei")
        def freed(self, *arguments: object) -> None:
            got.append(arguments)

    k = watched(mine, functions_of(Watcher))(machine([1]))
    k.watch.add(Watcher())
    assert list(k.kvm_riscv_aia_free_hgei(4, 5)) == [STEP]
    assert got == [(4, 5), ([4, 5], 4, 5)]
    assert k.kvm_riscv_aia_free_hgei.__qualname__ == "kvm_riscv_aia_free_hgei"
