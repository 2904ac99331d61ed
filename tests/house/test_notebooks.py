"""Notebooks run from the first cell to the last, and find what they say.

notebooks/race.ipynb and docs/race.md have the patch, its race, its mail, and its second version.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import hgeisim
from tests.support.source import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

RUN_ELSEWHERE = {"lock-order", "race"}
"""See test_lock_order_notebook.py and test_race_notebook.py."""
RUN_HERE = [path for path in NOTEBOOKS if path.stem not in RUN_ELSEWHERE]


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def run_cells(path: Path) -> dict[str, Any]:
    """Execute the code of a notebook; returns the names that it leaves."""
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells(path)):
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec")
            exec(code, names)  # noqa: S102 - that is what a notebook is for
    return names


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN_HERE, ids=lambda path: path.stem)
def test_it_runs(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run_cells(path)
    assert capsys.readouterr().out
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_results(path: Path) -> None:
    """Results would change with every run and hide what changed in the cells."""
    assert cells(path)[0]["cell_type"] == "markdown"
    for cell in cells(path):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert all(len(line) <= 101 for line in cell["source"])


LOCK_ORDER = ROOT / "notebooks" / "lock-order.ipynb"


@pytest.mark.slow
def test_the_cells_of_lock_order_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(LOCK_ORDER.parent)
    names = run_cells(LOCK_ORDER)
    printed = capsys.readouterr().out
    assert "+ edge hgctrl->lock < imsic->vsfile_lock" in printed
    assert "LO-c583559c recursion" in printed
    assert names["picture"]._repr_png_().startswith(b"\x89PNG")
    assert cells(LOCK_ORDER)[-1]["source"][-1] == "picture"


RACE = ROOT / "notebooks" / "race.ipynb"
PAGE = (ROOT / "docs" / "race.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_cells_of_race_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(RACE.parent)
    names = run_cells(RACE)
    printed = capsys.readouterr().out
    assert "bitmap-owner:taken-line, " in printed
    assert "unlocked:free_bitmap in kvm_riscv_aia_alloc_hgei, 0 switches" in printed
    assert "while vcpu/v1 reads it in kvm_riscv_aia_alloc_hgei with no lock" in printed
    assert printed.endswith("exhausted [] []\n")
    assert len(names["lines"]) <= 40
    assert [line for line in names["lines"] if line.startswith("Decides")]


@pytest.mark.slow
def test_the_page_says_what_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    variant = "v7.1+docs/race_patch.py:FastPath"
    told = hgeisim("explore", "two-lines", "--variant", variant)
    assert told.status == 1
    states = re.findall(r"(?<=interleavings, )[\d,]+(?= states)", PAGE)
    assert [each in told.out for each in states] == [True]
    kinds = r"(?:bitmap-owner:taken-line: |unlocked|data-race)"
    blocks = re.findall(rf"(?m)^    {kinds}.*\n(?:    .+\n)*", PAGE)
    assert len(blocks) == 3
    for block in blocks:
        assert block.replace("\n    ", "\n").removeprefix("    ") in told.out
