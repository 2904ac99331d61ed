"""A task that waits until a guest lets its thread leave KVM_RUN is not deadlocked; a cycle is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import hgeisim

PATCHES = Path(__file__).parent.parent / "data/patches"
STAYS, LEAVES = str(PATCHES / "vcpu-mutex.toml"), str(PATCHES / "vcpu-mutex-leave.toml")
NOTE = "waits-for-guest:vcpu->mutex"


def ids(command: str, scenario: str, variant: str) -> tuple[int, set[str], str]:
    """The status, the ids other than those of B-08 and B-09, and the text of the note."""
    result = hgeisim(command, scenario, "--variant", f"v7.0+{variant}", "--json")
    document = result.document()
    found = {f["id"]: f["text"] for f in document["findings"] if not f.get("known_as")}
    return result.status, set(found), found.get(NOTE, "")


def patch(name: str) -> str:
    """A class of the file with patches, as an argument of --variant."""
    return f"{PATCHES / 'vcpu_mutex.py'}:{name}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "held"), [("GetRegs", "nothing"), ("Landed", "v1.lock")], ids=["GetRegs", "Landed"]
)
def test_a_wait_for_a_guest_is_a_note_in_a_search(name: str, held: str) -> None:
    status, found, note = ids("explore", STAYS, patch(name))
    assert (status, found) == (0, {NOTE})
    assert note == (f"ioctl at mutex_lock v1.mutex, holding {held}: until vcpu/v1 leaves KVM_RUN")


@pytest.mark.parametrize("name", ["GetRegs", "Landed"])
def test_it_is_one_in_a_run(name: str) -> None:
    status, found, note = ids("run", STAYS, patch(name))
    assert (status, found) == (0, {NOTE})
    assert "ms at the end: until vcpu/v1 leaves KVM_RUN" in note


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explore", "run"])
@pytest.mark.parametrize("name", ["GetRegs", "Landed"])
def test_no_note_if_the_thread_leaves(command: str, name: str) -> None:
    assert ids(command, LEAVES, patch(name))[:2] == (0, set())


@pytest.mark.slow
def test_a_thread_in_kvm_run_that_waits_for_the_waiter_is_a_deadlock() -> None:
    status, found, _ = ids("explore", STAYS, patch("RunTakesKvmLock"))
    assert status == 1
    assert "deadlock:kvm->lock+vcpu->mutex" in found


@pytest.mark.slow
def test_no_task_waits_for_a_guest_with_preemption_off() -> None:
    status, found, _ = ids("explore", STAYS, patch("Spins"))
    assert status == 1
    assert "scheduling-while-atomic:kvm_riscv_aia_imsic_rw_attr" in found


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explore", "run"])
def test_lock_order_sees_the_locks_after_the_mutex(command: str) -> None:
    status, found, _ = ids(command, LEAVES, f"{PATCHES / 'stale.py'}:Serialized")
    assert (status, found) == (1, {"circular:kvm->lock -EN-> vcpu->mutex -EN->"})


@pytest.mark.slow
def test_a_grace_period_waits_for_a_guest_of_the_same_vm(tmp_path: Path) -> None:
    scenario = tmp_path / "destroy.toml"
    text = Path(STAYS).read_text().replace('name = "v1"', 'name = "v1"\nvm = "a"')
    text = text.replace('name = "v2"', 'name = "v2"\nvm = "a"').replace("rw_attr v1", "destroy v3")
    text = f'{text}\n[[vcpu]]\nname = "v3"\nhart = 2\nvm = "a"\n'
    scenario.write_text(text.replace('"migrate 2", "run", "block"', '"migrate 2"'))
    result = hgeisim("explore", str(scenario), "--json").document()
    found = {f["id"] for f in result["findings"]}
    assert "waits-for-guest:synchronizesrcu" in found
    assert not any(each.startswith("deadlock") for each in found)


def test_leave_comes_last(tmp_path: Path) -> None:
    scenario = tmp_path / "early.toml"
    scenario.write_text(Path(LEAVES).read_text().replace('"run", "leave"', '"leave", "run"'))
    result = hgeisim("scenario", "check", str(scenario))
    assert result.status == 2
    assert "must have 'leave' as its last action" in result.err + result.out


@pytest.mark.slow
def test_a_thread_that_has_left_with_the_mutex_is_not_a_guest(tmp_path: Path) -> None:
    scenario = tmp_path / "two-ioctls.toml"
    text = Path(STAYS).read_text()
    first = text.index('[[task]]\nname = "vcpu/v1"')
    tasks = '[[task]]\nname = "{}"\nhart = 1\ndoes = ["rw_attr v1"]\n'
    scenario.write_text(text[:first] + tasks.format("ioctl") + tasks.format("another"))
    status, found, _ = ids("explore", str(scenario), patch("Keeps"))
    assert status == 1
    assert "deadlock:vcpu->mutex" in found
    assert NOTE not in found


@pytest.mark.parametrize(("until", "waited"), [("3ms", "2.998 ms"), ("50ms", "49.998 ms")])
@pytest.mark.parametrize("variant", ["v7.2", "v7.3"])
def test_kvm_lock_is_held_until_a_guest_leaves(variant: str, until: str, waited: str) -> None:
    """RA-1: it has no bound, and another vCPU's ioctl waits as long."""
    result = hgeisim("run", "attr-waits", "--variant", variant, "--until", until, "--json")
    notes = {f["id"]: f["text"] for f in result.document()["findings"] if not f.get("known_as")}
    assert (result.status, set(notes)) == (0, {NOTE, "waits-for-guest:kvm->lock"})
    assert all(f"for {waited} at the end" in text for text in notes.values())


def test_before_rw_attr_mutex_nobody_waits_for_a_guest() -> None:
    result = hgeisim("run", "attr-waits", "--variant", "v7.1", "--json")
    assert not [f["id"] for f in result.document()["findings"] if not f.get("known_as")]
