"""`python -O` leaves asserts out, and changes nothing that a command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hgeisim.errors import ModelError
from hgeisim.kernel.state import Kernel, no_step
from hgeisim.machine.shared import Memory
from tests.runs.test_determinism import FINGERPRINTS
from tests.support.golden import FOLDER, updating
from tests.support.source import ROOT

TRACE = "tests/data/traces/18-storm-3132.txt.gz"
GOLDEN = {
    "run-big-little": ("run", "big-little"),
    "run-big-little-v6.18": ("run", "big-little", "--variant", "v6.18"),
    "explore-patch-race-percpu-v2": ("explore", "patch-race", "--variant", "v6.12+percpu-v2"),
    "explore-patch-race-percpu-v5": ("explore", "patch-race", "--variant", "v6.12+percpu-v5"),
    "locks-diff": ("locks", "diff", "v6.12", "v7.0"),
}
"""Commands of the README with what they print without -O."""
BESIDE = {
    "trace import": ("trace", "import", TRACE, "--lines", "3,1,3,2", "--out", "real"),
    "trace simulation": ("run", "scenarios/traces/18-storm-3132.toml", "--out", "simulated"),
    "plot": ("plot", "real", "-o", "real.svg"),
    "trace compare": ("trace", "compare", "real", "simulated"),
    "topology": ("topology", "scenarios/virt-big-little-4x7-4x3.dtb"),
}
"""Those that are run in both ways, in this order, in a folder that both have."""
PATCH = '''
from hgeisim.kernel.aia import Aia

class Asserting(Aia):
    """It asserts what does not hold."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        """Free."""
        assert hgei > 99
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
'''


def printed(*args: str, optimized: bool = True, folder: Path = ROOT) -> str:
    """Standard output and standard error of a command in a process of its own."""
    options = ["-O"] if optimized else []
    command = [sys.executable, *options, "-m", "hgeisim", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(updating(), reason="what it compares with is being written")
@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.proof
def test_commands_of_the_readme_print_the_same(name: str) -> None:
    assert printed(*GOLDEN[name]) == (FOLDER / f"{name}.txt").read_text()


@pytest.mark.slow
@pytest.mark.proof
def test_traces_are_read_compared_and_drawn_in_the_same_way(tmp_path: Path) -> None:
    told: dict[bool, list[str]] = {}
    for optimized in (False, True):
        folder = tmp_path / str(optimized)
        folder.mkdir()
        for place in ("scenarios", "tests"):
            (folder / place).symlink_to(ROOT / place)
        told[optimized] = [
            printed(*words, optimized=optimized, folder=folder) for words in BESIDE.values()
        ]
    assert told[True] == told[False]
    plain, other = (tmp_path / str(optimized) / "real.svg" for optimized in (False, True))
    assert plain.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(updating(), reason="what it compares with is being written")
@pytest.mark.proof
def test_fingerprints() -> None:
    names = "from tests.runs.test_determinism import HEAD, tables"
    code = f"{names}; print(HEAD + ''.join(tables()), end='')"
    command = [sys.executable, "-O", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == FINGERPRINTS.read_text()


@pytest.mark.slow
@pytest.mark.proof
def test_tokens_are_replayed_in_the_same_way() -> None:
    told = (FOLDER / "explore-patch-race-percpu-v2.txt").read_text()
    tokens = re.findall(r"hgeisim replay (\S+)", told)
    assert len(tokens) > 10
    for token in tokens[::4]:
        plain = printed("replay", token, "--all", optimized=False)
        assert "percpu-v2" in plain
        assert printed("replay", token, "--all") == plain


@pytest.mark.slow
@pytest.mark.parametrize("command", [("run", "big-little"), ("explore", "move-offline")])
@pytest.mark.proof
def test_a_patch_keeps_its_asserts(tmp_path: Path, command: tuple[str, str]) -> None:
    """In time paths are compiled again, fused or not; explored they are not."""
    (tmp_path / "mine.py").write_text(PATCH)
    variant = f"v7.0+{tmp_path}/mine.py:Asserting"
    told = printed(*command, "--variant", variant)
    words = " ".join(told.split())
    assert "AssertionError: assert hgei > 99" in words
    assert "mine.py, line 9)" in words


class Relying(Kernel):
    """A kernel that relies on a cell, for the test below."""

    def __init__(k, memory: Memory) -> None:
        k.memory = memory

    @no_step
    def must_be_set(k, cell: int) -> None:
        if not k.memory.read(cell):  # type: ignore[union-attr]
            raise ModelError("not set")


def test_what_a_path_relies_on_is_an_input_and_no_access() -> None:
    memory = Memory()
    cell = memory.cell("cell", 1)
    memory.begin_step(memory.cells)
    memory.touched = {7: True}
    Relying(memory).must_be_set(cell)
    assert memory.reads == {cell: 1}
    assert memory.touched == {7: True}
    memory.cells[cell] = 0
    with pytest.raises(ModelError):
        Relying(memory).must_be_set(cell)
