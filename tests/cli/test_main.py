"""The command line: quick help, exit statuses, and what people and programs read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import types

import click
import pytest

from hgeisim.cli import main as cli
from hgeisim.cli.console import print_json, print_parts
from hgeisim.cli.main import COMMANDS, Entry, main
from hgeisim.drivers.explored.compiled.library import engine
from hgeisim.errors import InputError, Problem
from hgeisim.report.grid import Grid
from tests.support.golden import check_golden

HEAVY = ("numpy", "matplotlib", "simpy", "pydantic", "networkx", "fdt", "rich", "scipy")


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    answer = python(f"""
        import sys
        from hgeisim.cli.main import main
        assert main(["--help"]) == 0
        print("imported:", [name for name in {HEAVY} if name in sys.modules])
    """)
    assert answer.stdout.endswith("imported: []\n"), answer.stdout + answer.stderr


def test_help_of_each_command_imports_nothing_heavy() -> None:
    answer = python(f"""
        import sys
        from hgeisim.cli.main import COMMANDS, main
        for name in COMMANDS:
            assert main([name, "--help"]) == 0
        print("imported:", [name for name in {HEAVY} if name in sys.modules])
    """)
    assert answer.stdout.endswith("imported: []\n"), answer.stdout + answer.stderr


def test_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    check_golden("help", capsys.readouterr().out)


def leaves(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    inner = command.commands.items()
    return [leaf for each, sub in inner for leaf in leaves(sub, f"{name} {each}")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_an_example(name: str) -> None:
    group = cli.group
    assert isinstance(group, cli.LazyGroup)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    for words, leaf in leaves(command, name):
        options = {option for each in leaf.params for option in each.opts}
        assert "--json" in options, words
        assert f"hgeisim {words}" in (leaf.help or ""), f"{words}: no example in its help"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hgeisim 0.1.0\nsearch: {engine()}\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["plto"], "No such command 'plto'. Did you mean 'plot'?"),
        (["zzz"], "No such command 'zzz'."),
        (["--nope"], "No such option '--nope'."),
        (["plot"], "Missing argument 'RUN_FOLDER'."),
    ],
)
def test_wrong_usage(args: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert "Try 'hgeisim" in err


def test_no_words_at_all_give_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def answer_with(monkeypatch: pytest.MonkeyPatch, outcome: object) -> None:
    """Let `hgeisim try` return or raise this."""

    @click.command("try")
    @click.pass_context
    def command(ctx: click.Context) -> object:
        if isinstance(outcome, BaseException):
            raise outcome
        if callable(outcome):
            return outcome(ctx)
        return outcome

    module = types.ModuleType("answer")
    module.__dict__["command"] = command
    monkeypatch.setitem(sys.modules, "answer", module)
    monkeypatch.setitem(cli.COMMANDS, "try", Entry("answer:command", "Answer."))


TWO = InputError(
    [Problem("a.toml", "seed", "x", "must be 0..9"), Problem("b.toml", "", "", "gone")]
)


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        (None, 0, ""),
        (1, 1, ""),
        (lambda ctx: ctx.exit(4), 4, ""),
        (lambda ctx: ctx.exit(0), 0, ""),
        (
            TWO,
            2,
            "hgeisim: error: a.toml: seed = x: must be 0..9\nhgeisim: error: b.toml: gone\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (
            ZeroDivisionError("by zero"),
            3,
            "hgeisim: error: internal error, a fault of hgeisim: ZeroDivisionError: by zero\n"
            "hgeisim: error: HGEISIM_TRACEBACK=1 in the environment shows where\n",
        ),
    ],
)
def test_exit_status(
    outcome: object,
    status: int,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer_with(monkeypatch, outcome)
    assert main(["try"]) == status
    assert capsys.readouterr() == ("", expected)


def test_a_traceback_comes_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(monkeypatch, ZeroDivisionError("by zero"))
    monkeypatch.setenv("HGEISIM_TRACEBACK", "1")
    assert main(["try"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert "test_main.py" in err


def test_a_reader_who_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "hgeisim", "--help"]
    with os.fdopen(write, "wb") as gone:
        said = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (said.returncode, said.stderr) == (141, b"")


def test_a_table_in_a_mail(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(0, 7, "0 %", "[a]"), (10, 3, "12.3 %", "a remark that is longer than a line of mail")]
    print_parts([Grid(["HART", "lines", "exhausted", "remark"], rows, "Occupancy")])
    out = capsys.readouterr().out
    check_golden("table", out)
    assert out.isascii()
    assert all(len(line) <= 80 and line == line.rstrip() for line in out.splitlines())


def test_a_long_cell_is_folded_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    token = "token" * 40
    print_parts([Grid(["name", "token"], [("a", token)])])
    folded = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[2:]]
    assert "".join(folded) == token


def test_json_is_one_document_in_the_order_given(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"b": "µs", "a": [1]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"b": "µs", "a": [1]}
    assert out.index('"b"') < out.index('"a"')
    with pytest.raises(ValueError, match="JSON compliant"):
        print_json(float("nan"))
