"""`--variant ...+object:BUILD`: objects that are refused before anything runs, and the words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hgeisim.cli.options import left_to_model
from hgeisim.errors import InputError
from hgeisim.kernel.object.aia import AiaFunctions
from hgeisim.kernel.variants import opened, variant_problem
from hgeisim.library.arguments import check_races
from hgeisim.library.objects import kernel_of_objects, preemptions_of
from hgeisim.object.calls import call_sites, reachable
from tests.object.toy import DATA, image
from tests.support.commands import hgeisim


@pytest.fixture
def build(tmp_path: Path) -> Callable[[bytes], str]:
    """A folder with both objects, of these bytes."""

    def made(data: bytes) -> str:
        for name in ("aia.o", "aia_imsic.o"):
            (tmp_path / name).write_bytes(data)
        return str(tmp_path)

    return made


def test_objects_of_something_else_lack_functions(build: Callable[[bytes], str]) -> None:
    with pytest.raises(InputError) as refused:
        kernel_of_objects(build((DATA / "pool.o").read_bytes()))
    words = str(refused.value)
    for name in ("kvm_riscv_aia_init", "hgei_interrupt", "kvm_riscv_vcpu_aia_imsic_update"):
        assert f"{name}: there is no such function" in words


def test_a_file_that_is_no_object(build: Callable[[bytes], str]) -> None:
    with pytest.raises(InputError, match="is not an ELF file"):
        kernel_of_objects(build(b"obj"))


def test_a_folder_without_objects(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no aia\.o.*is CONFIG_KVM set"):
        kernel_of_objects(str(tmp_path))
    with pytest.raises(InputError, match="there is no such folder"):
        kernel_of_objects(str(tmp_path / "none"))


@pytest.mark.slow
def test_the_command_line_says_it_in_a_sentence(tmp_path: Path) -> None:
    done = hgeisim("explore", "blocked-move", "--variant", f"v6.12+stable+object:{tmp_path}")
    assert done.status == 2
    assert done.err.startswith(f"hgeisim: error: object:{tmp_path}: has no aia.o")
    assert "Traceback" not in done.err


def test_only_the_command_line_names_objects() -> None:
    variant = "v6.12+stable+object:somewhere"
    assert opened(variant) == ["object:somewhere"]
    assert "only --variant executes one" in str(variant_problem(variant))
    assert "objects come after a base" in str(variant_problem("object:somewhere"))


def test_functions_are_left_to_the_model() -> None:
    assert left_to_model("v6.12+object:b", ["f", "g"]) == "v6.12+object:b:f:g"
    assert left_to_model("v6.12", []) == "v6.12"
    with pytest.raises(InputError, match="needs objects at the end of --variant"):
        left_to_model("v6.12", ["f"])


def test_races_are_not_looked_for_in_objects() -> None:
    with pytest.raises(InputError, match="do not say what C has marked"):
        check_races("explore", "v6.12+stable+object:b", races=True)
    check_races("explore", "v6.12+stable+object:b", races=False)
    check_races("explore", "v6.12+stable", races=True)


def test_calls_are_known_from_relocations() -> None:
    sites = {(site.caller.name, site.callee) for site in call_sites(image()) if site.is_call}
    assert ("pool_alloc", "_raw_spin_lock_irqsave") in sites
    assert ("pool_read", "on_each_cpu_cond_mask") in sites
    taken = {(site.caller.name, site.callee) for site in call_sites(image()) if not site.is_call}
    assert ("pool_alloc", "__per_cpu_offset") in taken
    names = {site.caller.name for site in reachable(image(), ["pool_add"])}
    assert names == {"pool_add"}


def test_code_that_never_asks_for_the_scheduler_is_not_preemptible() -> None:
    assert preemptions_of(image()) == ("none", "voluntary")


def test_each_function_of_the_objects_is_one_of_the_kernel() -> None:
    base = AiaFunctions.__mro__[2]
    for name in vars(AiaFunctions):
        assert name.startswith("__") or hasattr(base, name), name
