"""Small things that pages and commands say, and that have to be true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hgeisim as library
from tests.support.commands import hgeisim
from tests.support.golden import check_golden
from tests.support.source import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("server-64", "64 HARTs, 16 VMs, 128 vCPUs"),
        ("big-little", "8 HARTs, 2 VMs, 40 vCPUs"),
        ("patch-race", "3 HARTs, 3 VMs, 3 vCPUs, 4 tasks"),
    ],
)
def test_scenario_check_counts_all_vms(name: str, said: str) -> None:
    assert hgeisim("scenario", "check", name).out == f"ok: {name}: {said}\n"


def test_no_page_and_no_help_has_brackets_that_a_shell_would_expand() -> None:
    pages = {page.name: page.read_text() for page in PAGES}
    pages |= {path.name: path.read_text() for path in (ROOT / "tests/golden").glob("help*.txt")}
    for name, text in pages.items():
        assert re.findall(r"-s [^\s'\"]*\[.*", text) == [], name


def test_variants_are_listed_with_a_sentence_each() -> None:
    said = hgeisim("variants")
    assert (said.status, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    check_golden("variants", said.out)
    document = hgeisim("variants", "--json").document()
    assert document["bases"][0]["name"] == "v6.12"
    assert all(each["summary"].endswith(".") for each in document["bases"] + document["patches"])


@pytest.mark.parametrize("name", ["big-little", "server-64"])
def test_a_result_is_a_line_a_text_and_a_table(name: str) -> None:
    result = library.run(library.load(name, until="500us", variant="v6.18"), record="occupancy")
    assert repr(result).startswith("<")
    assert repr(result).count("\n") == 0
    assert max(map(len, str(result).splitlines())) <= 80
    assert f"fingerprint {result.summary['fingerprint']}" in str(result).splitlines()
    assert result._repr_html_().count("<tr>") == 1 + len(result.harts)


def asked(**environment: str) -> str:
    """The command's answer to a shell."""
    command = [sys.executable, "-m", "hgeisim"]
    return subprocess.check_output(command, env={**os.environ, **environment}, text=True)


def completed(typed: str, wanted: int) -> str:
    """The completions that a shell is offered for a word of a line."""
    return asked(_HGEISIM_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(wanted))


@pytest.mark.parametrize(
    ("typed", "wanted", "there"),
    [
        ("hgeisim lo", 1, "plain,locks"),
        ("hgeisim locks ch", 2, "plain,check"),
        ("hgeisim run --vari", 2, "plain,--variant"),
        ("hgeisim run big-l", 2, "plain,big-little"),
        ("hgeisim explore patch-race --variant v6.1", 4, "plain,v6.12"),
        ("hgeisim explore patch-race --variant v6.12+percpu-v5", 4, "plain,v6.12+percpu-v5"),
        ("hgeisim explore patch-race --revisions percpu-v", 4, "plain,percpu-v3"),
    ],
)
def test_a_shell_completes(typed: str, wanted: int, there: str) -> None:
    assert there in completed(typed, wanted).splitlines()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_asks_how(shell: str) -> None:
    assert "_HGEISIM_COMPLETE" in asked(_HGEISIM_COMPLETE=f"{shell}_source")


def test_completing_executes_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "evil.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    typed = f"hgeisim run --variant v7.0+{tmp_path}/evil.py:X big"
    assert "plain,big-little" in completed(typed, 4)
    assert not mark.exists()


def test_make_knows_each_target_that_is_not_a_file() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    assert sorted(phony) == sorted(targets)
