"""The prose of the project has none of the patterns of english.py, and each can be seen."""

from __future__ import annotations

import pytest

from tests.house.english import BETTER, PATTERNS, foreign
from tests.support.source import project_files, text_of

READ = (".py", ".md", ".toml")
PATTERNS_THEMSELVES = ("tests/house/english.py", "tests/house/test_english.py")


def test_nobody_writes_so() -> None:
    names = [name for name in project_files() if name.endswith(READ)]
    found = [
        each
        for name in names
        if name not in PATTERNS_THEMSELVES and not name.startswith("tests/data/")
        for each in foreign(name, text_of(name) or "")
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


BAD = {
    "tell": '"""A table which tells the columns."""',
    "is no": "# a lock is no mutex",
    "of which": "# files of which few are read",
    "so many": 'print(f"so many as {n}")',
    "not to be had": "# a line is not to be had",
    "by then": "# it is off by then",
    "at once": "# all at once",
    "Who as a subject": "x = 1  # Who waits, queues",
    "What as an opening": 'def f():\n    """What a run leaves."""',
}


@pytest.mark.parametrize("pattern", BETTER)
def test_a_pattern_is_seen(pattern: str) -> None:
    (found,) = foreign("a.py", BAD[pattern])
    assert f": {pattern}: {BETTER[pattern]}" in found


GOOD = '''"""Whoever asks: who told? is asked apart."""
tell = told = 1  # names are not prose; it is no longer here
"two that nobody can tell from each other, apart from this"
'''


def test_good_english_passes() -> None:
    assert list(foreign("a.py", GOOD.replace("who told? ", ""))) == []
    assert set(PATTERNS) < set(BETTER)
