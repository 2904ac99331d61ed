"""CPU hotplug: the callbacks in their order, and what stays consistent over any sequence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.checks.ownership import BitmapAgrees, LineExists, NoLeak, OneOwner
from hgeisim.drivers.alone import run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.script import migrate
from hgeisim.kernel.state import AUTO, HWACCEL, Vcpu
from hgeisim.machine.ops import PushOff
from tests import kernels
from tests.kernels import ALL_VARIANTS, V2, V5, V6_12, Context, owner_on, vsfile

RELEASE = [
    "unlock hgei0.lock",
    "step | {v}.vsfile_cpu = -1 | {v}.vsfile_hgei = -1",
    "step | {v}.requests = 1",
    "step | cpuhp/0.read_hgei = {h}",
    "IPI hart0 imsic_vsfile_local_read"
    " | hart0.vgein = 0 | cpuhp/0.read_mrif = 0 | hart0.hgeip = 0 | cpuhp/0.read_hgei = 0",
    "lock hgei0.lock",
    "step",
    "step | hgei0.free_bitmap = {bitmap}",
    "step | hgei0.owners[{h}] = 0",
    "unlock hgei0.lock",
]


def release(v: str, h: int, bitmap: int) -> list[str]:
    """What aia_disable does for one owner, without the kick."""
    return [line.format(v=v, h=h, bitmap=bitmap) for line in RELEASE]


def test_offline_step_by_step() -> None:
    k, memory = kernels.tracked(V6_12, [2, 2])
    owner_on(k, "a", 0)
    b = owner_on(k, "b", 0)
    b.wait.waiter = 1
    k.hart[0].hgeie = 0b100
    cpuhp = k.add_thread("cpuhp/0", 0)
    assert kernels.story(memory, k.cpu_down(cpuhp, 0), cpuhp) == [
        "start",
        "mutex_lock cpu_hotplug_lock",
        "cpuhp_state | hart0.active = 0",
        "push tasks off hart0",
        "preempt_disable | hart0.sgeie = 0",
        "lock hgei0.lock",
        "step",
        "step",
        "step",
        *release("a", 1, 0b010),
        "step",
        "lock hgei0.lock",
        "step",
        "step",
        *release("b", 2, 0b110),
        "step",
        "step | hart0.hgeie = 0",
        "wake b.wait | b.wait.woken = 1",
        "lock hgei0.lock",
        "step",
        "unlock hgei0.lock",
        "preempt_enable",
        "step | cpu0.virtualization_enabled = 0",
        "stop_machine | hart0.online = 0",
        "mutex_unlock cpu_hotplug_lock",
    ]


def test_online_step_by_step() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.cpu_down(cpuhp, 0), cpuhp)
    assert kernels.story(memory, k.cpu_up(cpuhp, 0), cpuhp) == [
        "start",
        "mutex_lock cpu_hotplug_lock",
        "cpuhp_state | hart0.online = 1",
        "step | hart0.sgeie = 1",
        "sgei hart0",
        "step | cpu0.virtualization_enabled = 1",
        "cpuhp_state | hart0.active = 1",
        "mutex_unlock cpu_hotplug_lock",
    ]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_offline_takes_every_line_and_moves_what_is_pending(variant: str) -> None:
    k = kernels.booted(variant, [3, 1])
    vcpus = [owner_on(k, name, 0) for name in "abc"]
    k.hart[0].hgeip = 0b1010
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.cpu_down(cpuhp, 0), cpuhp)
    assert [vsfile(vcpu) for vcpu in vcpus] == [(-1, -1)] * 3
    assert [vcpu.sw_pending for vcpu in vcpus] == [1, 0, 1]
    assert (k.hgei[0].free_bitmap, k.hart[0].hgeip) == (0b1110, 0)


def test_disable_looks_at_owners_again_after_each_release() -> None:
    k = kernels.booted(V6_12, [2, 2])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    cpuhp = k.add_thread("cpuhp/0", 0)
    disable = Context(k.kvm_riscv_aia_disable(cpuhp), cpuhp).after("unlock hgei0.lock")
    assert kernels.enter(k, b, 1) == 1
    assert vsfile(b) == (1, 1)
    disable.finish()
    assert (vsfile(a), vsfile(b)) == ((-1, -1), (1, 1))


def test_disable_kicks_only_those_that_armed_sgei() -> None:
    k = kernels.booted(V6_12, [3, 3])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    a.wait.waiter = b.wait.waiter = 1
    k.hart[0].hgeie = 0b1100
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    assert (a.wait.woken, b.wait.woken) == (0, 1)
    assert k.hart[0].hgeie == 0b1000


@pytest.mark.parametrize("turn", ["cpu_down", "cpu_up"])
def test_the_callbacks_run_on_their_own_cpu(turn: str) -> None:
    k = kernels.booted(V6_12, [1, 1])
    cpuhp = k.add_thread("cpuhp/0", 1)
    with pytest.raises(AssertionError, match="F4"):
        next(getattr(k, turn)(cpuhp, 0))


def preempt_off(k: Cpuhp) -> None:
    k.hart[0].preempt_count = 1


def irq_off(k: Cpuhp) -> None:
    k.hart[0].irq_off = 1


def in_hardirq(k: Cpuhp) -> None:
    k.hart[0].hardirq = 1


def pinned(k: Cpuhp) -> None:
    k.hart[0].current = 1


BUSY = [preempt_off, irq_off, in_hardirq, pinned]


@pytest.mark.parametrize("busy", BUSY)
def test_tasks_are_pushed_off_only_where_preemption_allows(busy: Callable[[Cpuhp], None]) -> None:
    k = kernels.booted(V6_12, [1, 1])
    busy(k)
    assert not PushOff(0).ready(k.threads[0])
    assert PushOff(1).ready(k.threads[0])


@pytest.mark.parametrize("busy", BUSY)
def test_stop_machine_waits_for_every_section_that_must_not_be_preempted(
    busy: Callable[[Cpuhp], None],
) -> None:
    k = kernels.booted(V6_12, [1, 1])
    cpuhp = k.add_thread("cpuhp/1", 1)
    down = Context(k.cpu_down(cpuhp, 1), cpuhp).before("stop_machine")
    busy(k)
    assert not down.step()
    k.hart[0].online = 0
    assert down.step()


def test_a_task_moves_to_active_harts_only() -> None:
    k = kernels.booted(V6_12, [1, 1])
    k.hart[1].active = 0
    move = Context(migrate(1), k.threads[0])
    assert not move.step()
    k.hart[1].active = 1
    move.finish()
    assert k.threads[0].cpu == 1


def test_stop_machine_waits_for_a_running_update() -> None:
    """F2: what runs with preemption off has ended before a HART is down."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    a.thread.cpu = 0
    move = Context(kernels.entering(k, a), a.thread).before("lock hgei0.lock")
    cpuhp = k.add_thread("cpuhp/1", 1)
    down = Context(k.cpu_down(cpuhp, 1), cpuhp).before("stop_machine")
    assert not down.step()
    move.finish()
    assert down.step()


def test_stop_machine_does_not_wait_for_a_destroyer() -> None:
    """F3: it is preemptible between the detach and free_hgei."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    destroyer = k.add_thread("destroy", 1)
    Context(k.kvm_riscv_vcpu_aia_imsic_cleanup(a), destroyer).before("lock hgei0.lock")
    cpuhp = k.add_thread("cpuhp/0", 0)
    Context(k.cpu_down(cpuhp, 0), cpuhp).finish()
    assert k.hart[0].online == 0


# a law: whatever happens one after the other, bitmap, owners and VS-files agree

VCPUS, HARTS = 5, 3
Action = tuple[str, int, int]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, VCPUS - 1), st.integers(0, HARTS - 1)),
        st.tuples(st.just("msi"), st.integers(0, VCPUS - 1), st.just(0)),
        st.tuples(st.just("release"), st.integers(0, VCPUS - 1), st.just(0)),
        st.tuples(st.just("free twice"), st.integers(0, VCPUS - 1), st.just(0)),
        st.tuples(st.just("destroy"), st.integers(0, VCPUS - 1), st.just(0)),
        st.tuples(st.just("hotplug"), st.just(0), st.integers(0, HARTS - 1)),
    ),
    max_size=16,
)


class World:
    """A booted kernel beside what a test expects of it."""

    def __init__(self, variant: str, harts: list[int]) -> None:
        self.k = kernels.booted(variant, harts)
        self.cpuhp = [self.k.add_thread(f"cpuhp/{cpu}", cpu) for cpu in range(HARTS)]
        modes = [HWACCEL if i % 2 else AUTO for i in range(VCPUS)]
        self.vcpus = [self.k.add_vcpu(f"v{i}", 0, mode) for i, mode in enumerate(modes)]
        self.pending: set[str] = set()

    def do(self, action: Action) -> None:
        """Carry an action out, as far as it is possible now."""
        verb, i, cpu = action
        vcpu = self.vcpus[i]
        if verb == "hotplug":
            self.hotplug(cpu)
        elif vcpu.freed or (verb == "enter" and not self.k.hart[cpu].active):
            return
        elif verb == "enter":
            self.enter(vcpu, cpu)
        elif verb == "destroy":
            self.pending.discard(vcpu.name)
            run_alone(self.k.kvm_riscv_vcpu_aia_imsic_cleanup(vcpu), self.k.threads[0])
        elif verb == "msi":
            self.pending.add(vcpu.name)
            run_alone(self.k.kvm_riscv_vcpu_aia_imsic_inject(vcpu), self.k.threads[0])
        else:
            self.give_back(vcpu, verb)

    def give_back(self, vcpu: Vcpu, verb: str) -> None:
        """Release a vCPU's VS-file; `free twice` frees the line once more afterwards."""
        cpu, hgei = vsfile(vcpu)
        run_alone(self.k.kvm_riscv_vcpu_aia_imsic_release(self.cpuhp[0], vcpu), self.cpuhp[0])
        if verb == "free twice" and cpu >= 0:
            run_alone(self.k.kvm_riscv_aia_free_hgei(cpu, hgei), self.cpuhp[0])

    def hotplug(self, cpu: int) -> None:
        """Turn a HART off or on, but never the last one off."""
        k, cpuhp = self.k, self.cpuhp[cpu]
        if not k.hart[cpu].online:
            run_alone(k.cpu_up(cpuhp, cpu), cpuhp)
        elif sum(hart.online for hart in k.hart) > 1:
            run_alone(k.cpu_down(cpuhp, cpu), cpuhp)

    def enter(self, vcpu: Vcpu, cpu: int) -> None:
        """Enter a guest and compare the line with the policy."""
        old, free = vsfile(vcpu), self.k.hgei[cpu].free_bitmap
        lowest = next((line for line in range(1, 64) if free >> line & 1), 0)
        entered = kernels.enter(self.k, vcpu, cpu)
        kept = old if vcpu.aia_mode == HWACCEL else (-1, -1)
        expected = old if old[0] == cpu else (cpu, lowest) if lowest else kept
        assert vsfile(vcpu) == expected
        assert entered == (expected[0] == cpu or vcpu.aia_mode == AUTO)

    def check(self) -> None:
        """Compare bitmap, owners, VS-files and pending bits with each other."""
        k = self.k
        for check in (OneOwner(), BitmapAgrees(), LineExists(), NoLeak()):
            assert list(check.state(k)) == []
        named = {vsfile(vcpu): vcpu.id for vcpu in self.vcpus if vcpu.vsfile_cpu >= 0}
        owned = {
            (hgctrl.cpu, line): owner
            for hgctrl in k.hgei
            for line, owner in enumerate(kernels.owners(k, hgctrl.cpu))
            if owner
        }
        assert named == owned
        assert {v.name for v in self.vcpus if self.has_pending(v)} == self.pending

    def has_pending(self, vcpu: Vcpu) -> bool:
        """Where the pending bit of a vCPU has to be."""
        cpu, hgei = vsfile(vcpu)
        return bool(self.k.hart[cpu].hgeip >> hgei & 1 if cpu >= 0 else vcpu.sw_pending)


@pytest.mark.parametrize(
    ("variant", "harts"), [(V6_12, [2, 2, 2]), (V5, [3, 1, 0]), (V2, [3, 1, 0])]
)
@settings(max_examples=40)
@given(actions=ACTIONS)
def test_one_after_the_other_nothing_goes_wrong(
    variant: str, harts: list[int], actions: list[Action]
) -> None:
    world = World(variant, harts)
    for action in actions:
        world.do(action)
        world.check()


def test_v6_12_hands_out_lines_that_small_harts_lack() -> None:
    k = kernels.booted(V6_12, [3, 1])
    names = [vsfile(owner_on(k, name, 1)) for name in "ab"]
    assert names == [(1, 1), (1, 2)]
    assert [finding.id for finding in LineExists().state(k)] == ["no-such-line:hgei"]
