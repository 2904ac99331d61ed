"""README.md and docs/findings.md quote exactly what the commands print."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from hgeisim.cli.main import group
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
QUOTES = {
    "finding ": "run-big-little-v6.18.txt",
    "double-owner:hgei (V2-2)": "explore-patch-race-percpu-v2.txt",
    "  + edge hgctrl->lock < imsic->vsfile_lock": "locks-check.txt",
    "new finding recursion:hgctrl->lock W W": "locks-check.txt",
    "+ edge rq->__lock < imsic->vsfile_lock": "locks-diff.txt",
    "paired difference": "../../docs/studies.md",
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


def figures(variant: str) -> list[str]:
    """The figures that the table of the README has for a variant, the last five."""
    harts = hgeisim("run", "big-little", "--variant", variant, "--json").document()["harts"]
    big, little = harts[:4], harts[4:]
    in_use = sum(hart["busy_mean"] for hart in harts)
    fails = [str(sum(hart["fail"] for hart in part)) for part in (big, little)]
    most = [str(max(hart["busy_max"] for hart in part)) for part in (big, little)]
    return [*most, f"{in_use:.2f}", *fails]


@pytest.mark.slow
def test_the_argument_in_figures_is_what_runs_give() -> None:
    text = (ROOT / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| v")]
    told = {cells[0].strip(): [cell.strip() for cell in cells[2:]] for cells in rows if cells[6:]}
    assert set(told) == {"v6.18", "v7.1", "v7.3"}
    for variant, cells in told.items():
        assert cells == figures(variant)


def test_every_picture_of_the_argument_is_there_and_is_drawn_by_make() -> None:
    pictures = re.findall(r"\]\((docs/\S+\.png)\)", (ROOT / "README.md").read_text())
    makefile = (ROOT / "Makefile").read_text()
    assert len(pictures) == 5
    for picture in pictures:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
        assert f"-o {picture}\n" in makefile


def commands(page: str) -> list[list[str]]:
    """The words of each `hgeisim ...` line of a page, up to the text beside it."""
    lines = re.findall(r"^ {4}hgeisim (.*)$|`hgeisim ([^`]+)`", page, re.MULTILINE)
    return [shlex.split(re.split(r" {2,}", block or quoted)[0]) for block, quoted in lines]


@pytest.mark.parametrize("page", ["README.md", "docs/scenario-format.md", "docs/findings.md"])
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    found = commands((ROOT / page).read_text())
    assert len(found) > 3
    for name, *words in found:
        if name.isupper() or name == "--version":
            continue
        command = group.get_command(click.Context(group), name)
        assert command is not None, name
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words[0])
            assert command is not None, (name, *words)
        options = {option for each in command.params for option in each.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= options, (name, *words)
        if name in ("run", "explore") and words and not words[0].isupper():
            changes = [after for word, after in pairwise(words) if word == "-s"]
            assert load_scenario(words[0], settings=changes).digest


def test_findings_page_has_the_steps_of_the_counterexamples() -> None:
    page = (ROOT / "docs" / "findings.md").read_text()
    printed = (GOLDEN / "explore-patch-race-percpu-v2.txt").read_text()
    steps = dict(re.findall(r"^(\S+(?: in \S+)?) \(V2-\d\): (\d+) steps", printed, re.MULTILINE))
    assert len(steps) == 11
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
