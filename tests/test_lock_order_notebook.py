"""notebooks/lock-order.ipynb: its cells run, one after the other, and find what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.source import ROOT

FILE = ROOT / "notebooks" / "lock-order.ipynb"


@pytest.mark.slow
def test_its_cells_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(FILE.parent)
    names: dict[str, Any] = {}
    for cell in json.loads(FILE.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102 - this is what a notebook is
    printed = capsys.readouterr().out
    assert "+ edge hgctrl->lock < imsic->vsfile_lock" in printed
    assert "LO-c583559c recursion" in printed
    assert len(names["figure"].axes) == 1
