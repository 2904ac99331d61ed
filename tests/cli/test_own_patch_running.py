"""A user's own patch that goes wrong while it runs.

An error, or a number that fits nowhere, is a finding with a schedule, wherever it shows.  A patch
that is stuck in a step is stopped, with its line; one that only takes long is not.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hgeisim.drivers.timed import base_runs
from hgeisim.library import own_patch as watchdog
from tests.support.commands import Told, hgeisim

FILE = Path(__file__).parent.parent / "data/patches/running.py"
OF_RUNNING = ("endless", "unbalanced", "scheduling-while-atomic", "exception", "warn-on")


def found(command: tuple[str, ...], name: str) -> tuple[int, dict[str, str]]:
    """The status, and the texts of the findings of these kinds by id."""
    result = hgeisim(*command, "--variant", f"v7.0+{FILE}:{name}", "--json")
    findings = result.document()["findings"]
    return result.status, {
        f["id"]: f["text"] for f in findings if f["id"].partition(":")[0] in OF_RUNNING
    }


EXPLORED = {
    "NoUnlock": "unbalanced:kvm_riscv_aia_free_hgei",
    "EarlyReturn": "unbalanced:kvm_riscv_aia_alloc_hgei",
    "IrqsOff": "unbalanced:take_line_away",
    "PreemptOn": "unbalanced:take_line_away",
    "Mutex": "unbalanced:kvm_riscv_vcpu_wfi",
    "Atomic": "scheduling-while-atomic:kvm_riscv_vcpu_wfi",
    "Assert": "warn-on:kvm_riscv_aia_free_hgei",
    "Divides": "exception:kvm_riscv_aia_free_hgei",
    "Endless": "endless:kvm_riscv_aia_free_hgei",
    "Relocks": "endless:kvm_riscv_aia_free_hgei",
    "Counts": "endless:kvm_riscv_aia_free_hgei",
    "PollsForNobody": "endless:kvm_riscv_aia_free_hgei",
}


LONG = ("Relocks", "PollsForNobody", "Endless", "Counts", "EarlyReturn", "Mutex")
"""Their searches take 6 seconds and more."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "finding"),
    [
        pytest.param(*each, id=each[0], marks=[pytest.mark.proof] if each[0] in LONG else [])
        for each in EXPLORED.items()
    ],
)
def test_it_is_found_in_a_search_and_its_token_replays(name: str, finding: str) -> None:
    command = ("explore", "move-offline", "--states", "40000", "--variant", f"v7.0+{FILE}:{name}")
    explored = hgeisim(*command, "--json")
    assert explored.status == 1
    by_id = {f["id"]: f for f in explored.document()["findings"]}
    assert by_id[finding]["new"]
    token = by_id[finding]["token"]
    replayed = hgeisim("replay", token, "--variant", f"v7.0+{FILE}:{name}", "--json")
    assert replayed.status == 1
    assert finding in {f["id"] for f in replayed.document()["findings"]}


TIMED = dict(EXPLORED)
del TIMED["Relocks"]  # in time it looks like work


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), TIMED.items(), ids=TIMED)
@pytest.mark.proof
def test_it_is_found_in_a_run(name: str, finding: str) -> None:
    status, shown = found(("run", "hotplug-storm", "--seed", "2"), name)
    assert status == 1
    assert finding in shown


@pytest.mark.slow
def test_an_inner_function_is_blamed_alone() -> None:
    _, shown = found(("run", "hotplug-storm"), "UnlocksTwice")
    assert [each for each in shown if each.startswith("unbalanced")] == [
        "unbalanced:imsic_swfile_extirq_update"
    ]


@pytest.mark.slow
def test_the_texts_say_what_and_where() -> None:
    _, shown = found(("explore", "move-offline"), "NoUnlock")
    assert shown["unbalanced:kvm_riscv_aia_free_hgei"] == (
        "cpuhp/0 returns with hgei0.lock held and interrupts off and preemption off"
    )
    _, shown = found(("explore", "move-offline"), "Assert")
    assert shown["warn-on:kvm_riscv_aia_free_hgei"] == (
        f"AssertionError: a high line ({FILE}, line 64)"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["HandsOver", "Polls", "ComparesAndExchanges"])
@pytest.mark.parametrize("command", [("explore", "move-offline"), ("run", "hotplug-storm")])
@pytest.mark.proof
def test_sound_patches_are_not_accused(command: tuple[str, ...], name: str) -> None:
    assert found(command, name)[1] == {}


PATCH = '''"""A number that fits nowhere is written before a line is taken away."""
from hgeisim.patch import STEP, Aia

BAD = [{value}]


class Mine(Aia):
    """The number comes from a list, so no rule sees it."""

    def take_line_away(k, current, vcpu, hgei):
        """Line 13 writes."""
        yield STEP
        {target} = BAD[0]
        yield from super().take_line_away(current, vcpu, hgei)
'''
OWNER = "k.hgei[current.cpu].owners[hgei]"


def explored(folder: Path, target: str, value: str, *more: str) -> Told:
    """The answer of a short search; 60 states are enough to come there."""
    (folder / "mine.py").write_text(PATCH.format(target=target, value=value))
    variant = ("--variant", f"v7.0+{folder}/mine.py:Mine")
    return hgeisim("explore", "move-offline", *variant, "--states", "60", *more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "value"),
    [
        (OWNER, "9"), (OWNER, "-5"), (OWNER, "1 << 70"),
        ("vcpu.vsfile_hgei", "40"), ("vcpu.vsfile_cpu", "9"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_look_is_a_finding(tmp_path: Path, target: str, value: str) -> None:
    answer = explored(tmp_path, target, value)
    assert answer.status == 1
    assert "hgeisim: error" not in answer.err
    assert "a check cannot look at a value that the patch has written: " in " ".join(
        answer.out.split()
    )
    words = shlex.split(
        re.findall(r"exception:value(?:.*\n)*?  hgeisim (replay .*)", answer.out)[0]
    )
    again = hgeisim(*words)
    assert (again.status, "exception:value" in again.out) == (1, True)
    assert "kvm_riscv_aia_disable" in again.out
    mail = hgeisim(*words, "--mail", "--finding", "exception:value")
    assert (mail.status, mail.out.startswith("exception:value (introduced)")) == (1, True)


@pytest.mark.slow
def test_what_is_not_a_number_has_its_line(tmp_path: Path) -> None:
    answer = explored(tmp_path, OWNER, "None")
    assert answer.status == 1
    assert "exception:take_line_away" in answer.out
    where = f"holds a whole number, not None ({tmp_path}/mine.py, line 13)"
    assert "".join(where.split()) in "".join(answer.out.split()), "a line may end in the path"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "value", "finding"),
    [
        (OWNER, "None", "exception:take_line_away"),
        ("vcpu.vsfile_cpu", "9", "exception:"),
    ],
)
def test_a_run_ends_with_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, value: str, finding: str
) -> None:
    monkeypatch.setattr(base_runs, "RUNS", 1)
    (tmp_path / "mine.py").write_text(PATCH.format(target=target, value=value))
    variant = ("--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    answer = hgeisim("run", "hotplug-storm", "--until", "6ms", *variant)
    assert (answer.status, f"finding {finding}" in answer.out) == (1, True)
    assert "mine.py, line 1" in " ".join(answer.out.split())


def test_what_fails_while_the_machine_is_set_up_says_where(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """from hgeisim.patch import *

class Mine(Imsic):
    def imsic_vsfile_local_update(k, current, vcpu, hgei):
        vcpu.thread.ipi_mask = 1 << 9
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        yield STEP
        vcpu.vsfile_cpu = 9
        yield STEP
        yield from k.imsic_vsfile_read(current, vcpu, 9, 1)
"""
    )
    answer = hgeisim("explore", "moved-sleeper", "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert answer.status == 2
    assert "IndexError: list index out of range, while the machine is set up, in " in answer.err
    assert f"{tmp_path}/mine.py, line 10" in answer.err


def test_a_patch_that_hangs_before_anything_runs_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """from hgeisim.patch import *
class Mine(Block):
    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        yield k.hgei[cpu].lock.lock
        yield k.hgei[cpu].lock.lock
        return 0
"""
    )
    answer = hgeisim("explore", "reused-line", "--variant", f"v7.3+{tmp_path}/mine.py:Mine")
    assert (answer.status, answer.out) == (1, "")
    said = "finding deadlock:kvm_riscv_aia_alloc_hgei, while the machine is set up"
    assert said in answer.err


STUCK = """from hgeisim.patch import *
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
    ("locks", "check", "move-offline", "--baseline", "v7.0"),
]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long enough."""
    monkeypatch.setattr(watchdog, "TICK_S", 0.02)
    monkeypatch.setattr(watchdog, "LIMIT", 25)


def written(folder: Path, statement: str) -> str:
    """The name of a patch with a statement."""
    (folder / "mine.py").write_text(STUCK.format(statement=statement))
    return f"v7.0+{folder}/mine.py:Mine"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("statement", ["while same(1): pass", "for n in iter(int, 1): pass"])
def test_a_loop_that_no_rule_sees_is_stopped(
    tmp_path: Path, command: tuple[str, ...], statement: str
) -> None:
    answer = hgeisim(*command, "--variant", written(tmp_path, statement))
    assert answer.status == 2
    assert "mine.py: line 5: Stuck: no yield for 0.5 s" in answer.err


@pytest.mark.slow
def test_a_file_that_goes_on_for_ever_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\nwhile x: pass\n")
    answer = hgeisim("explore", "patch-race", "--variant", f"v7.0+{tmp_path}/mine.py:Mine")
    assert answer.status == 2
    assert "mine.py: line 2: Stuck: " in answer.err


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_patch_that_takes_long_is_not_stopped(tmp_path: Path, command: tuple[str, ...]) -> None:
    variant = written(tmp_path, "n = sum(same(n) for n in range(3000))")
    assert hgeisim(*command, "--variant", variant).complaints == ""
