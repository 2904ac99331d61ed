"""What README.md and docs/findings.md quote is what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
QUOTES = {
    "finding ": "run-big-little-v6.12.txt",
    "double-owner:hgei (V2-2)": "explore-patch-race-percpu-v2.txt",
    "  + edge hgctrl->lock < imsic->vsfile_lock": "locks-check.txt",
    "new finding recursion:hgctrl->lock W W": "locks-check.txt",
    "+ edge rq->__lock < imsic->vsfile_lock": "locks-diff.txt",
}


def quoted(first_words: str) -> list[str]:
    """The indented block of the README that starts with some words, without a cut-off token."""
    text = (ROOT / "README.md").read_text()
    block = re.search(rf"^    {re.escape(first_words)}.*(?:\n    .*)*", text, re.MULTILINE)
    assert block is not None, f"README.md quotes nothing that starts with {first_words!r}"
    return [line[4:] for line in block.group().splitlines() if not line.endswith("...")]


@pytest.mark.parametrize("first_words", list(QUOTES))
def test_readme_quotes_the_program(first_words: str) -> None:
    printed = (GOLDEN / QUOTES[first_words]).read_text().splitlines()
    assert [line for line in quoted(first_words) if line not in printed] == []


def test_findings_page_has_the_steps_of_the_counterexamples() -> None:
    page = (ROOT / "docs" / "findings.md").read_text()
    printed = (GOLDEN / "explore-patch-race-percpu-v2.txt").read_text()
    steps = dict(re.findall(r"^(\S+) \(V2-\d\): (\d+) steps", printed, re.MULTILINE))
    assert len(steps) == 9
    table = re.findall(r"^\| (`.*`) \| V2-\d:.*\| ([\d, ]+?)(?: steps)? \|$", page, re.MULTILINE)
    told = {
        name.strip("` ").removesuffix(":hgei"): number
        for names, numbers in table
        for name, number in zip(names.split(", "), numbers.split(", "), strict=True)
    }
    short = {i.removesuffix(":hgei"): n for i, n in steps.items()}
    assert told == short


def test_readme_names_the_test_command_of_ci() -> None:
    assert "    make test " in (ROOT / "README.md").read_text()
    assert "make test" in (ROOT / ".ci" / "run").read_text()
