"""`hgeisim locks`: learn, check, diff and show, as a reviewer uses them.

Run, explore, replay and locks check report the same lock-order findings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.lockorder.baseline.baseline_file import shipped_names
from tests.support.commands import Told, hgeisim
from tests.support.golden import check_golden
from tests.support.source import ROOT

PATCH = "v7.0+docs/lock_order_patch.py:KeepLock"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


QUICK = ("v6.12", "v7.3")
"""The oldest and the newest; `make proof` has them all, of up to nine seconds each."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.proof])
        for name in shipped_names()
    ],
)
def test_a_shipped_baseline_is_what_its_kernel_does(name: str) -> None:
    answer = hgeisim("locks", "check", "--baseline", name, "--json")
    document = answer.document()
    assert (answer.status, document["new"], document["stale"], document["gone"]) == (0, 0, [], [])


def test_a_patch_that_changes_the_order() -> None:
    answer = hgeisim("locks", "check", "move-offline", "--baseline", "v7.0", "--variant", PATCH)
    assert (answer.status, answer.err) == (1, "")
    check_golden("locks-check", answer.out)
    assert "+ edge hgctrl->lock < imsic->vsfile_lock  EN" in answer.out
    assert "new finding recursion:hgctrl->lock W W" in answer.out
    narrow = [line for line in answer.out.splitlines() if "CPU" not in line and "lock(" not in line]
    assert max(map(len, narrow)) <= 80


def test_a_patch_as_json() -> None:
    answer = hgeisim(
        "locks", "check", "move-offline", "--baseline", "v7.0", "--variant", PATCH, "--json"
    )
    document = answer.document()
    assert answer.status == 1
    assert document["new"] == len(document["added"]) + len(document["findings"])
    assert {"sign", "what", "name", "detail"} == set(document["added"][0])
    assert all(each["lock_order_id"].startswith("LO-") for each in document["findings"])


def test_learn_writes_what_check_reads(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    assert hgeisim("locks", "learn", "move-offline", "--out", str(file)) == (0, "", "")
    text = file.read_text(encoding="utf-8")
    assert hgeisim("locks", "learn", "move-offline").out == text
    answer = hgeisim("locks", "check", "--baseline", str(file))
    assert answer.status == 0
    assert "0 new, 1 known, 0 stale" in answer.out.replace("\n", " ")
    assert hgeisim("locks", "check", "--baseline", str(file), "--strict").status == 1


def test_learn_accepts_nothing_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    args = ("locks", "learn", "move-offline", "--variant", PATCH, "--out", str(file))
    answer = hgeisim(*args)
    assert answer.status == 1
    assert "not accepted: recursion:hgctrl->lock W W" in answer.err
    assert "recursion" not in file.read_text(encoding="utf-8")
    with file.open("a", encoding="utf-8") as out:
        out.write("accept recursion:hgctrl->lock W W :: explained on the list\n")
    again = hgeisim(*args)
    assert "not accepted: recursion" not in again.err
    assert ":: explained on the list\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("variant", "status", "word"), [("v7.0", 1, "lost"), ("v6.18", 0, "stale")]
)
def test_what_is_no_longer_there_is_lost_or_stale(
    tmp_path: Path, variant: str, status: int, word: str
) -> None:
    """Only the kernel of the baseline can lose something."""
    file = tmp_path / "mine.txt"
    hgeisim("locks", "learn", "stale-attr", "--variant", "v7.0", "--out", str(file))
    with file.open("a", encoding="utf-8") as out:
        out.write("class old mutex sleep:sleep {....}\nedge old < kvm->lock EN f\n")
        out.write("accept gone:old :: why\n")
    answer = hgeisim("locks", "check", "--baseline", str(file), "--variant", variant)
    assert answer.status == status
    assert f"3 {word}" in answer.out
    assert f"\n{word}:\n" in answer.out
    assert "- edge old < kvm->lock" in answer.out
    assert "- finding gone:old" in answer.out
    part = hgeisim("locks", "check", "module-exit", "--baseline", str(file))
    assert "lost:" not in part.out


def test_a_declared_order(tmp_path: Path) -> None:
    order = tmp_path / "order.txt"
    order.write_text("rq->__lock < p->pi_lock\nleaf vcpu->hfence_lock\nvcpu->mutx < vcpu->mutex\n")
    args = ("locks", "check", "big-little", "--baseline", "v7.0", "--order", str(order))
    answer = hgeisim(*args)
    assert answer.status == 1
    words = " ".join(answer.out.split())
    assert "rq->__lock is taken inside p->pi_lock; line 1 says rq->__lock < p->pi_lock" in words
    assert "declared, never seen: vcpu->mutx; did you mean vcpu->mutex?" in words
    assert "declared, not exercised: vcpu->mutx < vcpu->mutex" in words
    order.write_text("rq->__lock <\n")
    wrong = hgeisim(*args)
    assert wrong.status == 2
    assert f"{order}: line 1 = 'rq->__lock <': must be `CLASS < CLASS`" in wrong.err


def test_diff_of_two_kernels() -> None:
    answer = hgeisim("locks", "diff", "v6.12", "v7.0")
    assert answer.status == 1
    check_golden("locks-diff", answer.out)
    assert hgeisim("locks", "diff", "v7.0", "v7.0") == (
        0,
        "a: v7.0, b: v7.0\nboth from the same scenarios (16)\nno difference\n",
        "",
    )
    document = hgeisim("locks", "diff", "v6.12", "v7.0", "--json").document()
    assert len(document["differences"]) == 3


def test_diff_with_a_real_kernel(tmp_path: Path) -> None:
    dump = tmp_path / "lockdep"
    dump.write_text(
        "all lock classes:\n"
        "0a FD:    2 BD:    1 ++++: cpu_hotplug_lock\n"
        " -> [0b] cpuhp_state_mutex\n\n"
        "0b FD:    2 BD:    1 +.+.: cpuhp_state_mutex\n"
        " -> [0c] kvm_usage_lock\n"
        "0c FD:    1 BD:    1 +.+.: kvm_usage_lock\n"
    )
    answer = hgeisim("locks", "diff", str(dump), "v6.12")
    assert answer.status == 1
    assert answer.out.partition("common:")[2] == (
        " cpu_hotplug_lock, cpuhp_state_mutex, kvm_usage_lock\n"
        "- edge cpuhp_state_mutex < kvm_usage_lock  the real kernel has it, the model\n"
        "      does not\n"
        "+ edge kvm_usage_lock < cpu_hotplug_lock  the model has it: EN (first in\n"
        "      cpuhp_setup_state)\n"
        "+ edge kvm_usage_lock < cpuhp_state_mutex  the model has it: EN (first in\n"
        "      cpuhp_setup_state)\n"
        "3 differences\n"
    )


@pytest.mark.parametrize("command", ["check", "diff", "show"])
def test_a_malformed_file(command: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_text("kernel v7.0\nclas a\n", encoding="utf-8")
    given = {"check": ["--baseline", str(file)], "diff": [str(file), "v7.0"], "show": [str(file)]}
    answer = hgeisim("locks", command, *given[command])
    assert (answer.status, answer.out) == (2, "")
    assert f"{file}: line 2 = 'clas a': must begin with kernel" in answer.err


def test_a_kernel_that_nobody_knows() -> None:
    answer = hgeisim("locks", "show", "v7.9")
    assert answer.status == 2
    assert "nor a shipped baseline (v6.12, " in answer.err


def test_show_as_text_and_for_programs(tmp_path: Path) -> None:
    near = hgeisim("locks", "show", "v7.0", "--around", "kvm->mmu_lock").out
    assert "kvm->mmu_lock  spinlock config:config {?.+.}\n  < @ipi  EN  kvm_make" in near
    assert "p->pi_lock" not in near
    assert hgeisim("locks", "show", "--format", "dot").out.startswith("digraph locks {\n")
    file = tmp_path / "locks.graphml"
    assert hgeisim("locks", "show", "--format", "graphml", "--out", str(file)).status == 0
    assert file.read_text(encoding="utf-8").count("<node ") > 15
    document = hgeisim("locks", "show", "--all", "--json").document()
    assert {"held", "wanted", "kinds", "site"} == set(document["edges"][0])


def test_show_as_a_picture(tmp_path: Path) -> None:
    for form, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        pictures = []
        for number in range(2):
            file = tmp_path / f"{number}.{form}"
            assert hgeisim("locks", "show", "--format", form, "--out", str(file)).status == 0
            pictures.append(file.read_bytes())
        assert pictures[0] == pictures[1]
        assert pictures[0].startswith(magic)
    answer = hgeisim("locks", "show", "--format", "png")
    assert (answer.status, "a picture needs a file" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("form", "name", "expected"),
    [
        ("svg", "x.png", "x.png: does not fit --format svg; --format png"),
        ("png", "x.SVG", "x.SVG: does not fit --format png; --format svg"),
        ("png", "x", "x: does not fit --format png; end it in .png"),
        ("png", "x.jpg", "x.jpg: does not fit --format png; end it in .png"),
        ("text", "x.dot", "x.dot: does not fit --format text; --format dot"),
        ("dot", "x.graphml", "x.graphml: does not fit --format dot; --format graphml"),
        ("graphml", "x.txt", "x.txt: does not fit --format graphml; --format text"),
        ("dot", "x.svg", "x.svg: does not fit --format dot; --format svg"),
    ],
)
def test_a_name_that_promises_another_form(
    tmp_path: Path, form: str, name: str, expected: str
) -> None:
    answer = hgeisim("locks", "show", "--format", form, "--out", str(tmp_path / name))
    assert (answer.status, answer.out) == (2, "")
    assert expected in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "name"), [("dot", "x.gv"), ("text", "x"), ("dot", "x.of-v7.0"), ("graphml", "x.xml")]
)
def test_other_names_promise_nothing(tmp_path: Path, form: str, name: str) -> None:
    assert hgeisim("locks", "show", "--format", form, "--out", str(tmp_path / name)).status == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.proof
def test_a_kernel_that_is_run_for_a_comparison_is_run_in_the_same_scenarios(
    tmp_path: Path,
) -> None:
    """A patch that changes nothing differs from a baseline in nothing, whatever that saw."""
    (tmp_path / "mine.py").write_text("from hgeisim.patch import Aia\nclass Mine(Aia): ...\n")
    variant, few = f"v7.0+{tmp_path}/mine.py:Mine", tmp_path / "few.txt"
    learn = ("locks", "learn", "move-offline", "patch-race", "--variant", "v7.0")
    assert hgeisim(*learn, "--out", str(few)).status == 0
    for words in ((str(few), variant), (variant, str(few)), ("v7.0", variant)):
        answer = hgeisim("locks", "diff", *words)
        assert (answer.status, answer.err) == (0, "")
        assert "both from the same scenarios (" in answer.out
        assert "no difference" in answer.out
    scenarios = hgeisim("locks", "diff", "v7.0", variant, "--json").document()["scenarios"]
    assert scenarios["a"] == scenarios["b"]
    assert len(scenarios["a"]) == 16


def test_a_comparison_of_different_scenarios_says_so(tmp_path: Path) -> None:
    few = tmp_path / "few.txt"
    assert hgeisim("locks", "learn", "move-offline", "--out", str(few)).status == 0
    said = " ".join(hgeisim("locks", "diff", "v7.0", str(few)).out.split())
    assert "not from the same scenarios (only a: big-little, blocked-move, " in said


PATCHES = "tests/data/patches"


class Case(NamedTuple):
    """A scenario, the kernel that it is played on, and what is wrong with its lock order."""

    scenario: str
    variant: str
    ids: set[str]


CASES = [
    Case(
        f"{PATCHES}/stale-nothread.toml",
        f"v7.0+{PATCHES}/stale.py:Serialized",
        {"circular:kvm->lock -EN-> vcpu->mutex -EN->"},
    ),
    Case(
        f"{PATCHES}/abba.toml",
        f"v7.0+{PATCHES}/abba.py:Abba",
        {
            "wait-context:vcpu->hfence_lock imsic->swfile_extirq_lock",
            "circular:imsic->swfile_extirq_lock -EN-> vcpu->hfence_lock -EN->",
        },
    ),
]


def findings(expected: Told) -> dict[str, Any]:
    assert expected.status == 1
    found = {each["id"]: each for each in expected.document()["findings"]}
    return {i: each for i, each in found.items() if is_lock_order(i)}


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.variant.rpartition(":")[2])
def test_four_commands_agree(case: Case) -> None:
    """The scenario has one order of its tasks that matters, so they play the same schedule."""
    where = (case.scenario, "--variant", case.variant, "--json")
    ran, explored = findings(hgeisim("run", *where)), findings(hgeisim("explore", *where))
    checked = hgeisim("locks", "check", *where, "--baseline", "v7.0")
    assert checked.status == 1
    assert set(ran) == set(explored) == case.ids
    assert {each["id"] for each in checked.document()["findings"]} >= case.ids
    alone = {i: each for i, each in explored.items() if each["alone"]}
    assert alone
    for name, finding in alone.items():
        replay = finding["replay"].split()
        assert name in findings(hgeisim(*replay[1:], "--json"))


@pytest.mark.slow
def test_a_known_circle_is_seen_by_an_exploration() -> None:
    found = hgeisim(
        "explore", "host-shutdown", "--variant", "v7.0", "--walk", "50", "--json"
    ).document()["findings"]
    known = {each["id"] for each in found if each["known_as"].startswith("F-4")}
    assert any(each.startswith("circular:") for each in known), known
