"""A patch that is stuck in a step is stopped, with its line; one that only takes long is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.cli import watchdog
from tests.commands import hgeisim

PATCH = """from hgeisim.patch import *
class Mine(Aia):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        {statement}
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
def same(n):
    return n
"""
COMMANDS = [
    ("run", "vm-churn", "--until", "1ms"),
    ("explore", "patch-race"),
    ("locks", "check", "move-offline", "--baseline", "v7.1"),
]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long enough."""
    monkeypatch.setattr(watchdog, "TICK_S", 0.02)
    monkeypatch.setattr(watchdog, "LIMIT", 25)


def written(folder: Path, statement: str) -> str:
    """The name of a patch with a statement."""
    (folder / "mine.py").write_text(PATCH.format(statement=statement))
    return f"v7.1+{folder}/mine.py:Mine"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("statement", ["while same(1): pass", "for n in iter(int, 1): pass"])
def test_a_loop_that_no_rule_sees_is_stopped(
    tmp_path: Path, command: tuple[str, ...], statement: str
) -> None:
    told = hgeisim(*command, "--variant", written(tmp_path, statement))
    assert told.status == 2
    assert "mine.py: line 5: Stuck: no yield for 0.5 s" in told.err


@pytest.mark.slow
def test_a_file_that_goes_on_for_ever_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\nwhile x: pass\n")
    told = hgeisim("explore", "patch-race", "--variant", f"v7.1+{tmp_path}/mine.py:Mine")
    assert told.status == 2
    assert "mine.py: line 2: Stuck: " in told.err


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_patch_that_takes_long_is_not_stopped(tmp_path: Path, command: tuple[str, ...]) -> None:
    variant = written(tmp_path, "n = sum(same(n) for n in range(3000))")
    assert hgeisim(*command, "--variant", variant).complaints == ""
