"""Expected texts: what people read is kept in tests/golden, and a change of it is seen in the diff.

HGEISIM_UPDATE=1 rewrites them.
"""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "golden"


def updating() -> bool:
    """Whether expected texts are to be rewritten instead of compared."""
    return os.environ.get("HGEISIM_UPDATE") == "1"


def check_golden(name: str, text: str) -> None:
    """Compare `text` with tests/golden/`name`.txt; fail with the difference."""
    path = FOLDER / f"{name}.txt"
    if updating():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != expected:
        said = difference(expected, text, f"{path.parent.name}/{path.name}")
        pytest.fail(f"{said}\nIf it should be so: make golden, then read the diff.", pytrace=False)


def difference(expected: str, text: str, name: str) -> str:
    """Return a unified diff that shows also where only the last end of line differs."""
    before, after = expected.splitlines(keepends=True), text.splitlines(keepends=True)
    lines = unified_diff(before, after, f"{name} (expected)", f"{name} (now)")
    return "".join(line if line.endswith("\n") else f"{line} <no end of line>\n" for line in lines)
