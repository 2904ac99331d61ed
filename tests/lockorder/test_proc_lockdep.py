"""The look-alikes of /proc/lockdep, /proc/lockdep_stats and /proc/lock_stat."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.errors import InputError
from hgeisim.lockorder.baseline.baseline import learned
from hgeisim.lockorder.baseline.export_graph import adjacent
from hgeisim.lockorder.baseline.proc_lockdep import (
    FIRST_LINE,
    dump_from,
    proc_lockdep,
    proc_lockdep_stats,
)
from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.machine.rwlock import rwlock
from hgeisim.machine.spinlock import raw_spinlock
from hgeisim.watch.lock_uses import LockTable, lock_stat
from tests.support.commands import hgeisim
from tests.support.kernels import V6_12, booted


def chain(*names: str) -> Validator:
    validator = Validator()
    task = validator.context("t")
    for name in names:
        validator.acquire(task, Lock(name, KINDS["mutex"]))
    return validator


def test_lockdep_has_direct_dependencies_and_counts_all() -> None:
    order = learned([chain("a", "b", "c").known], "k", (), {})
    lines = proc_lockdep(order).splitlines()
    keys = [line.split()[0] for line in lines if "FD:" in line]
    assert lines == [
        "all lock classes:",
        f"{keys[0]} FD:    3 BD:    1 +.+.: a",
        f" -> [{keys[1]}] b",
        "",
        f"{keys[1]} FD:    2 BD:    2 +.+.: b",
        f" -> [{keys[2]}] c",
        "",
        f"{keys[2]} FD:    1 BD:    3 +.+.: c",
        "",
    ]
    again = dump_from(proc_lockdep(order))
    assert set(again.edges) == set(adjacent(order).edges)
    assert {name: cls.usage for name, cls in again.classes.items()} == dict.fromkeys("abc", "+.+.")


def test_stats() -> None:
    validator = chain("a", "b", "c")
    text = proc_lockdep_stats(learned([validator.known], "k", (), {}), validator.sizes)
    counts = {
        label.strip(): int(number) for label, number in (x.split(":") for x in text.splitlines())
    }
    assert counts["lock-classes"] == 3
    assert (counts["direct dependencies"], counts["all direct dependencies"]) == (2, 3)
    assert (counts["hardirq-unsafe locks"], counts["hardirq-safe locks"]) == (3, 0)
    assert (counts["dependency chains"], counts["max locking depth"]) == (3, 3)
    assert len({len(line) for line in text.splitlines()}) == 1


def test_lock_stat_adds_the_instances_of_a_class() -> None:
    hgei = [raw_spinlock(None, f"hgei{n}.lock", "x") for n in range(2)]
    table = LockTable(hgei)
    for lock, wait_ns in zip([*hgei, raw_spinlock(None, "y", "y")], (0, 2_500, 1_500), strict=True):
        table.acquired(lock, 1_000, wait_ns)
        table.released(lock, 1_000 + 500)
    lines = lock_stat(table).splitlines()
    assert lines[0] == "lock_stat version 0.4"
    assert [line.split() for line in lines[4:]] == [
        ["x:", "-", "1", "-", "2.50", "2.50", "2.50", "-", "2", "-", "0.50", "1.00", "0.50"],
        ["y:", "-", "1", "-", "1.50", "1.50", "1.50", "-", "1", "-", "0.50", "0.50", "0.50"],
    ]


def test_lock_stat_has_rows_for_writers_and_readers() -> None:
    lock, table = rwlock(None, "v", "v"), LockTable([])
    who = booted(V6_12, [1]).threads[0]
    table.acquired(lock, 0, 0)
    table.released(lock, 500)
    table.read_acquired(lock, who, 0, 1_000)
    table.read_released(lock, who, 1_500)
    rows = [line.split() for line in lock_stat(table).splitlines()[4:]]
    assert rows == [
        ["v-R:", "-", "1", "-", "1.00", "1.00", "1.00", "-", "1", "-", "1.50", "1.50", "1.50"],
        ["v-W:", "-", "0", "-", "0.00", "0.00", "0.00", "-", "1", "-", "0.50", "0.50", "0.50"],
    ]


@pytest.mark.slow
def test_a_run_leaves_them_behind(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert hgeisim("run", "big-little", "--until", "4ms", "--out", str(out)).status == 0
    assert "LO-f55fb6bb circular" in (out / "lock-order.txt").read_text()
    assert dump_from((out / "lockdep.txt").read_text()).classes["hgctrl->lock"].kind == "?"
    assert "lock-classes:" in (out / "lockdep_stats.txt").read_text()
    stat = (out / "lock_stat.txt").read_text()
    assert stat.count("hgctrl->lock:") == 1


def test_the_usage_of_a_real_kernel_is_compared() -> None:
    """But for softirqs, which the model has none of."""
    dump = str(Path(__file__).parent.parent / "data/lockdep-usage.txt")
    diff = hgeisim("locks", "diff", dump, "v7.0")
    assert diff.status == 1
    assert "~ usage hgctrl->lock  {?.+.} -> {-...}" in diff.out
    assert "p->pi_lock  {" not in diff.out
    assert "~ usage hgctrl->lock  {-...} -> {?.+.}" in hgeisim("locks", "diff", "v7.0", dump).out


def test_a_part_of_a_dump_is_refused() -> None:
    text = f"{FIRST_LINE}\n01 FD: 3 BD: 1 ....: a\n -> [02] &p->pi_lock\n"
    with pytest.raises(InputError, match="line 3 = '&p->pi_lock': leads to a class that has"):
        dump_from(text, "dump")


OFF = """\
all lock classes:
01 FD:    2 BD:    1 ....: &imsic->vsfile_lock
 -> [02] &imsic->swfile_extirq_lock

02 FD:    1 BD:    2 ....: &imsic->swfile_extirq_lock

03 FD:    1 BD:    1 -.-.: &rq->__lock
"""
"""A lockdep that was off when a guest blocked for the first time."""


def test_a_lockdep_that_may_be_off_is_recognised(tmp_path: Path) -> None:
    """A dependency that it lacks says nothing then, unless it has learned that of B-08."""
    file = tmp_path / "lockdep.txt"
    file.write_text(OFF)
    for words in ((str(file), "v7.3"), ("v7.3", str(file))):
        said = " ".join(hgeisim("locks", "diff", *words).out.split())
        assert "rq->__lock < imsic->vsfile_lock is missing in the real kernel: either" in said
        assert "`Invalid wait context` in dmesg" in said
        assert "imsic->vsfile_lock < rq->__lock the model has it: SN (first in try_to" in said
        assert said.count("; lockdep may have been off") == 3
        assert hgeisim("locks", "diff", *words, "--json").document()["lockdep_may_be_off"]
    file.write_text(
        OFF.replace("FD:    1 BD:    1 -", "FD:    3 BD:    1 -") + " -> [01] &imsic->vsfile_lock\n"
    )
    on = hgeisim("locks", "diff", str(file), "v7.3")
    assert "may have been off" not in on.out
    assert not hgeisim("locks", "diff", str(file), "v7.3", "--json").document()[
        "lockdep_may_be_off"
    ]
    two = hgeisim("locks", "diff", str(file), str(file), "--json").document()
    assert not two["lockdep_may_be_off"]
