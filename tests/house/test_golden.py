"""Expected texts are compared to the last end of line, and rewritten only when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import golden
from tests.support.golden import check_golden


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep expected texts in a folder of their own."""
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.delenv("HGEISIM_UPDATE", raising=False)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    return tmp_path


def test_the_same_text_passes() -> None:
    check_golden("a", "one\ntwo\n")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a", "one\n2\n", "-two\n+2\n"),
        ("a", "one\ntwo", "+two <no end of line>\n"),
        ("new", "one\n", "+one\n"),
    ],
)
def test_another_text_fails_with_the_difference(name: str, text: str, said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="make golden") as caught:
        check_golden(name, text)
    assert said in str(caught.value)


def test_it_is_rewritten_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGEISIM_UPDATE", "1")
    check_golden("a", "new\n")
    assert (folder / "a.txt").read_text() == "new\n"
