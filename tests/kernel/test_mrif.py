"""A SW-file is accessed by the half-word up to v7.2 (bug B-27), by the word in v7.3."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.structs import EIE, Vcpu
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.kernel.variants.mrif_64 import Mrif64
from hgeisim.machine.interrupt_file import InterruptFile, sign_extended
from hgeisim.machine.ops import STEP, Path
from hgeisim.scenario.load import load_scenario
from tests.support import kernels
from tests.support.kernels import V6_12, V7_2, V7_3

LOST, ATTRIBUTE, TRAP = "set-up-lost:vcpu", "misread:attribute", "misread:trap"
ALL = {LOST, ATTRIBUTE, TRAP}
HALF, WHOLE = (V6_12, V7_2, "v6.12+stable"), (V7_3, f"{V7_2}+mrif-64")
HIGH = 1 << 40
USUAL = 0b1111110


def test_lr_w_extends_the_sign_of_the_lower_half() -> None:
    assert [hex(sign_extended(word)) for word in (0x7F, 1 << 31, 1 << 32, HIGH | 1 << 31)] == [
        *("0x7f", "0xffffffff80000000", "0x0", "0xffffffff80000000"),
    ]


@pytest.mark.parametrize("variant", [*HALF, *WHOLE])
@pytest.mark.parametrize(
    ("before", "new", "mask"),
    [
        (0, HIGH | 6, HIGH | 6),
        (HIGH | 6, 0, HIGH | 2),
        (HIGH | 1 << 31, 0, 0),
        (HIGH | 6, 4, (1 << 64) - 1),
    ],
)
def test_a_read_modify_write(variant: str, before: int, new: int, mask: int) -> None:
    k = kernels.booted(variant, [0])
    a = kernels.add_vcpu(k, "a", 0)
    a.swfile.eie = before
    old = kernels.result(k.imsic_mrif_atomic_rmw(a.swfile, "eie", new, mask), a.thread)
    whole = before & ~mask | new & mask
    low = (1 << 32) - 1
    if variant in WHOLE:
        assert (a.swfile.eie, old) == (whole, before)
    else:
        assert (a.swfile.eie, old) == (before & ~low | whole & low, sign_extended(before))


def on_swfile(variant: str) -> tuple[Any, Vcpu]:
    """A kernel, and a vCPU that has moved from its VS-file to its SW-file."""
    k = kernels.booted(variant, [1, 1])
    kernels.owner_on(k, "owner", 0)
    a = kernels.add_vcpu(k, "a", 1)
    a.identity = 40
    kernels.run(k, a, 1)
    kernels.run(k, a, 0)
    assert a.swfile.eie == USUAL | HIGH, "merged as 64 bits"
    return k, a


def attribute(k: Any, vcpu: Vcpu, written: int = 0) -> int:
    """An ioctl reads eie, or writes it."""
    monitor = k.add_thread("monitor", 0)
    monitor.data.isel, monitor.data.write, monitor.data.value = EIE, int(written > 0), written
    kernels.result(k.kvm_riscv_aia_imsic_rw_attr(monitor, vcpu), monitor)
    value: int = monitor.data.value
    return value


@pytest.mark.parametrize("variant", [*HALF, *WHOLE])
def test_an_ioctl_saves_and_restores_what_was_enabled(variant: str) -> None:
    whole = variant in WHOLE
    k, a = on_swfile(variant)
    assert attribute(k, a) == (USUAL | HIGH if whole else USUAL)
    b = kernels.add_vcpu(k, "b", 0)
    attribute(k, b, USUAL | HIGH)
    assert b.swfile.eie == (USUAL | HIGH if whole else USUAL)
    kernels.run(k, a, 1)
    assert attribute(k, a) == USUAL | HIGH, "a VS-file is accessed by CSR"
    attribute(k, a, HIGH)
    assert k.hart[1].eie[1] == HIGH


@pytest.mark.parametrize("variant", [*HALF, *WHOLE])
def test_a_disabled_identity_stays_disabled(variant: str) -> None:
    k, a = on_swfile(variant)
    kernels.msi(k, a, 40)
    assert a.swfile.deliverable()
    kernels.result(k.kvm_riscv_vcpu_aia_imsic_rmw_eie(a.thread, a, 0, HIGH), a.thread)
    assert a.swfile.deliverable() == (variant in HALF)


@pytest.mark.parametrize("variant", [*HALF, *WHOLE])
def test_a_vcpu_that_starts_on_its_sw_file_never_gets_high_identities(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    kernels.owner_on(k, "owner", 0)
    a = kernels.add_vcpu(k, "a", 0)
    a.identity = 40
    kernels.run(k, a, 0)
    kernels.run(k, a, 1)
    assert k.hart[1].eie[1] == (USUAL | HIGH if variant in WHOLE else USUAL), "nor on a VS-file"


def found(variant: str) -> set[str]:
    """The ids that a search of the scenario finds."""
    space = space_of(load_scenario("high-identity", {"variant": variant}, variant_problem))
    return set(exhaustive(space, 100_000).counterexamples)


@pytest.mark.parametrize("variant", HALF)
def test_b_27(variant: str) -> None:
    assert found(variant) >= ALL


@pytest.mark.parametrize("variant", WHOLE)
def test_its_fix(variant: str) -> None:
    assert not found(variant) & ALL


class ReadsHalf(Mrif64):
    """The whole word is written, and the lower half returned."""

    def imsic_mrif_atomic_rmw(
        k, mrif: InterruptFile, register: str, new_val: int, wr_mask: int
    ) -> Path[int]:
        """The result is sign-extended."""
        old = yield from super().imsic_mrif_atomic_rmw(mrif, register, new_val, wr_mask)
        return sign_extended(old)


class WritesHalf(Mrif64):
    """The whole word is returned, and the lower half written."""

    def imsic_mrif_atomic_rmw(
        k, mrif: InterruptFile, register: str, new_val: int, wr_mask: int
    ) -> Path[int]:
        """The mask is cut."""
        low = (1 << 32) - 1
        return (yield from super().imsic_mrif_atomic_rmw(mrif, register, new_val, wr_mask & low))


class OnlyEnables(Mrif64):
    """Bits above 31 are set, and not cleared."""

    def imsic_mrif_atomic_rmw(
        k, mrif: InterruptFile, register: str, new_val: int, wr_mask: int
    ) -> Path[int]:
        """An atomic or for the upper half."""
        yield STEP
        old = int(getattr(mrif, register))
        setattr(mrif, register, old & ~(wr_mask & 0xFFFFFFFF) | new_val & wr_mask)
        return old


@pytest.mark.parametrize(
    ("patch", "shown"),
    [
        (ReadsHalf, {ATTRIBUTE, TRAP}),
        (WritesHalf, {LOST}),
        (OnlyEnables, {LOST}),
    ],
)
def test_a_fix_that_leaves_a_symptom_is_noticed(
    monkeypatch: pytest.MonkeyPatch, patch: type[Mrif64], shown: set[str]
) -> None:
    name = f"own.py:{patch.__name__}"
    monkeypatch.setitem(OWN, name, patch)
    assert found(f"{V7_3}+{name}") & ALL == shown


RUN = """
[machine]
harts = [{{ count = 2, guest_files = {files} }}]
[run]
until = "3ms"
quiet = "1ms"
[[vm]]
name = "vm"
vcpus = 3
identity = 40
run = {{ distribution = "constant", value = "50us" }}
msi = {{ distribution = "constant", value = "300us" }}
"""


@pytest.mark.parametrize(
    ("variant", "files", "shown"), [(V7_2, 1, True), (V7_3, 1, False), (V7_2, 3, False)]
)
def test_a_run_of_guests_with_a_high_identity(
    tmp_path: FilePath, variant: str, files: int, shown: bool
) -> None:
    file = tmp_path / "high.toml"
    file.write_text(RUN.format(files=files))
    scenario = load_scenario(str(file), {"variant": variant}, variant_problem)
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    assert (LOST in simulation.findings) == shown
    assert "unserved:vcpu" not in simulation.findings
