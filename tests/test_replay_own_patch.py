"""A token of a user's own patch says when the patch has changed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hgeisim.drivers.explored.counterexample.token import Token, decode, encode
from tests.commands import hgeisim

PATCH = '''"""A patch that changes little."""
from hgeisim.kernel.imsic import Imsic
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
    told = hgeisim("explore", "moved-sleeper", "--variant", f"v7.1+{folder}/keep.py:Keep")
    line = next(each for each in told.out.splitlines() if each.startswith("  hgeisim replay "))
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
    told = hgeisim(*words)
    assert told.status == plain.status
    changed = f"{tmp_path}/keep.py has changed since the token was made"
    assert f"{changed}; it follows the whole schedule\n" in told.out
    assert hgeisim(*words, "--json").document()["changed"] == changed

    (tmp_path / "keep.py").write_text(HANGS)
    told = hgeisim(*words)
    assert (told.status, told.out) == (2, "")
    assert f"TOKEN: {changed}: at step " in told.err
    assert re.search(r"at step \d+, \S+ cannot step", told.err)


@pytest.mark.slow
def test_where_the_patch_is_does_not_matter(tmp_path: Path) -> None:
    words = made(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/keep.py").write_text(PATCH.replace("STEP\n\n", "STEP\n\n\n"))
    told = hgeisim(*words[:-1], f"v7.1+{tmp_path}/sub/keep.py:Keep")
    assert f"{tmp_path}/sub/keep.py has changed since the token was made; it follows" in told.out
    (tmp_path / "other.py").write_text(PATCH + "        yield STEP\n")
    told = hgeisim(*words[:-1], f"v7.1+{tmp_path}/other.py:Keep")
    assert f"the token was made with another patch than {tmp_path}/other.py" in told.out


def test_a_token_without_that_digest_is_read() -> None:
    old = Token("s", "v7.1+a.py:A", "full", "8a5d091e", (0, 0, 1))
    new = Token("s", "v7.1+a.py:A", "full", "8a5d091e", (0, 0, 1), "01234567")
    assert decode(encode(old)) == old
    assert decode(encode(new)) == new
    assert encode(old) != encode(new)
