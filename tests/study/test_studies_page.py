"""docs/studies.md shows what its commands print; HGEISIM_UPDATE=1 writes it anew."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from shutil import copy

import click
import pytest

import hgeisim as library
from hgeisim.cli.main import group
from tests.support.commands import hgeisim
from tests.support.golden import difference, updating
from tests.support.source import ROOT

PAGE = ROOT / "docs" / "studies.md"
LONG = (1, 2, 3, 5)
"""Blocks that take some seconds; the goldens of each command are quick."""
BLOCK = re.compile(r"```console\n\$ hgeisim (.*)\n((?:.*\n)*?)```\n")


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=pytest.mark.proof if n in LONG else ()) for n in range(6)]
)
def test_the_page_has_what_its_commands_print(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, printed = blocks()[number]
    (tmp_path / "docs").mkdir()
    copy(ROOT / "docs" / "policies.py", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    said = hgeisim(*shlex.split(words), "--executor", "serial")
    assert (said.status, said.err) == (0, "")
    if updating():
        page = PAGE.read_text(encoding="utf-8")
        head = f"```console\n$ hgeisim {words}\n"
        PAGE.write_text(page.replace(f"{head}{printed}```", f"{head}{said.out}```"), "utf-8")
        return
    assert said.out == printed, difference(printed, said.out, "studies.md")


def test_each_command_of_the_page_exists_with_its_options() -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^(?:\$| {3}) hgeisim (.*)$|`hgeisim ([^`]+)`", text, re.MULTILINE)
    assert len(lines) > 5
    for block, quoted in lines:
        name, *words = shlex.split(block or quoted)
        command = group.get_command(click.Context(group), name)
        assert command is not None, name
        options = {option for each in command.params for option in each.opts}
        given = {word for word in words if re.match(r"--?[a-z]", word)}
        assert given <= options, name


def test_the_names_of_the_library_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = set(re.findall(r"hgeisim\.(\w+)\(", text))
    assert names == {"compare", "sweep", "capacity"}
    assert names <= set(library.__all__)
