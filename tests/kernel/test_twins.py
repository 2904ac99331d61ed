"""Every function of docs/paths.md has its twin in the model, every path its row on the page, and
what the page quotes is what the model says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest

from hgeisim.kernel.main import Module
from hgeisim.kernel.variants import BASES, PATCHES, find_variant
from tests.support.source import ROOT, python_files, tree_of

PAGE = (ROOT / "docs" / "paths.md").read_text()
TABLE, SIDE_BY_SIDE = re.split(r"^## .*$", PAGE, flags=re.MULTILINE)
SIMPLIFIED = (ROOT / "docs/model-limits.md").read_text()
ROWS = re.findall(r"^\| ([\d.]+)[^|]*\| ([^|]+)\|.*\| `([\w/.]+)` \|$", TABLE, re.MULTILINE)
OTHER_NAMES = {"imsic_has_interrupt": "kvm_riscv_vcpu_aia_has_interrupts"}
"""What later versions call a function that v6.12 has under another name."""
NOT_IN_THE_KERNEL = {"imsic_page_write", "vcpu_thread", "guest_traps", "move_to"}
"""Paths of a guest, of a monitor, and of whoever moves a task."""
PREFIXES = ("", "kvm_riscv_vcpu_aia_", "kvm_riscv_aia_", "kvm_riscv_vcpu_", "kvm_riscv_")
SECTIONS = {f"2.{n}" for n in (*range(1, 20), 21)}


def functions() -> Iterator[tuple[str, str]]:
    """The functions that the page's first table names, each with the file it is said to be in."""
    for _, names, file in ROWS:
        leading = re.match(r"(?:`\w+`(?:, )?)*", names)
        for name in re.findall(r"\w+", leading.group() if leading else ""):
            yield name, file


def twin(name: str, file: str) -> str | None:
    """The method that models a function, as a file defines it."""
    tree = tree_of(f"hgeisim/{file}")
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    names = [OTHER_NAMES.get(name, name), *(prefix + name for prefix in PREFIXES)]
    kernels = [*(find_variant(base) for base in BASES), *PATCHES.values()]
    found = (n for n in names if n in defined and any(hasattr(kernel, n) for kernel in kernels))
    return next(found, None)


def test_every_section_has_its_rows() -> None:
    assert {section for section, _, _ in ROWS} == SECTIONS
    rows = [line for line in TABLE.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == len(ROWS), "a row that is not understood"


@pytest.mark.parametrize(("name", "file"), sorted({*functions()}))
def test_each_function_has_a_twin_in_the_file_that_the_page_names(name: str, file: str) -> None:
    assert twin(name, file), f"docs/paths.md names {name}, which hgeisim/{file} does not define"


def paths() -> Iterator[tuple[str, str, str]]:
    """Every method of the bases and patches that yields, with its file and its docstring."""
    for kernel in (*BASES.values(), *PATCHES.values()):
        for name, method in inspect.getmembers(kernel, inspect.isgeneratorfunction):
            file = inspect.getfile(method).rpartition("hgeisim/")[2]
            yield name, file, inspect.getdoc(method) or ""


PATHS = sorted({*paths()})


def test_each_path_has_a_row() -> None:
    named = {twin(name, file) for name, file in functions()}
    missing = {name for name, _, _ in PATHS} - named - {"kvm_riscv_vcpu_aia_imsic_release"}
    assert sorted(missing) == []


@pytest.mark.parametrize(("name", "file", "doc"), PATHS)
def test_each_path_says_which_version_or_patch_it_models(name: str, file: str, doc: str) -> None:
    if name not in NOT_IN_THE_KERNEL and "variants" not in file:
        assert re.search(r"v\d\.\d+|2\.\d", doc), doc


# the side-by-side tables

TABLES = re.split(r"^### ", SIDE_BY_SIDE, flags=re.MULTILINE)[1:]
LINE = re.compile(r"^\| ([\d\w]*) ?\| (.+) \| `(.+)` \| `(\w+)` \|$", re.MULTILINE)


def quotations() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each quoted line with the function it is said to be in, and the files of its table."""
    for table in TABLES:
        files = tuple(re.findall(r"`(kernel/[\w/]+\.py)`", table))
        for _, _, quoted, function in LINE.findall(table):
            yield quoted, function, files


def lines_of(function: str, file: str) -> list[str]:
    """The lines of a function, without what is beside them."""
    source = (ROOT / "hgeisim" / file).read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            text = ast.get_source_segment(source, node) or ""
            return [line.strip() for line in text.splitlines()]
    return []


def test_there_are_six_tables_and_all_their_rows_are_understood() -> None:
    names = [re.findall(r"`(\w+)`", table.splitlines()[0])[0] for table in TABLES]
    assert names == [
        "kvm_riscv_aia_enable",
        "kvm_riscv_aia_disable",
        "kvm_riscv_aia_alloc_hgei",
        "kvm_riscv_vcpu_aia_imsic_update",
        "kvm_riscv_vcpu_aia_imsic_release",
        "hgei_interrupt",
    ]
    rows = [line for line in SIDE_BY_SIDE.splitlines() if re.match(r"\| (\d\w* )?\| ", line)]
    assert len(rows) == len([*quotations()]) > 70


@pytest.mark.parametrize(("quoted", "function", "files"), [*quotations()])
def test_a_quoted_line_is_a_line_of_the_function(
    quoted: str, function: str, files: tuple[str, ...]
) -> None:
    assert any(quoted in lines_of(function, file) for file in files), quoted


STEPS = {
    "kvm_riscv_aia_enable": range(1, 15),
    "kvm_riscv_aia_disable": range(1, 10),
    "kvm_riscv_aia_alloc_hgei": range(1, 4),
    "kvm_riscv_vcpu_aia_imsic_update": range(1, 14),
    "kvm_riscv_vcpu_aia_imsic_release": range(1, 7),
    "hgei_interrupt": range(1, 6),
}


@pytest.mark.parametrize("table", TABLES, ids=list(STEPS))
def test_the_steps_are_all_there_and_in_order(table: str) -> None:
    """Step 11 of enable writes registers that are always 0; see what is simplified."""
    name = re.findall(r"`(\w+)`", table.splitlines()[0])[0]
    told = [int(re.sub(r"\D", "", step)) for step, _, _, _ in LINE.findall(table) if step]
    assert told == sorted(told)
    assert [step for step in STEPS[name] if step not in told] == [11] * (name.endswith("enable"))


@pytest.mark.parametrize("table", TABLES, ids=list(STEPS))
def test_quoted_lines_of_one_function_come_in_the_order_of_its_lines(table: str) -> None:
    """Where a line occurs more than once, the page means them in turn."""
    files = re.findall(r"`(kernel/[\w/]+\.py)`", table)
    rest: dict[str, list[str]] = {}
    for _, _, quoted, function in LINE.findall(table):
        if function not in rest:
            rest[function] = next(filter(None, (lines_of(function, file) for file in files)))
        lines = rest[function]
        assert quoted in lines, f"{function}: {quoted} comes too late on the page"
        rest[function] = lines[lines.index(quoted) + 1 :]


def test_what_is_simplified_names_no_field_that_is_gone() -> None:
    known = " ".join((ROOT / name).read_text() for name in python_files("hgeisim"))
    c_names = {"seteipnum_be", "hgeisim topology"}
    for quoted in re.findall(r"`([^`]+)`", SIMPLIFIED):
        assert quoted in c_names or quoted in known, quoted


def test_the_newest_kernel_has_every_layer() -> None:
    assert all(issubclass(base, Module) for base in BASES.values())
