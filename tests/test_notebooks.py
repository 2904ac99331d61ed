"""Notebooks run from the first cell to the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.source import ROOT

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
