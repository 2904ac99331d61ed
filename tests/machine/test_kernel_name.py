"""Functions of the model under the names of the kernel, and ids of old files under the new ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType

import pytest

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.variants import BASES, PATCHES, find_variant, variant_problem
from hgeisim.machine.kernel_name import FORMER, innermost, marks, present_id, shown, subject
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner

NAMES = [*BASES, *(f"{base}+{patch}" for base in BASES for patch in PATCHES)]
KERNELS = [find_variant(name) for name in NAMES if variant_problem(name) is None]
V6_12, V5 = find_variant("v6.12"), find_variant("v7.0+percpu-v5")
ENABLE, DISABLE = "kvm_riscv_aia_enable", "kvm_riscv_aia_disable"
LATER = {
    *("kvm_riscv_mmu_ioremap", "kvm_riscv_mmu_iounmap", "kvm_riscv_mmu_free_pgd"),
    *("kvm_riscv_mmu_map", "kvm_vcpu_ioctl_set_one_reg"),
    *("kvm_riscv_vcpu_aia_imsic_rmw_topei", "kvm_riscv_vcpu_aia_imsic_rmw_setup"),
    "kvm_riscv_vcpu_aia_imsic_rmw_eie",
    *("kvm_riscv_hfence_gvma_vmid_gpa", "kvm_riscv_vcpu_aia_has_interrupts"),
    *("schedule", "preempt_schedule", "aia_init"),
}
"""Functions that other versions call so, or that stand for what they call; docs/paths.md."""


def paths_of(kernel: type) -> dict[str, str]:
    """The paths of a kernel, and what each says first."""
    return {
        name: (inspect.getdoc(path) or "").replace(",", " ").split()[0]
        for name, path in inspect.getmembers(kernel, inspect.isgeneratorfunction)
        if not name.startswith("_")
    }


def test_each_path_has_a_name_in_c_or_a_mark() -> None:
    for kernel in BASES.values():
        others = {name for name, first in paths_of(kernel).items() if name != first}
        assert sorted(others - marks(kernel).keys() - LATER) == []


def test_a_mark_is_about_the_kernel_or_about_somebody_else() -> None:
    for kernel in KERNELS:
        assert all(bool(each.outside) != bool(each.functions) for each in marks(kernel).values())


def called_by(kernel: type, name: str) -> Iterator[str]:
    """The names that the definitions of a function mention."""
    for cls in kernel.__mro__:
        code = getattr(vars(cls).get(name), "__code__", None)
        if isinstance(code, CodeType):
            yield from code.co_names


def test_each_piece_is_called_by_its_function_or_another_piece_of_it() -> None:
    for kernel in KERNELS:
        known = marks(kernel)
        for name, mark in known.items():
            for function in filter(paths_of(kernel).__contains__, mark.functions):
                pieces = [each for each, other in known.items() if function in other.functions]
                callers = (function, *(each for each in pieces if each != name))
                assert any(name in called_by(kernel, each) for each in callers), name


@pytest.mark.parametrize(
    ("chain", "names"),
    [
        ((), ()),
        (("cpu_down", DISABLE, "take_line_away"), ("cpu_down", DISABLE)),
        ((ENABLE, "set_hgei_up", "probe_nr_hgei"), (ENABLE,)),
        (("vcpu_enter_guest", "guest_mode"), ("kvm_arch_vcpu_ioctl_run",)),
        (("probe_nr_hgei",), (ENABLE,)),
        (("schedule", "switch_to_others"), ("schedule", "context_switch")),
        (("ack_flush",), ("ack_kick",)),
        (("cpuhp_remove_state", "on_each_cpu_in_turn", DISABLE), ("cpuhp_remove_state", DISABLE)),
        (("cpuhp_setup_state", "on_each_cpu_in_turn"), ("cpuhp_setup_state",)),
        ((ENABLE, "theirs", "probe_nr_hgei"), (ENABLE, "theirs", ENABLE)),
    ],
)  # fmt: skip
def test_a_call_chain(chain: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert shown(V5, chain) == names
    assert shown(V5, names) == names


def test_what_is_outside_of_the_kernel_says_whose_it_is() -> None:
    assert innermost(V6_12, ("move_to",)) == "(balancer)"
    assert innermost(V6_12, ("move_to", "preempt_schedule")) == "preempt_schedule"
    assert innermost(V6_12, ("imsic_page_write",)) == "(guest)"
    assert innermost(V6_12, ()) == ""


class Theirs(Aia):
    """A patch of a user's own that overrides a piece by its name."""

    def take_line_away(k, current: Runner, vcpu: object, hgei: int) -> Path[None]:
        """Without a mark."""
        yield STEP


def test_an_override_needs_no_mark_and_a_finding_about_it_has_its_name() -> None:
    assert shown(Theirs, (DISABLE, "take_line_away")) == (DISABLE,)
    assert subject(Theirs, (DISABLE, "take_line_away")) == "take_line_away"
    assert subject(V6_12, (DISABLE, "take_line_away")) == DISABLE
    assert subject(Theirs, (ENABLE, "enable_sgei")) == ENABLE
    assert subject(V6_12, ()) == ""


def test_the_former_names_are_those_of_marked_functions() -> None:
    for former, name in FORMER.items():
        marked = (marks(kernel)[former] for kernel in KERNELS if former in marks(kernel))
        assert {mark.functions[0] for mark in marked} == {name}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("held-init:hgctrl->lock set_hgei_up", f"held-init:hgctrl->lock {ENABLE}"),
        ("unlocked:free_bitmap in set_free_bitmap", f"unlocked:free_bitmap in {ENABLE}"),
        (
            "data-race:nr_hgei in kvm_riscv_aia_free_hgei and probe_nr_hgei",
            f"data-race:nr_hgei in {ENABLE} and kvm_riscv_aia_free_hgei",
        ),
        ("data-race:nr_hgei in bound_nr_hgei and probe_nr_hgei", f"data-race:nr_hgei in {ENABLE}"),
        ("ipi-wait-atomic:ack_flush", "ipi-wait-atomic:ack_kick"),
        ("wait-context:x hardirq in take_line_away", f"wait-context:x hardirq in {DISABLE}"),
        ("endless:take_line_away", "endless:take_line_away"),
        ("double-owner:hgei", "double-owner:hgei"),
        ("circular:imsic->vsfile_lock -SN-> rq->__lock -EN->",) * 2,
    ],
)  # fmt: skip
def test_an_id_of_an_old_file(old: str, new: str) -> None:
    assert present_id(old) == new
    assert present_id(new) == new
