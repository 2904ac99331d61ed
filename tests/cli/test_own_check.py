"""A user's own invariant is asked in every state of a search and at its moments in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import hgeisim

PATCH = '''"""A patch with an invariant."""
from hgeisim.patch import Aia, set_bit


class Mine(Aia):
    """Nothing is changed."""


def lines(k):
    """What the invariant is about."""
    return [owner for h in k.hgei for owner in (h.owners[i] for i in range(len(h.owners)))]


def check(k):
    """The invariant."""
    {body}
'''
LINE = PATCH[: PATCH.index("{body}")].count("\n") + 1
HOLDS = "return 'a line has an owner that is not there' if max(lines(k)) > 99 else None"
BROKEN = "return f'{max(lines(k))} owns a line' if any(lines(k)) else ''"
ASSERTS = "assert not any(lines(k)), 'a line has an owner'"
SEVERAL = "return [f'vCPU {owner} owns a line' for owner in lines(k) if owner]"


def said(folder: Path, body: str, *words: str) -> tuple[int, str]:
    """The answer of a command to a patch with this invariant."""
    (folder / "mine.py").write_text(PATCH.format(body=body))
    result = hgeisim(*words, "--variant", f"v7.0+{folder}/mine.py:Mine")
    return result.status, result.out + result.err


EXPLORE = ("explore", "moved-sleeper")
RUN = ("run", "vm-churn", "--until", "1ms")


@pytest.mark.slow
@pytest.mark.parametrize("command", [EXPLORE, RUN])
@pytest.mark.parametrize("body", [BROKEN, ASSERTS, SEVERAL])
def test_what_it_says_is_a_finding(tmp_path: Path, body: str, command: tuple[str, ...]) -> None:
    status, text = said(tmp_path, body, *command)
    assert status == 1
    assert "check:mine" in text


@pytest.mark.slow
def test_all_of_several_texts_are_shown(tmp_path: Path) -> None:
    status, text = said(
        tmp_path, "return ['one thing', '', 'and another'] if any(lines(k)) else ()", *RUN
    )
    assert status == 1
    assert "one thing; and another" in text


@pytest.mark.slow
@pytest.mark.parametrize("command", [EXPLORE, RUN])
def test_an_invariant_that_holds_says_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    status, text = said(tmp_path, HOLDS, *command)
    assert (status, "check:" in text) == (hgeisim(*command, "--variant", "v7.0").status, False)


@pytest.mark.slow
def test_its_schedule_can_be_replayed(tmp_path: Path) -> None:
    _, text = said(tmp_path, "return 'asleep' if k.vcpus[1].wait.waiter else None", *EXPLORE)
    lines = text[text.index("check:mine") :].splitlines()
    words = next(line for line in lines if line.startswith("  hgeisim replay ")).split()[1:]
    replayed = hgeisim(*words)
    assert replayed.status == 1
    assert "check:mine: asleep" in replayed.out


@pytest.mark.slow
@pytest.mark.parametrize("command", [EXPLORE, RUN])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return 1 // (len(lines(k)) * 0)", "line {line}: ZeroDivisionError"),
        ("return k.nothing", "line {line}: k.nothing: the kernel has no function or state"),
        (
            "return [] if k.hgei[0].free else None",
            "line {line}: k.hgei[0].free: HgeiControl has no",
        ),
        ("return 5", "line {line}: check returns `5`"),
        ("return not lines(k)", "line {line}: check returns `not lines(k)`"),
        ("return k.hgei[0].nr_hgei", "line {line}: check returns `k.hgei[0].nr_hgei`"),
        ("return len(lines(k)) > 0", "line {line}: check returns `len(lines(k)) > 0`"),
        ("return len(lines(k))", "line {defined}: CheckError: check of mine returns "),
        ("k.hgei[0].nr_hgei = 0", "line {line}: `k.hgei[0].nr_hgei = 0` changes state"),
        ("for h in k.hgei: h.owners[1] = 0", "line {line}: `h.owners[1] = 0` changes state"),
        ("set_bit(1, k.hgei[0], 'free_bitmap')", "line {line}: `set_bit(1, k.hgei[0], "),
    ],
)
def test_a_mistake_in_it(tmp_path: Path, body: str, why: str, command: tuple[str, ...]) -> None:
    status, text = said(tmp_path, body, *command)
    assert status == 2
    assert f"{tmp_path}/mine.py: " in text
    assert why.format(line=LINE, defined=LINE - 2) in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "f = setattr; f(k.hgei[0], 'free_bitmap', 0)",
            "line {line}: ModelError: check of mine writes hgei0.free_bitmap",
        ),
        (
            "getattr(k.globals, '_'.join(('kvm', 'rebooting')))",
            "line {defined}: CheckError: check of mine reads, without naming it, globals.kvm_re",
        ),
    ],
)
def test_it_only_looks_at_what_it_names(tmp_path: Path, body: str, why: str) -> None:
    status, text = said(tmp_path, body, *EXPLORE)
    assert status == 2
    assert why.format(line=LINE, defined=LINE - 2) in text


@pytest.mark.slow
@pytest.mark.parametrize("command", [EXPLORE, RUN])
def test_it_may_yield_its_texts(tmp_path: Path, command: tuple[str, ...]) -> None:
    status, text = said(
        tmp_path, "for owner in lines(k): yield f'{owner} owns a line' if owner else ''", *command
    )
    assert status == 1
    assert "check:mine" in text


@pytest.mark.parametrize("parameters", ["", "k, more", "*, k"])
def test_it_is_called_with_the_kernel(tmp_path: Path, parameters: str) -> None:
    (tmp_path / "mine.py").write_text(PATCH.replace("check(k)", f"check({parameters})"))
    result = hgeisim(*EXPLORE, "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert result.status == 2
    assert f"line {LINE - 2}: check({parameters}) cannot be called as check(k)" in result.err
