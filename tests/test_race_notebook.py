"""notebooks/race.ipynb and docs/race.md: the patch, its race, its mail, and its second version."""

from __future__ import annotations

import re

import pytest

from tests.commands import hgeisim
from tests.source import ROOT
from tests.test_notebooks import run_cells

FILE = ROOT / "notebooks" / "race.ipynb"
PAGE = (ROOT / "docs" / "race.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_cells_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(FILE.parent)
    names = run_cells(FILE)
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
