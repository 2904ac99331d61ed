"""Where the newest registers of a guest are, against a model that keeps their values."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hgeisim.kernel.structs import make_hart
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.guest_registers import guest_registers
from hgeisim.machine.hart import Hart
from tests.support import kernels

HARTS, VCPUS = 2, 2


@dataclass
class Values:
    """Values in the place of places: each change makes a new one, and 0 is nobody's."""

    newest: dict[int, int] = field(default_factory=lambda: {1: 1, 2: 2})
    memory: dict[int, int] = field(default_factory=lambda: {1: 1, 2: 2})
    hart: list[int] = field(default_factory=lambda: [0] * HARTS)
    last: int = VCPUS

    def change(self, vcpu: int) -> int:
        """A value that has never been anywhere."""
        self.last += 1
        self.newest[vcpu] = self.last
        return self.last


def harts() -> list[Hart]:
    return [make_hart(None, cpu, 1, 3) for cpu in range(HARTS)]


ACTS = st.tuples(
    st.sampled_from(["write", "save", "use", "renew", "reset"]),
    st.integers(1, VCPUS),
    st.integers(0, HARTS - 1),
)


@example([("write", 1, 0), ("write", 1, 1), ("use", 1, 0)])
@given(st.lists(ACTS, max_size=25))
def test_the_newest_are_where_their_values_are(acts: list[tuple[str, int, int]]) -> None:
    """A guest that was entered with wrong ones has none of its own from then on."""
    machine, values = harts(), Values()
    of = {vcpu: guest_registers(None, f"v{vcpu}", vcpu) for vcpu in (1, 2)}
    for act, vcpu, cpu in acts:
        hart = machine[cpu]
        if act == "write":
            of[vcpu].write(hart)
            values.hart[cpu] = values.memory[vcpu]
        elif act == "save":
            of[vcpu].save(hart)
            values.memory[vcpu] = values.hart[cpu]
        elif act == "renew":
            of[vcpu].renew()
            values.memory[vcpu] = values.change(vcpu)
        elif act == "reset":
            hart.registers_of = values.hart[cpu] = 0
        elif of[vcpu].are_on(hart):
            of[vcpu].use(hart)
            values.hart[cpu] = values.change(vcpu)
        for each, registers in of.items():
            assert registers.in_memory == (values.memory[each] == values.newest[each])
            for each_hart, value in zip(machine, values.hart, strict=True):
                assert registers.are_on(each_hart) == (value == values.newest[each])


def test_a_guest_that_runs_on_old_registers_leaves_nothing_that_is_its_own() -> None:
    first, second = harts()
    registers = guest_registers(None, "v1", 1)
    registers.write(first)
    registers.write(second)
    registers.use(second)
    registers.use(first)
    assert (first.registers_of, registers.in_memory) == (0, 0)
    registers.save(first)
    assert registers.in_memory == 0


def test_what_was_preempted_is_saved_once() -> None:
    (hart, _), registers = harts(), guest_registers(None, "v1", 1)
    registers.write(hart)
    registers.use(hart)
    registers.preempt(hart)
    hart.registers_of = 2
    registers.preempt(hart)
    assert (registers.in_memory, registers.preempted) == (1, 1)


@pytest.mark.parametrize(("variant", "modelled"), [("v7.0", False), ("v7.2", True)])
def test_a_guest_uses_them_where_a_load_may_skip_them(variant: str, modelled: bool) -> None:
    k = kernels.booted(variant, [1])
    a = kernels.owner_on(k, "a", 0)
    assert (k.keeps_registers, a.enter_guest.registers is not None) == (modelled, modelled)
    assert k.hart[0].registers_of == (a.id if modelled else 0)
    EnterGuest(a.id).end(a.thread)
    assert k.hart[0].guest == a.id
