"""The objects of tests/data/object/aia in place of aia.o and aia_imsic.o: in a search, and in time.

They do what v6.12 with its stable tree does, so everything has to come out as with the model.
"""

from __future__ import annotations

from typing import Any

import pytest

import hgeisim
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.drivers.timed.workload import vms
from hgeisim.kernel.object.structs import Structs
from hgeisim.kernel.structs import Vm
from hgeisim.library.own_patch import execute
from hgeisim.library.scenarios import load
from hgeisim.object.plain_memory import PlainMemory
from hgeisim.runs.fingerprint import fingerprint
from tests.object.toy import DATA
from tests.support.source import ROOT

MODEL = "v6.12+stable"
OBJECT = f"{MODEL}+object:{DATA / 'aia'}"
MS = 1_000_000


@pytest.fixture(autouse=True)
def objects() -> None:
    execute(OBJECT)


def run(name: str, variant: str, until_ns: int) -> Simulation:
    scenario = load(name, variant=variant, set={"kernel.preemption": "full"})
    made = simulate(scenario)
    made.run(until_ns)
    return made


def outcome(made: Simulation) -> tuple[object, ...]:
    found = {ident: time_ns for ident, (time_ns, _) in made.findings.items()}
    return fingerprint(made.timeline), found, made.msis()["all"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["one-vm", "hotplug-storm", "exhaustion-hwaccel", "suspend", "attr-waits"]
)
def test_a_run_is_that_of_the_model(name: str) -> None:
    assert outcome(run(name, OBJECT, MS)) == outcome(run(name, MODEL, MS))


@pytest.mark.slow
def test_structs_of_vms_that_are_gone_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    end = Structs.end

    def noted(structs: Structs, vm: Vm) -> None:
        gone.append(vm.name)
        end(structs, vm)

    monkeypatch.setattr(Structs, "end", noted)
    monkeypatch.setattr(vms, "FORGET_NS", MS)
    made = run("vm-churn", OBJECT, 5 * MS)
    assert outcome(made) == outcome(run("vm-churn", MODEL, 5 * MS))
    k: Any = made.k
    assert len(gone) > 2
    assert len({k.structs.pointer(vcpu.id) for vcpu in k.vcpus[1:]}) < len(k.vcpus) - 1
    assert isinstance(k.object.memory, PlainMemory)


@pytest.mark.slow
def test_lock_order_is_that_of_the_model() -> None:
    found = hgeisim.locks.check(MODEL, OBJECT, ["hotplug-storm"])
    assert (found.document["new"], found.document["lost"]) == (0, 0)
    assert found.document["edges"] > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blocked-move", "attr-offline", "vmid-rollover"])
def test_a_search_finds_what_it_finds_in_the_model(name: str) -> None:
    model, objects = (hgeisim.explore(name, variant=each) for each in (MODEL, OBJECT))
    assert model.findings
    assert [each["id"] for each in objects.findings] == [each["id"] for each in model.findings]


@pytest.mark.slow
def test_reports_say_what_is_real_and_where_it_stands() -> None:
    found = hgeisim.explore("blocked-move", variant=OBJECT)
    assert list(found.document["code"]) == ["aia.o", "aia_imsic.o", "vmid.o"]
    text = " ".join(str(found).split())
    assert "code: aia.o " in text
    assert "; machine and callers: model" in text
    replayed = hgeisim.replay(found.findings[0]["token"], variant=OBJECT)
    sources = {
        (each["function"], each["source"].split(":")[0])
        for each in replayed.document["steps"]
        if "source" in each
    }
    assert ("aia_find_hgei", "aia.c") in sources
    assert ("kvm_riscv_vcpu_aia_imsic_update", "aia_imsic.c") in sources
    assert "source" not in replayed.document["steps"][0]
    assert "[aia.c:" in str(replayed)


@pytest.mark.slow
def test_a_patched_build_is_compared_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    base = f"{MODEL}+object:tests/data/object/aia"
    found = hgeisim.explore("reused-line", variant=f"{base}-lockless", base=base)
    standing = {each["id"]: each["standing"] for each in found.findings}
    assert standing["bitmap-owner:taken-line"] == "introduced"
    assert standing["not-owner:hgei"] == "introduced"
    text = str(found)
    assert "kvm_riscv_aia_disable" in text
    assert not any(name in text for name in ("object_path", "source_of", "add_vcpu"))
    page = (ROOT / "docs/test-your-patch.md").read_text()
    assert "".join(f"{line}\n" for line in text.splitlines()[:5]) in page
