"""Patches of a user's own, made of a few statements, and what the rules say about them."""

from __future__ import annotations

from pathlib import Path

from hgeisim.errors import InputError
from hgeisim.library.own_patch import execute

HEAD = '''"""A patch."""
import itertools; from hgeisim.patch import *
from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import Caller, HgeiControl, Thread, Vcpu
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.ops import STEP, Path, Step
TOTAL, SEEN, BY_CPU, NUMBERS = 0, [], {}, itertools.count()
class Mine(Aia):
'''
FREE = "    def kvm_riscv_aia_free_hgei(k, cpu, hgei):\n"
TAKE = "    def take_line_away(k, current: Caller, vcpu: Vcpu, hgei: int) -> Path[None]:\n"


def free(*statements: str) -> str:
    """A path of a patch."""
    return FREE + "".join(f"        {each}\n" for each in statements)


def take(*statements: str) -> str:
    """Another one, whose parameters are annotated."""
    return TAKE + "".join(f"        {each}\n" for each in statements)


def found(folder: Path, body: str) -> list[tuple[str, str]]:
    """Where the mistakes of a patch are, and what to do about them."""
    (folder / "mine.py").write_text(HEAD + body)
    try:
        execute(f"v7.0+{folder}/mine.py:Mine")
    except InputError as error:
        assert all(each.file == f"{folder}/mine.py" for each in error.problems)
        return [(each.where, each.remedy) for each in error.problems]
    return []
