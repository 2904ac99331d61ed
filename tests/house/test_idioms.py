"""docs/idioms.md: every row works in both drivers, with its meaning for lock order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hgeisim.patch as surface
from hgeisim.drivers.run_to_end import run_alone
from hgeisim.library.own_patch import execute
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.lockorder.rules.wait_context import Config
from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Memory
from hgeisim.machine.watch import Watch
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder
from tests.support import kernels
from tests.support.commands import hgeisim
from tests.support.source import ROOT

PAGE = (ROOT / "docs/idioms.md").read_text()
ROWS = re.findall(r"^\| `.*?` \| (`.*`) \| .*\|$", PAGE, re.MULTILINE)
CODES = [re.findall(r"`([^`]+)`", row) for row in ROWS]
HEAD = '''"""A toy."""
from hgeisim.patch import *


class Toy(Imsic):
    """Every idiom."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """An MSI, and the idiom first."""
        cpu = current.cpu
        hgctrl, lock, mutex = k.hgei[cpu], k.hgei[cpu].lock, vcpu.mutex
        rwlock, rwsem = vcpu.vsfile_lock, k.cpu_hotplug_lock
'''
TAIL = "        yield from super().kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)\n"
OPPOSITE = {
    "lock.lock": "lock.unlock",
    "lock.lock_irqsave": "lock.unlock_irqrestore",
    "lock.trylock": "lock.unlock",
    "lock.trylock_irqsave": "lock.unlock_irqrestore",
    "rwlock.read_lock_irqsave": "rwlock.read_unlock_irqrestore",
    "rwlock.read_trylock": "rwlock.read_unlock",
    "rwlock.write_trylock": "rwlock.write_unlock",
    "rwlock.write_trylock_irqsave": "rwlock.write_unlock_irqrestore",
    "mutex.lock": "mutex.unlock",
    "mutex.trylock": "mutex.unlock",
    "rwsem.down_read_trylock": "rwsem.up_read",
    "LOCAL_IRQ_DISABLE": "LOCAL_IRQ_ENABLE",
    "PREEMPT_DISABLE": "PREEMPT_ENABLE",
    "get_cpu": "put_cpu",
    "lockdep_assert_held(lock)": "",
}
CLOSING = {close: take for take, close in OPPOSITE.items() if "try" not in take} | {
    "rwsem.up_read": "rwsem.down_read_trylock"
}


def statements(code: list[str]) -> list[str]:
    """A row as statements that leave things as they were."""
    wanted = code[0].rpartition("yield ")[2]
    before = [f"yield {CLOSING[wanted]}"] if wanted in CLOSING and wanted else []
    if wanted == "lockdep_assert_held(lock)":
        return ["yield lock.lock", *code, "yield lock.unlock"]
    if "if bad: return" in code:
        return [code[0], "if bad:", "    return"]
    if "got = " in code[0]:
        return [*code, "if got:", f"    yield {OPPOSITE[wanted]}"]
    return [*before, *code, *([f"yield {OPPOSITE[wanted]}"] if wanted in OPPOSITE else [])]


def toy(folder: Path, lines: list[str]) -> str:
    """The variant of a patch with these statements."""
    body = "".join(f"        {line}\n" for line in lines)
    (folder / "toy.py").write_text(HEAD + body + TAIL)
    return f"v7.0+{folder}/toy.py:Toy"


def test_the_page_has_rows() -> None:
    assert len(CODES) > 40
    called = " ".join(part for code in CODES for part in code)
    public = set(re.findall(r"\b([A-Z_]{3,}|[a-z_]+)\(", called))
    assert public <= set(surface.__all__)


@pytest.mark.slow
@pytest.mark.parametrize("code", CODES, ids=" ".join)
def test_a_row_works(tmp_path: Path, code: list[str]) -> None:
    """Before anything runs nothing is wrong with it; it ends, alone and in both drivers."""
    lines = statements(code)
    variant = toy(tmp_path, lines)
    execute(variant)
    for memory in (None, Memory()):
        k: Any = kernels.booted(variant, [3, 3], memory)
        vcpu = kernels.add_vcpu(k, "a", 0)
        run_alone(k.kvm_riscv_vcpu_aia_imsic_inject(vcpu.thread, vcpu, 1), vcpu.thread)
        hart = k.hart[0]
        assert (hart.irq_off, hart.preempt_count, k.hgei[0].lock.inside) == (0, 0, 0)
    assert hgeisim("run", "vm-churn", "--until", "200us", "--variant", variant).status in (0, 1)


def test_every_public_name_is_there_and_old_paths_stay() -> None:
    assert all(hasattr(surface, name) for name in surface.__all__)
    assert sorted(surface.__all__) == sorted(set(surface.__all__))
    from hgeisim.kernel.aia import Aia  # noqa: PLC0415
    from hgeisim.machine.ops import STEP  # noqa: PLC0415

    assert (surface.Aia, surface.STEP) == (Aia, STEP)


class Edges:
    """A kernel whose operations are shown to the validator."""

    def __init__(self) -> None:
        self.k: Any = kernels.booted("v7.0", [3])
        self.vcpu = kernels.add_vcpu(self.k, "a", 0)
        self.validator = Validator(Config())
        self.watch = Watch()
        order = LockOrder(False, PathChains(self.watch.paths, object), self.validator)
        self.found: list[str] = []
        order.report = lambda finding: self.found.append(finding.id)
        self.watch.add(order)

    def run(self, *ops: Op) -> list[Any]:
        """Yield operations one after the other; returns the answers."""
        answers = []

        def path() -> Any:
            for op in ops:
                answers.append((yield op))  # noqa: PERF401 - a comprehension has no yield

        run_alone(path(), self.vcpu.thread, self.watch)
        return answers


def test_a_trylock_is_held_and_nothing_leads_to_it() -> None:
    """A and then a trylock of B makes no dependency; C under B makes one."""
    e = Edges()
    a, b, c = e.k.hgei[0].lock, e.vcpu.swfile_extirq_lock, e.k.sgei_desc_lock
    assert e.run(a.lock, b.trylock, b.unlock, a.unlock) == [None, 1, None, None]
    e.run(b.lock, a.lock, a.unlock, b.unlock)
    assert e.found == []
    e.run(b.trylock, c.lock, c.unlock, b.unlock)
    e.run(c.lock, b.lock, b.unlock, c.unlock)
    assert [each.partition(":")[0] for each in e.found] == ["circular-one-task"]


@pytest.mark.parametrize("name", ["trylock", "trylock_irqsave"])
def test_a_trylock_of_a_lock_that_is_held_fails(name: str) -> None:
    e = Edges()
    lock, hart = e.k.hgei[0].lock, e.k.hart[0]
    assert e.run(lock.lock, getattr(lock, name)) == [None, 0]
    assert (lock.inside, lock.drawn, hart.irq_off, hart.preempt_count) == (1, 1, 0, 1)
    assert e.run(lock.unlock, getattr(lock, name)) == [None, 1]


def test_trylocks_of_the_other_locks() -> None:
    e = Edges()
    rw, mutex, sem = e.vcpu.vsfile_lock, e.vcpu.mutex, e.k.cpu_hotplug_lock
    assert e.run(rw.read_trylock, rw.read_trylock, rw.write_trylock) == [1, 1, 0]
    assert e.run(rw.read_unlock, rw.read_unlock, rw.write_trylock) == [None, None, 1]
    assert e.run(rw.read_trylock, rw.write_trylock_irqsave, rw.write_unlock) == [0, 0, None]
    assert e.run(mutex.trylock, mutex.trylock, mutex.unlock) == [1, 0, None]
    assert e.run(sem.down_read_trylock, sem.up_read, sem.down_write) == [1, None, None]
    assert e.run(sem.down_read_trylock) == [0]


def test_an_assertion_of_a_lock() -> None:
    e = Edges()
    lock, mutex = e.k.hgei[0].lock, e.vcpu.mutex
    e.run(lock.lock, lock.assert_held, lock.unlock, mutex.lock, mutex.assert_held, mutex.unlock)
    assert e.found == []
    e.run(lock.assert_held, mutex.assert_held)
    assert e.found == ["lock-not-held:hgctrl->lock", "lock-not-held:vcpu->mutex"]


SAYS = {
    "yield WARN_ON(True)": "warn-on:kvm_riscv_vcpu_aia_imsic_inject",
    "yield lockdep_assert_held(lock)": "lock-not-held:hgctrl->lock",
    "yield lockdep_assert_held(mutex)": "lock-not-held:vcpu->mutex",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("run", "big-little", "--until", "1ms"), ("explore", "moved-sleeper")]
)
@pytest.mark.parametrize(("line", "finding"), SAYS.items())
def test_what_code_says_of_itself_is_a_finding(
    tmp_path: Path, line: str, finding: str, command: tuple[str, ...]
) -> None:
    result = hgeisim(*command, "--variant", toy(tmp_path, [line]))
    assert (result.status, result.complaints) == (1, "")
    assert finding in result.out


RACE = '''"""One MSI takes a lock for a moment, another one tries it."""
from hgeisim.patch import *


class Race(Imsic):
    """The CPU tells them apart."""

    def imsic_page_write(k, current, vcpu, iid):
        """CPU 0 takes the lock, CPU 1 tries it."""
        lock = vcpu.LOCK
        if current.cpu == 0:
            yield lock.TAKE
            yield STEP
            yield lock.DROP
        else:
            got = yield lock.TRY
            yield WARN_ON(not got)
            if got:
                yield lock.UNDO
'''
TWO = """
[machine]
harts = [{ count = 2, guest_files = 1 }]

[kernel]
variant = "v7.0"

[[vcpu]]
name = "v1"
hart = 0

[[task]]
name = "a"
hart = 0
does = ["msi v1"]

[[task]]
name = "b"
hart = 1
does = ["msi v1"]
"""
PAIRS = [
    ("swfile_extirq_lock", "lock", "unlock", "trylock", "unlock"),
    ("vsfile_lock", "write_lock_irqsave", "write_unlock_irqrestore", "read_trylock", "read_unlock"),
    ("vsfile_lock", "read_lock_irqsave", "read_unlock_irqrestore", "write_trylock", "write_unlock"),
    ("mutex", "lock", "unlock", "trylock", "unlock"),
]


@pytest.mark.slow
@pytest.mark.parametrize("names", PAIRS)
def test_a_search_sees_a_trylock_fail_and_succeed(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Although whoever holds the lock could be left to go on as one step."""
    text = RACE
    for word, name in zip(("LOCK", "TAKE", "DROP", "TRY", "UNDO"), names, strict=True):
        text = re.sub(rf"\b{word}\b", name, text)
    (tmp_path / "race.py").write_text(text)
    (tmp_path / "two.toml").write_text(TWO)
    for condition, finds in ("not got", True), ("got", True), ("got and not got", False):
        (tmp_path / "race.py").write_text(text.replace("WARN_ON(not got)", f"WARN_ON({condition})"))
        variant = f"v7.0+{tmp_path}/race.py:Race"
        result = hgeisim("explore", f"{tmp_path}/two.toml", "--variant", variant)
        assert re.sub(r"v7.0 was searched as well, which took .* s\n", "", result.err) == ""
        assert ("warn-on:imsic_page_write" in result.out) is finds
