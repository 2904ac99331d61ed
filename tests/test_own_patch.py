"""A sound patch of a user's own is recorded as it is."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from hgeisim.cli import patch_output
from tests.commands import hgeisim

LOCK_FREE = '''"""hgctrl without a lock."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import ENOENT
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.ops import STEP


class LockFree(Aia):
    """Each change of free_bitmap is one compare-and-exchange."""

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        """kvm_riscv_aia_alloc_hgei, v7.1 without its lock."""
        hgctrl = k.hgei[cpu]
        yield STEP
        free_bitmap = hgctrl.free_bitmap
        if not free_bitmap:
            return -ENOENT
        hgctrl.free_bitmap = free_bitmap & ~bit(ffs(free_bitmap))
        yield STEP
        hgctrl.owners[ffs(free_bitmap)] = owner.id
        return ffs(free_bitmap)

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        """kvm_riscv_aia_free_hgei, v7.1 without its lock."""
        hgctrl = k.hgei[cpu]
        yield STEP
        hgctrl.owners[hgei] = 0
        yield STEP
        hgctrl.free_bitmap = hgctrl.free_bitmap | bit(hgei)
'''


@pytest.mark.slow
def test_occupancy_is_seen_without_a_lock(tmp_path: Path) -> None:
    """At the end each HART has as many lines taken as were taken and not given back."""
    (tmp_path / "mine.py").write_text(LOCK_FREE)
    variant, out = f"v7.1+{tmp_path}/mine.py:LockFree", tmp_path / "out"
    command = ("run", "homogeneous", "--until", "2ms", "--variant", variant, "--out", str(out))
    told = hgeisim(*command, "--json")
    new = [each["id"] for each in told.document()["findings"] if each["new"]]
    assert new
    assert all(each.startswith("unlocked:") for each in new)
    busy = {row["hart"]: int(row["busy"]) for row in rows(out / "occupancy.csv")}
    events = Counter((row["hart"], row["event"]) for row in rows(out / "events.csv"))
    assert busy == {hart: events[hart, "alloc"] - events[hart, "free"] for hart in busy}
    assert len(busy) == 8


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open() as file:
        return list(csv.DictReader(file))


PRINTS = """from hgeisim.patch import *
print("made")
class Mine(Aia):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        print("free", cpu, hgei, sep="-")
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
        {more}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("run", "vm-churn", "--until", "1ms"), ("explore", "patch-race")]
)
def test_what_a_patch_prints_goes_to_stderr_each_text_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(patch_output, "_said", {})
    (tmp_path / "mine.py").write_text(PRINTS.format(more="pass"))
    told = hgeisim(*command, "--json", "--variant", f"v7.1+{tmp_path}/mine.py:Mine")
    assert "findings" in json.loads(told.out)
    lines = told.err.splitlines()
    assert lines[0] == "made"
    assert len(lines) == len({*lines}) > 1
    assert all(line.startswith("free-") for line in lines[1:])


def test_a_patch_that_prints_without_end_is_cut_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_output, "_said", {})
    for n in range(2 * patch_output.SAID_MAX):
        patch_output.say("n", n)
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", patch_output.SAID_MAX + 1)
    assert err.endswith("n 999\n(the patch prints more, which is left out)\n")
