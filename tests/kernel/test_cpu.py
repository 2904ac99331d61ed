"""CPU hotplug: the callbacks in their order, and what stays consistent over any sequence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.checks.ownership import BitmapAgrees, LineExists, NoLeak, OneOwner
from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import AUTO, EBUSY, HWACCEL, Vcpu
from hgeisim.machine.schedule import PushOff
from tests.support import kernels
from tests.support.kernels import (
    ALL_VARIANTS,
    BASES,
    V2,
    V5,
    V6_12,
    V7_1,
    V7_2,
    V7_3,
    asleep,
    is_awake,
    owner_on,
    registers,
    vsfile,
)
from tests.support.steps import Context, in_order, story

SGEI_OFF = [
    "step | hart0.hvien = 0",
    "step | hart0.sgeie = 0",
    "lock irq_desc.lock | cpu0.sgei_irq_enabled = 0",
    "unlock irq_desc.lock",
    "step | hart0.hvictl = 0",
]


def without_release(told: list[str]) -> list[str]:
    """aia_disable without what imsic_release does in it, which the lock is not held for."""
    kept: list[str] = []
    inside = False
    for line in told:
        detach = re.match(r"write_lock (\w+)\.vsfile_lock", line)
        if detach:
            kept.append(f"release {detach[1]}")
        elif not inside:
            kept.append(line)
        inside = bool(detach) or (inside and line != "unlock hgei0.lock")
    return kept


@pytest.mark.parametrize("variant", BASES)
def test_disable_step_by_step(variant: str) -> None:
    """For each owner the lock is dropped, the file released, the line disarmed and its owner
    kicked if it was armed, and the lock taken again."""
    k, memory = kernels.tracked(variant, [3, 3])
    owner_on(k, "a", 0)
    asleep(owner_on(k, "b", 0))
    k.hart[0].hgeie = 0b1100
    cpuhp = k.add_thread("cpuhp/0", 0)
    told = story(memory, k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    assert without_release(told) == [
        "start",
        "preempt_disable",
        *SGEI_OFF,
        "lock hgei0.lock",
        *["step"] * 3,
        "unlock hgei0.lock",
        "release a",
        "step",
        "lock hgei0.lock",
        *["step"] * 2,
        "unlock hgei0.lock",
        "release b",
        "step",
        "step | hart0.hgeie = 8",
        "step",
        *["lock vcpu/b.pi_lock", "step", "wait until vcpu/b is off its cpu"],
        *["select_task_rq vcpu/b", "lock rq0.lock"],
        "wake vcpu/b | vcpu/b.on_rq = 1 | vcpu/b.state = 0",
        *["unlock rq0.lock", "unlock vcpu/b.pi_lock"],
        "lock hgei0.lock",
        *["step"] * 3,
        "unlock hgei0.lock",
        "preempt_enable",
    ]


NO_REGISTERS = ["step | hart0.registers_of = 0"]
NO_FORMER = ["step | cpu0.kvm_former_vcpu = 0"]
ARCH_OFF = ["step | cpu0.kvm_riscv_virtualization_enabled = 0"]
AFTER_AIA = {
    **dict.fromkeys((V7_1, V7_2), NO_REGISTERS),
    V7_3: [*NO_REGISTERS, *NO_FORMER, *ARCH_OFF],
}
"""The steps after aia_disable; nothing that is modelled up to v7.0."""


@pytest.mark.parametrize("variant", [*ALL_VARIANTS, V7_1])
def test_offline_in_order(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    owner_on(k, "a", 0)
    cpuhp = k.add_thread("cpuhp/0", 0)
    told = story(memory, k.cpu_down(cpuhp, 0), cpuhp)
    assert told[:4] == [
        "start",
        "down_write cpu_hotplug_lock | hart0.active = 0",
        "push tasks off hart0",
        "cpuhp_state",
    ]
    assert in_order(told, "hart0.sgeie = 0", "a.vsfile_cpu = -1", "hgei0.owners[1] = 0") == []
    end = [
        "preempt_enable",
        *AFTER_AIA.get(variant, []),
        "step | cpu0.virtualization_enabled = 0",
        "mutex_lock sparse_irq_lock",
        "stop_machine | hart0.online = 0",
        "mutex_unlock sparse_irq_lock",
        "up_write cpu_hotplug_lock",
    ]
    assert told[-len(end) :] == end


@pytest.mark.parametrize("variant", BASES)
def test_online_in_order(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.cpu_down(cpuhp, 0), cpuhp)
    told = story(memory, k.cpu_up(cpuhp, 0), cpuhp)
    order = ["down_write cpu_hotplug_lock", "hart0.online = 1", "hart0.hvictl = 1"]
    order += ["cpu0.sgei_irq_enabled = 1", "hart0.sgeie = 1", "hart0.hvien = 1"]
    order += ["cpu0.kvm_riscv_virtualization_enabled = 1"] if variant == V7_3 else []
    order += ["cpu0.virtualization_enabled = 1", "hart0.active = 1", "up_write cpu_hotplug_lock"]
    assert in_order(told, *order) == []


def test_the_last_cpu_stays_online() -> None:
    k = kernels.booted(V6_12, [1, 1])
    for cpu, ret in ((1, 0), (0, -EBUSY)):
        cpuhp = k.add_thread(f"cpuhp/{cpu}", cpu)
        assert kernels.result(k.cpu_down(cpuhp, cpu), cpuhp) == ret
    assert [(hart.online, hart.active) for hart in k.hart] == [(1, 1), (0, 0)]
    assert k.per_cpu[0].virtualization_enabled


@pytest.mark.parametrize("turn", ["cpu_down", "cpu_up"])
def test_what_is_so_already_is_left_alone(turn: str) -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    cpuhp = k.add_thread("cpuhp/0", 0)
    if turn == "cpu_down":
        run_alone(k.cpu_down(cpuhp, 0), cpuhp)
    assert story(memory, getattr(k, turn)(cpuhp, 0), cpuhp) == [
        "start",
        "down_write cpu_hotplug_lock",
        "up_write cpu_hotplug_lock",
    ]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_offline_takes_every_line_and_moves_what_is_pending(variant: str) -> None:
    k = kernels.booted(variant, [3, 3])
    vcpus = [owner_on(k, name, 0) for name in "abc"]
    kernels.msi(k, vcpus[0], 1)
    kernels.msi(k, vcpus[2], 3)
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.cpu_down(cpuhp, 0), cpuhp)
    assert [vsfile(vcpu) for vcpu in vcpus] == [(-1, -1)] * 3
    assert [registers(k, vcpu)[2] for vcpu in vcpus] == [0b10, 0, 0b1000]
    assert [bool(vcpu.irqs_pending) for vcpu in vcpus] == [True, False, True]
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
    a, b = asleep(owner_on(k, "a", 0)), asleep(owner_on(k, "b", 0))
    k.hart[0].hgeie = 0b1100
    cpuhp = k.add_thread("cpuhp/0", 0)
    run_alone(k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    assert (is_awake(a), is_awake(b)) == (False, True)
    assert k.hart[0].hgeie == 0b1000


@pytest.mark.parametrize("turn", ["cpu_down", "cpu_up"])
def test_the_callbacks_run_on_their_own_cpu(turn: str) -> None:
    k = kernels.booted(V6_12, [1, 1])
    cpuhp = k.add_thread("cpuhp/0", 1)
    with pytest.raises(AssertionError, match="F4"):
        next(getattr(k, turn)(cpuhp, 0))


def preempt_off(k: Module) -> None:
    k.hart[0].preempt_count = 1


def irq_off(k: Module) -> None:
    k.hart[0].irq_off = 1


def in_hardirq(k: Module) -> None:
    k.hart[0].hardirq = 1


def pinned(k: Module) -> None:
    k.hart[0].current = 1


BUSY = [preempt_off, irq_off, in_hardirq, pinned]


@pytest.mark.parametrize("busy", BUSY)
def test_tasks_are_pushed_off_only_where_preemption_allows(busy: Callable[[Module], None]) -> None:
    k = kernels.booted(V6_12, [1, 1])
    busy(k)
    assert not PushOff(0).ready(k.threads[0])
    assert PushOff(1).ready(k.threads[0])


@pytest.mark.parametrize("busy", BUSY)
def test_stop_machine_waits_for_every_section_that_must_not_be_preempted(
    busy: Callable[[Module], None],
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
    move = Context(k.move_to(k.threads[0], 1), k.threads[0]).before("schedule")
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
    Context(k.kvm_riscv_vcpu_aia_imsic_cleanup(destroyer, a), destroyer).before("lock hgei0.lock")
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
        self.vcpus = [kernels.add_vcpu(self.k, f"v{i}", 0, mode) for i, mode in enumerate(modes)]
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
            self.destroy(vcpu)
        elif verb == "msi":
            self.pending.add(vcpu.name)
            kernels.msi(self.k, vcpu)
        else:
            self.give_back(vcpu, verb)

    def destroy(self, vcpu: Vcpu) -> None:
        """End a vCPU."""
        path = self.k.kvm_riscv_vcpu_aia_imsic_cleanup(self.k.threads[0], vcpu)
        run_alone(path, self.k.threads[0])

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
        kept = old if vcpu.vm.aia_mode == HWACCEL else (-1, -1)
        expected = old if old[0] == cpu else (cpu, lowest) if lowest else kept
        assert vsfile(vcpu) == expected
        assert entered == (expected[0] == cpu or vcpu.vm.aia_mode == AUTO)

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
        return bool(self.k.hart[cpu].eip[hgei] if cpu >= 0 else vcpu.swfile.eip)


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
    vcpus = [kernels.add_vcpu(k, name, 1) for name in "ab"]
    assert [kernels.enter(k, vcpu) for vcpu in vcpus] == [1, 1]
    assert [vsfile(vcpu) for vcpu in vcpus] == [(1, 1), (1, 2)]
    assert [finding.id for finding in LineExists().state(k)] == ["no-such-line:hgei"]
