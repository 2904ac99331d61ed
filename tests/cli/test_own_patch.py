"""A sound patch of a user's own is recorded as it is.

So are the examples of docs/own-patch.md, and a token says when the patch has changed.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hgeisim.drivers.explored.counterexample.token import Token, decode, encode
from hgeisim.kernel.variants import OWN, own_files
from hgeisim.library import own_patch as patch_output
from hgeisim.library.own_patch import execute
from hgeisim.patch import FORMER
from tests.support import kernels
from tests.support.commands import hgeisim
from tests.support.source import ROOT

LOCK_FREE = '''"""hgctrl without a lock."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import ENOENT
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.ops import STEP


class LockFree(Aia):
    """Each change of free_bitmap is one compare-and-exchange."""

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        """kvm_riscv_aia_alloc_hgei, v7.0 without its lock."""
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
        """kvm_riscv_aia_free_hgei, v7.0 without its lock."""
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
    variant, out = f"v7.0+{tmp_path}/mine.py:LockFree", tmp_path / "out"
    command = ("run", "homogeneous", "--until", "2ms", "--variant", variant, "--out", str(out))
    answer = hgeisim(*command, "--json")
    new = [each["id"] for each in answer.document()["findings"] if each["new"]]
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
    answer = hgeisim(*command, "--json", "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert "findings" in json.loads(answer.out)
    lines = answer.err.splitlines()
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


PAGE = (ROOT / "docs/own-patch.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_are_sound(tmp_path: Path, example: str) -> None:
    (tmp_path / "mine.py").write_text(example)
    name = re.findall(r"^class (\w+)", example, re.MULTILINE)[-1]
    variant = f"v7.0+{tmp_path}/mine.py:{name}"
    execute(variant)
    k: Any = kernels.booted(variant, [3, 3])
    vcpu = kernels.add_vcpu(k, "a", 0)
    assert list(k.take_line_away(k.threads[0], vcpu, 1))


PATCH = '''"""A patch that changes little."""
from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.machine.ops import STEP


class Keep(Imsic):
    """An MSI takes a step more."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current, vcpu, iid):
        """Nothing."""
        yield from super().kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)
        yield STEP
'''
LOCK = "        yield k.sgei_desc_lock.lock\n"
HANGS = PATCH.replace("        yield from", 2 * LOCK + "        yield from")


def made(folder: Path) -> list[str]:
    """The command that replays the first finding of the patch."""
    (folder / "keep.py").write_text(PATCH)
    answer = hgeisim("explore", "moved-sleeper", "--variant", f"v7.0+{folder}/keep.py:Keep")
    line = next(each for each in answer.out.splitlines() if each.startswith("  hgeisim replay "))
    return shlex.split(line)[1:]


@pytest.mark.slow
def test_a_token_carries_the_digest_of_the_patch(tmp_path: Path) -> None:
    words = made(tmp_path)
    token = decode(words[1])
    assert len(token.patch) == 8
    plain = hgeisim(*words)
    assert plain.err == ""
    assert "changed" not in plain.out

    (tmp_path / "keep.py").write_text(PATCH + "# a remark\n")
    answer = hgeisim(*words)
    assert answer.status == plain.status
    changed = f"{tmp_path}/keep.py has changed since the token was made"
    assert f"{changed}; it follows the whole schedule\n" in answer.out
    assert hgeisim(*words, "--json").document()["changed"] == changed

    (tmp_path / "keep.py").write_text(HANGS)
    answer = hgeisim(*words)
    assert (answer.status, answer.out) == (2, "")
    assert f"TOKEN: {changed}: at step " in answer.err
    assert re.search(r"at step \d+, \S+ cannot step", answer.err)


@pytest.mark.slow
def test_where_the_patch_is_does_not_matter(tmp_path: Path) -> None:
    words = made(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/keep.py").write_text(PATCH.replace("STEP\n\n", "STEP\n\n\n"))
    answer = hgeisim(*words[:-1], f"v7.0+{tmp_path}/sub/keep.py:Keep")
    assert f"{tmp_path}/sub/keep.py has changed since the token was made; it follows" in answer.out
    (tmp_path / "other.py").write_text(PATCH + "        yield STEP\n")
    answer = hgeisim(*words[:-1], f"v7.0+{tmp_path}/other.py:Keep")
    assert f"the token was made with another patch than {tmp_path}/other.py" in answer.out


def test_a_token_without_that_digest_is_read() -> None:
    old = Token("s", "v7.0+a.py:A", "full", "8a5d091e", (0, 0, 1))
    new = Token("s", "v7.0+a.py:A", "full", "8a5d091e", (0, 0, 1), "01234567")
    assert decode(encode(old)) == old
    assert decode(encode(new)) == new
    assert encode(old) != encode(new)


@pytest.mark.parametrize("module", sorted(FORMER))
def test_a_patch_may_import_modules_by_their_former_names(tmp_path: Path, module: str) -> None:
    file = tmp_path / "former.py"
    file.write_text(LOCK_FREE.replace("\nfrom", f"\nimport {module} as former\n\nfrom", 1))
    execute(f"v7.0+{file}:LockFree")
    (own,) = (OWN[part] for part in own_files(f"v7.0+{file}:LockFree"))
    assert sys.modules[own.__module__].former.__name__ == FORMER[module]
