"""Notebooks offer what the library has, carry their outputs, and say what docs/race.md says.

They are executed by `make notebooks`; here their cells run without a kernel of Jupyter's.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hgeisim as library
from tests.support.commands import hgeisim
from tests.support.source import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SUBJECTS = {"first-look", "lines-per-hart", "lock-order", "own-object", "race", "traces"}
"""A run in time, kernels compared, lock order, objects of a build, a search, and traces of a real
kernel."""
IMPORTED = {"hgeisim", "numpy", "tempfile"}

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def trees(path: Path) -> Iterator[ast.Module]:
    for cell in cells(path, "code"):
        yield ast.parse("".join(cell["source"]))


def outputs(path: Path) -> Iterator[dict[str, Any]]:
    for cell in cells(path, "code"):
        yield from cell["outputs"]


def printed(path: Path) -> str:
    """Return the text that the cells print, as the notebook carries it."""
    return "".join("".join(each["text"]) for each in outputs(path) if each.get("name") == "stdout")


def test_there_is_one_for_each_subject() -> None:
    assert {path.stem for path in NOTEBOOKS} == SUBJECTS


@by_name
def test_it_imports_nothing_internal(path: Path) -> None:
    for tree in trees(path):
        nodes = list(ast.walk(tree))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
        names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
        assert set(names) <= IMPORTED


@by_name
def test_the_names_that_it_uses_exist(path: Path) -> None:
    for tree in trees(path):
        for node in ast.walk(tree):
            dotted = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if re.fullmatch(r"hgeisim(\.\w+)+", dotted):
                found: Any = library
                for name in dotted.split(".")[1:]:
                    found = getattr(found, name)


@by_name
def test_it_carries_its_outputs(path: Path) -> None:
    assert [cell["execution_count"] for cell in cells(path, "code")] == [
        *range(1, len(cells(path, "code")) + 1)
    ]
    assert not [each for each in outputs(path) if each["output_type"] == "error"]
    shown = [each for each in outputs(path) if each["output_type"] == "execute_result"]
    assert any("text/html" in each["data"] for each in shown)
    assert any("image/png" in each["data"] for each in shown) or path.stem == "race"
    assert all(len(line) <= 101 for cell in cells(path, "code") for line in cell["source"])


@pytest.mark.slow
@by_name
def test_it_prints_what_it_carries(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    for tree in trees(path):
        exec(compile(tree, path.name, "exec"), names)  # noqa: S102 - a notebook is for that
    assert capsys.readouterr().out == printed(path)


def test_the_race_is_found_and_gone_in_version_2() -> None:
    text = printed(ROOT / "notebooks/race.ipynb")
    assert "bitmap-owner:taken-line" in text
    assert "unlocked:free_bitmap in kvm_riscv_aia_alloc_hgei" in text
    assert re.search(r"FastPathV2: exhausted, [\d,]+ states", text)


def test_the_regression_of_lock_order_is_found() -> None:
    assert "LO-c583559c recursion" in printed(ROOT / "notebooks/lock-order.ipynb")


PAGE = (ROOT / "docs" / "race.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_says_what_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    variant = "v7.0+docs/race_patch.py:FastPath"
    answer = hgeisim("explore", "two-lines", "--variant", variant)
    assert answer.status == 1
    states = re.findall(r"(?<=interleavings, )[\d,]+(?= states)", PAGE)
    assert [each in answer.out for each in states] == [True]
    kinds = r"(?:bitmap-owner:taken-line: |unlocked|data-race)"
    blocks = re.findall(rf"(?m)^    {kinds}.*\n(?:    .+\n)*", PAGE)
    assert len(blocks) == 3
    for block in blocks:
        assert block.replace("\n    ", "\n").removeprefix("    ") in answer.out
