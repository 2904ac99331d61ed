"""Variants: their names, and that each patch overrides exactly what it says."""

from __future__ import annotations

import pytest

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.imsic import Imsic
from hgeisim.kernel.kvm import Kvm
from hgeisim.kernel.state import Kernel
from hgeisim.kernel.variants import BASES, PATCHES, find_variant, variant_problem
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.kernel.variants.percpu_v2_bitmap_reset import PercpuV2BitmapReset
from hgeisim.kernel.variants.percpu_v2_lock_init import PercpuV2LockInit
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.variants.v6_12 import V6_12
from tests import kernels

KNOWN_BASES = f"known: {', '.join(BASES)}"
KNOWN_PATCHES = f"known: {', '.join(PATCHES)}"


@pytest.mark.parametrize("name", kernels.ALL_VARIANTS)
def test_known_variants(name: str) -> None:
    assert variant_problem(name) is None
    found = find_variant(name)
    assert (found.name, found.__name__) == (name, name)
    assert issubclass(found, Cpuhp)


@pytest.mark.parametrize("name", BASES)
def test_every_base_is_a_variant_of_its_own_name(name: str) -> None:
    assert find_variant(name).name == BASES[name].name == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("V6.12", f"'V6.12' is no base; {KNOWN_BASES}; did you mean 'v6.12'?"),
        ("", f"'' is no base; {KNOWN_BASES}"),
        ("v6.12+", f"'' is no patch; {KNOWN_PATCHES}"),
        ("v6.12+nonsense", f"'nonsense' is no patch; {KNOWN_PATCHES}"),
        ("v6.12+percpu-v4", f"'percpu-v4' is no patch; {KNOWN_PATCHES}; did you mean 'percpu-v5'?"),
        ("percpu-v2", f"'percpu-v2' is no base; {KNOWN_BASES}"),
        ("nothing+nonsense", f"'nothing' is no base; {KNOWN_BASES}"),
    ],
)
def test_unknown_variants(name: str, problem: str) -> None:
    assert variant_problem(name) == problem
    with pytest.raises(ValueError, match="is no "):
        find_variant(name)


def test_versions_of_one_series_cannot_be_combined() -> None:
    assert variant_problem("v6.12+percpu-v2+percpu-v5") is not None
    with pytest.raises(ValueError, match="percpu"):
        find_variant("v6.12+percpu-v5+percpu-v2")


ORDER: dict[str, list[type[Aia]]] = {
    "v6.12": [V6_12],
    "v6.12+percpu-v2": [PercpuV2, V6_12],
    "v6.12+percpu-v2-bitmap-reset": [PercpuV2BitmapReset, PercpuV2, V6_12],
    "v6.12+percpu-v2-lock-init": [PercpuV2LockInit, PercpuV2, V6_12],
    "v6.12+percpu-v5": [PercpuV5, PercpuV2, V6_12],
}


@pytest.mark.parametrize("name", ORDER)
def test_the_patch_is_asked_before_the_base(name: str) -> None:
    order = find_variant(name).__mro__
    layers = (Cpuhp, Kvm, Imsic, Aia, Kernel)
    assert order[1 : -len(layers) - 2] == tuple(ORDER[name])
    assert order[-len(layers) - 2 : -2] == layers


OVERRIDES: dict[type[Aia], set[str]] = {
    V6_12: set(),
    PercpuV2: {
        "nr_hgei",
        "aia_hgei_init",
        "kvm_riscv_aia_enable",
        "probe_nr_hgei",
        "set_free_bitmap",
    },
    PercpuV2BitmapReset: {"kvm_riscv_aia_enable"},
    PercpuV2LockInit: {"set_free_bitmap"},
    PercpuV5: {"kvm_riscv_aia_init", "aia_hgei_init", "kvm_riscv_aia_enable"},
}


@pytest.mark.parametrize("patch", OVERRIDES)
def test_a_patch_overrides_only_what_it_says(patch: type[Aia]) -> None:
    functions = {name for name, value in vars(patch).items() if callable(value)}
    assert functions == OVERRIDES[patch]
    new_names = {"probe_nr_hgei", "set_free_bitmap"}
    assert all(hasattr(Cpuhp, name) for name in functions - new_names)


def test_the_state_has_no_paths_of_its_own() -> None:
    k = Kernel(kernels.machine([1]))
    thread = k.add_thread("t", 0)
    vcpu = k.add_vcpu("a", 0)
    for call in (
        lambda: k.nr_hgei(k.hgei[0]),
        lambda: k.kvm_riscv_aia_enable(thread),
        lambda: k.kvm_riscv_aia_disable(thread),
        lambda: k.kvm_riscv_vcpu_aia_imsic_release(thread, vcpu),
        lambda: k.imsic_vsfile_local_read(0, thread),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_threads_and_vcpus_count_from_one() -> None:
    k = Kernel(kernels.machine([1, 1]))
    first, vcpu = k.add_thread("t", 1), k.add_vcpu("a", 0)
    assert (first.id, vcpu.thread.id, vcpu.id) == (1, 2, 1)
    assert (k.vcpu(1), k.vcpu_of[vcpu.thread]) == (vcpu, vcpu)
    with pytest.raises(AssertionError, match="NULL"):
        k.vcpu(0)
