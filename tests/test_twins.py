"""Every function of docs/paths.md has its twin in the model; every path names its version."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.variants import BASES, find_variant

PAGE = (Path(__file__).parent.parent / "docs" / "paths.md").read_text()
ROWS = re.findall(r"^\| ([\d.]*)[^|]*\| ([^|]+)\|.*\| `([\w/.]+)`", PAGE, re.MULTILINE)
NOT_IN_THE_KERNEL = {"imsic_page_write", "vcpu_thread"}
"""Paths of a passed-through device and of the monitor."""
PREFIXES = ("", "kvm_riscv_vcpu_aia_", "kvm_riscv_aia_", "kvm_riscv_")


def functions() -> Iterator[tuple[str, str]]:
    """The functions that the page's first table names, each with the file it is said to be in."""
    for _, names, file in ROWS:
        leading = re.match(r"(?:`\w+`(?:, )?)*", names)
        for name in re.findall(r"\w+", leading.group() if leading else ""):
            if name != "imsic_has_interrupt":  # kvm_riscv_vcpu_aia_has_interrupts, as in v6.12
                yield name, file


def twin(name: str) -> str | None:
    """The method of the newest base that models a function."""
    kernel = find_variant("v7.1")
    return next((p + name for p in PREFIXES if hasattr(kernel, p + name)), None)


def test_the_page_has_all_its_rows() -> None:
    assert len(ROWS) >= 20
    assert len({*functions()}) >= 17


@pytest.mark.parametrize(("name", "file"), sorted({*functions()}))
def test_each_function_has_a_twin_in_the_file_that_the_page_names(name: str, file: str) -> None:
    method = twin(name)
    assert method is not None, f"docs/paths.md names {name}, which no kernel class has"
    folder = Path(inspect.getfile(Cpuhp)).parent.parent
    assert f"def {method}(" in (folder / file).read_text()


def paths() -> Iterator[tuple[str, str]]:
    """Every method of the bases that yields, with its docstring."""
    for base in BASES.values():
        for name, method in inspect.getmembers(base, inspect.isgeneratorfunction):
            if name not in NOT_IN_THE_KERNEL:
                yield name, inspect.getdoc(method) or ""


@pytest.mark.parametrize(("name", "doc"), sorted({*paths()}))
def test_each_path_says_which_version_it_models(name: str, doc: str) -> None:
    assert re.search(r"v\d\.\d+", doc), doc
