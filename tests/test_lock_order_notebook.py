"""notebooks/lock-order.ipynb: its cells run, one after the other, and find what they say."""

from __future__ import annotations

import pytest

from tests.source import ROOT
from tests.test_notebooks import cells, run_cells

FILE = ROOT / "notebooks" / "lock-order.ipynb"


@pytest.mark.slow
def test_its_cells_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(FILE.parent)
    names = run_cells(FILE)
    printed = capsys.readouterr().out
    assert "+ edge hgctrl->lock < imsic->vsfile_lock" in printed
    assert "LO-c583559c recursion" in printed
    assert names["picture"]._repr_png_().startswith(b"\x89PNG")
    assert cells(FILE)[-1]["source"][-1] == "picture"
