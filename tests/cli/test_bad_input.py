"""The answers of `run`, `explore` and `replay` to bad input: all of it, with nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.explored.counterexample.token import Token, encode
from hgeisim.drivers.explored.explored_scenario import explored_digest
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

KERNEL = ("v6.12+percpu-v2", "full")
DIGEST = explored_digest(load_scenario("patch-race"))
GOOD = encode(Token("patch-race", *KERNEL, DIGEST, (0, 0, 0)))
"""A token that replays."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with things that are none of ours."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("precious")
    Path("foreign").mkdir()
    Path("foreign", "thesis.tex").write_text("precious")
    Path("bad.toml").write_text("[machine]\nharts = [{ guest_file = 3 }]\n[run]\nseed = -1\n")
    Path("broken.toml").write_text("title = \n")
    shown = hgeisim("scenario", "show", "big-little").out.partition("[[hotplug]]")[0]
    task = '[[task]]\nname = "t"\nhart = 0\ndoes = ["shutdown"]\n'
    Path("both.toml").write_text(f"{shown}{task}")
    return tmp_path


def snapshot(place: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in sorted(place.rglob("*"))
    }


RUN = ("run", "big-little", "--until", "1ms")
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no such scenario": (
        ("run", "big-litle"),
        (
            "error: big-litle: is not a built-in",
            "`hgeisim scenario list` shows their names",
            'did you mean "big-little"',
        ),
    ),
    "no such file": (("run", "none.toml"), ("error: none.toml: cannot be read: No such file",)),
    "a folder": (("run", "./foreign"), ("error: foreign: cannot be read: Is a directory",)),
    "no TOML": (("run", "broken.toml"), ("error: broken.toml: line 1", "must be TOML")),
    "all mistakes together": (
        ("run", "bad.toml", "--variant", "v6.13", "--until", "5"),
        (
            "error: bad.toml: machine.harts[0].guest_file",
            "error: bad.toml: machine.harts[0].guest_files",
            "error: bad.toml: run.seed = -1: must be a whole number",
            'error: command line: --until = "5": must have a unit',
            "error: bad.toml: must have at least one [[vm]] or [[task]]",
            'error: command line: --variant = "v6.13"',
        ),
    ),
    "no such base": (
        (*RUN, "--variant", "6.12"),
        ('--variant = "6.12"', "is not a base; known: v6.12", "did you mean 'v6.12'?"),
    ),
    "no such patch": (
        (*RUN, "--variant", "v6.12+percpu-v6"),
        ("'percpu-v6' is not a patch", "known: percpu-v2", "did you mean 'percpu-v"),
    ),
    "two patches": (
        (*RUN, "--variant", f"{KERNEL[0]}+percpu-v5"),
        ("replace each other: name one of them",),
    ),
    "no such preemption": (
        (*RUN, "--preemption", "lazy"),
        ('--preemption = "lazy": must be "none", "voluntary", "full" or "rt"',),
    ),
    "no time": (("run", "big-little", "--until", "0ms"), ('--until = "0ms": must be above 0ns',)),
    "a time without an end": (("run", "big-little", "--until", "1e9s"), ('--until = "1e9s"',)),
    "a huge seed": ((*RUN, "--seed", "9" * 20), (f"--seed = {'9' * 20}",)),
    "a seed below 0": ((*RUN, "--seed", "-1"), ("--seed = -1: must be a whole number, 0..",)),
    "no seed": ((*RUN, "--seed", "x"), ('--seed = "x": must be a whole number',)),
    "settings and the place together": (
        (*RUN, "-s", "vcpus=3", "-s", "vm.web.vcpus=0", "--out", "foreign"),
        (
            "command line: -s vcpus = 3: is not a key of a scenario; did you mean vm.web.vcpus?",
            "command line: -s vm.web.vcpus = 0: must be 1..1024",
            "error: foreign: is not a run folder",
        ),
    ),
    "out is a file": ((*RUN, "--out", "file"), ("error: file: is not a run folder",)),
    "out is somebody's": (
        (*RUN, "--out", "foreign"),
        ("error: foreign: is not a run folder", "choose another place"),
    ),
    "out is below a file": ((*RUN, "--out", "file/run"), ("error: file/run: cannot be written",)),
    "out is nothing": ((*RUN, "--out", ""), ("is not a run folder",)),
    "nothing to explore": (
        ("explore", "big-little"),
        ("error: big-little.toml: task: an explored scenario needs [[task]]", "try patch-race"),
    ),
    "random times to explore": (
        ("explore", "both.toml"),
        (
            "error: both.toml: vm: is not explored; a search understands machine, kernel, vcpu",
            "error: both.toml: balance: is not explored",
            "leave it out, or use `hgeisim run`",
        ),
    ),
    "no such scenario to explore": (("explore", "patch-rase"), ('did you mean "patch-race"?',)),
    "explore no variant": (("explore", "patch-race", "--variant", "x"), ("'x' is not a base",)),
    "no states": (("explore", "patch-race", "--states", "0"), ("'--states'", "x>=1")),
    "no walks": (("explore", "patch-race", "--walk", "many"), ("'--walk'", "'many'")),
    "no token": (("replay",), ("Missing argument 'TOKEN...'",)),
    "not a token": (
        ("replay", "hello"),
        ("TOKEN = hello: is not a replay token", "starts with 'hello', not with 'hg2'"),
    ),
    "a truncated token": (("replay", GOOD[:-1]), ("a part of it is missing or changed",)),
    "an altered token": (
        ("replay", GOOD[:9] + "x" + GOOD[10:]),
        ("TOKEN = hg2.", "its checksum does not fit", "copy the whole word"),
    ),
    "another version": (
        ("replay", GOOD.replace("hg2", "hg9")),
        ("starts with 'hg9', not with 'hg2'",),
    ),
    "a token of another scenario": (
        ("replay", encode(Token("patch-rice", *KERNEL, DIGEST, (0,)))),
        ("error: patch-rice: is not a built-in scenario",),
    ),
    "a token of the scenario as it was": (
        ("replay", encode(Token("patch-race", *KERNEL, "00000000", (0,)))),
        ("error: patch-race.toml: the token was made from another version", "explore it again"),
    ),
    "a token of a variant that is gone": (
        ("replay", encode(Token("patch-race", "v6.11", "full", DIGEST, (0,)))),
        ("'v6.11' is not a base; known: v6.12",),
    ),
    "a token of a strange kernel": (
        ("replay", encode(Token("patch-race", KERNEL[0], "some", DIGEST, (0,)))),
        ('"some": must be "none", "voluntary", "full" or "rt"',),
    ),
    "a schedule of nobody": (
        ("replay", encode(Token("patch-race", *KERNEL, DIGEST, (0, 77)))),
        ("the schedule does not fit: at step 2, context 77 cannot step",),
    ),
    "replay on no variant": (
        ("replay", GOOD, "--variant", "v6.12+percpu-v9"),
        ("command line: --variant", "'percpu-v9' is not a patch"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, place: Path) -> None:
    args, parts = CASES[name]
    before = snapshot(place)
    answer = hgeisim(*args)
    assert (answer.status, answer.out) == (2, "")
    for part in parts:
        assert part in answer.err
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err
    assert snapshot(place) == before, "nothing was written"


def test_the_good_token_is_good() -> None:
    assert hgeisim("replay", GOOD).status == 0


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][0][0] == "run"])
def test_bad_input_is_reported_before_anything_is_replaced(name: str, place: Path) -> None:
    """An older run stays as it was when the new one cannot start."""
    assert hgeisim("run", "patch-race", "--until", "1ms", "--out", "old").status == 0
    before = snapshot(place)
    args, _ = CASES[name]
    if "--out" not in args:
        assert hgeisim(*args, "--out", "old").status == 2
    assert snapshot(place) == before


@pytest.mark.slow
@settings(max_examples=200)
@given(st.text(max_size=60))
def test_no_text_at_all_is_an_internal_error(text: str) -> None:
    answer = hgeisim("replay", "--", text)
    assert (answer.status, answer.out) == (2, "")
    assert "is not a replay token" in answer.err


@pytest.mark.slow
@settings(max_examples=100)
@given(st.lists(st.integers(0, 8), max_size=30))
def test_any_schedule_replays_or_is_refused(schedule: list[int]) -> None:
    answer = hgeisim("replay", encode(Token("patch-race", *KERNEL, DIGEST, tuple(schedule))))
    assert answer.status in (0, 1, 2)
    assert (answer.err == "") == (answer.status != 2)
    assert "internal error" not in answer.err
