"""docs/map.md has a line for each room, and only paths that exist."""

from __future__ import annotations

import re

from tests.support.source import ROOT, python_files

ROWS = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/map.md").read_text(), re.MULTILINE)


def test_each_path_exists() -> None:
    assert [path for path in ROWS if not (ROOT / path).exists()] == []


def test_each_room_has_its_line() -> None:
    rooms = {name.removesuffix("/__init__.py") for name in python_files("hgeisim")
             if name.endswith("/__init__.py")} - {"hgeisim"}  # fmt: skip
    assert rooms
    assert rooms - set(ROWS) == set()


def test_no_line_is_there_twice() -> None:
    assert len(ROWS) == len(set(ROWS))
