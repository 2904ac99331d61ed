"""What goes wrong with a user's patch while it runs is a finding with a schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import hgeisim

FILE = Path(__file__).parent / "data/patches/running.py"
OF_RUNNING = ("endless", "unbalanced", "scheduling-while-atomic", "exception", "warn-on")


def found(command: tuple[str, ...], name: str) -> tuple[int, dict[str, str]]:
    """The status, and the texts of the findings of these kinds by id."""
    result = hgeisim(*command, "--variant", f"v7.1+{FILE}:{name}", "--json")
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), EXPLORED.items(), ids=EXPLORED)
def test_it_is_found_in_a_search_and_its_token_replays(name: str, finding: str) -> None:
    command = ("explore", "move-offline", "--states", "40000", "--variant", f"v7.1+{FILE}:{name}")
    explored = hgeisim(*command, "--json")
    assert explored.status == 1
    by_id = {f["id"]: f for f in explored.document()["findings"]}
    assert by_id[finding]["new"]
    token = by_id[finding]["token"]
    replayed = hgeisim("replay", token, "--variant", f"v7.1+{FILE}:{name}", "--json")
    assert replayed.status == 1
    assert finding in {f["id"] for f in replayed.document()["findings"]}


TIMED = dict(EXPLORED)
del TIMED["Relocks"]  # in time it looks like work


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), TIMED.items(), ids=TIMED)
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
def test_sound_patches_are_not_accused(command: tuple[str, ...], name: str) -> None:
    assert found(command, name)[1] == {}
