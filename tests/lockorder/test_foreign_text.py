"""Files that are not /proc/lockdep, or not the whole of it: each gets one sentence and a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hgeisim.errors import InputError
from hgeisim.lockorder.baseline.proc_lockdep import dump_from, is_dump
from tests.support.commands import hgeisim

DUMP = """\
all lock classes:
01 FD:    1 BD:    1 ....: input_pool.lock

02 FD:    2 BD:    1 -...: &hgctrl->lock
 -> [03] &p->pi_lock

03 FD:    1 BD:    2 -.-.: &p->pi_lock

"""
STAMPED = "".join(f"[   12.345678] {line}\n" for line in DUMP.splitlines())
WHOLE = "the whole of /proc/lockdep is needed: `cat /proc/lockdep > FILE`, as root"
CUT = DUMP.index("-.-.: &p->pi_lock")

TEXTS = {
    "without PROVE_LOCKING": (
        "all lock classes:\n01: input_pool.lock\n02: &hgctrl->lock\n",
        "line 2 = '01: input_pool.lock': has neither dependencies nor usage, as without "
        "CONFIG_PROVE_LOCKING; build the kernel with CONFIG_PROVE_LOCKING",
    ),
    "without PROVE_LOCKING, counting": (
        "all lock classes:\n01 OPS:      12: input_pool.lock\n02 OPS:       9: b\n",
        "as without CONFIG_PROVE_LOCKING",
    ),
    "tail": (
        DUMP[DUMP.index(" -> ") :],
        f"is a part of /proc/lockdep, without its first line; {WHOLE}",
    ),
    "grep": (
        "02 FD:    2 BD:    1 -...: &hgctrl->lock\n",
        f"is a part of /proc/lockdep, without its first line; {WHOLE}",
    ),
    "cut in a line": (
        DUMP[:CUT],
        f"line 7 = '03 FD:    1 BD:    2 ': is cut off in this line; {WHOLE}",
    ),
    "cut in a name": (
        DUMP[: CUT + 12],
        "line 7 = '03 FD:    1 BD:    2 -.-.: &p->pi': is cut off",
    ),
    "cut after a line": (
        DUMP[: DUMP.index("03 FD")],
        "leads to a class that has no line of its own",
    ),
    "the first line": ("all lock classes:\n", f"ends after its first line; {WHOLE}"),
    "garbage in the middle": (
        DUMP.replace("02 FD", "02 DF").replace("03 FD", "03 DF"),
        "line 4 = '02 DF:    2 BD:    1 -...: &hgctrl->lock': must be `KEY FD: n",
    ),
    "nothing in common": (
        DUMP[: DUMP.index("02 FD")],
        f"has no lock class in common with v6.12, so there is nothing to compare; {WHOLE}, of a "
        "kernel with KVM's AIA on which a VM has run",
    ),
    "chains": (
        "all lock chains:\nirq_context: 0\n[01] &hgctrl->lock\n\n",
        f"is /proc/lockdep_chains, not /proc/lockdep; {WHOLE}",
    ),
    "a part of the chains": (
        "[03] &p->pi_lock\n\nirq_context: 2\n[01] &hgctrl->lock\n",
        "is /proc/lockdep_chains",
    ),
    "lock_stat": (
        "lock_stat version 0.4\n-----\n  class name    con-bounces    contentions\n",
        f"is /proc/lock_stat, not /proc/lockdep; {WHOLE}",
    ),
    "lockdep_stats": (
        " lock-classes:                          955 [max: 8192]\n",
        f"is /proc/lockdep_stats, not /proc/lockdep; {WHOLE}",
    ),
    "dmesg": (STAMPED, f"is a copy of /proc/lockdep with the times of dmesg before it; {WHOLE}"),
    "an invalid wait context": (
        "[   14.1] =====\n[   14.2] [ BUG: Invalid wait context ]\n[   14.3] 7.3.4 #1\n",
        "is a report of lockdep, not /proc/lockdep; lockdep is off after its first report, so copy "
        "/proc/lockdep after another boot",
    ),
    "a circle": (
        "WARNING: possible circular locking dependency detected\n",
        "is a report of lockdep, not /proc/lockdep",
    ),
    "an inconsistent state": (
        "<4>[ 6.1][  T54] WARNING: inconsistent lock state\n",
        "is a report of lockdep, not /proc/lockdep",
    ),
    "no such file": (
        "cat: /proc/lockdep: No such file or directory\n",
        "is the complaint of a command, not /proc/lockdep; a kernel built with "
        "CONFIG_PROVE_LOCKING has the file, and root can read it",
    ),
    "prose": (
        "# A page\n\n- about locks\n- and more\n",
        "is neither a baseline nor a copy of /proc/lockdep; `hgeisim locks learn` writes "
        f"baselines; {WHOLE}",
    ),
    "empty": ("", "has no `kernel VARIANT` line; `hgeisim locks learn` writes baselines"),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("first", [True, False])
def test_one_sentence_and_a_remedy(tmp_path: Path, name: str, first: bool) -> None:
    text, said = TEXTS[name]
    file = tmp_path / "copy.txt"
    file.write_text(text)
    words = (str(file), "v6.12") if first else ("v6.12", str(file))
    diff = hgeisim("locks", "diff", *words)
    assert (diff.status, diff.out) == (2, "")
    assert said in diff.err
    assert diff.err.count("\n") == 1
    assert diff.err.startswith(f"hgeisim: error: {file}: ")


@pytest.mark.parametrize(
    "text",
    [
        f"\n\n{DUMP}",
        f"# cat /proc/lockdep\n{DUMP}",
        f"user@host:~$ sudo cat /proc/lockdep\n{DUMP}",
        DUMP.replace("\n", "\r\n"),
        DUMP.replace("01 FD", "(____ptrval____) FD").replace("[03]", "[(____ptrval____)]"),
        DUMP.replace(" FD:", " OPS:      12 FD:"),
        re.sub(r"([.-]{4}):", r"\1..:", DUMP),
    ],
)
def test_layouts_of_whole_dumps(text: str) -> None:
    assert is_dump(text)
    dump = dump_from(text)
    assert {name: cls.usage for name, cls in dump.classes.items()} == {
        "input_pool.lock": "....",
        "hgctrl->lock": "-...",
        "p->pi_lock": "-.-.",
    }
    assert list(dump.edges) == [("hgctrl->lock", "p->pi_lock")]


def test_a_text_with_another_beginning() -> None:
    assert not is_dump(f"my notes\n{DUMP}")
    with pytest.raises(InputError, match=r"line 1 = .*: must be 'all lock classes:'"):
        dump_from(f"my notes\n{DUMP}")
