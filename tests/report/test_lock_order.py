"""A cycle of locks is graded by whether the search has shown its hang."""

from __future__ import annotations

import pytest

from hgeisim.report.lock_order import hang
from tests.support.commands import hgeisim

CYCLE = "circular:a -EN-> b -EN->"


def test_grades() -> None:
    found = [{"id": "deadlock:b+c", "token": "hg2.x"}, {"id": "leak:hgei", "token": "hg2.y"}]
    confirmed = hang(CYCLE, found, "exhausted")
    assert confirmed == {"grade": "confirmed", "id": "deadlock:b+c", "token": "hg2.x"}
    assert hang(CYCLE, found, "sampled") == confirmed
    others = [{"id": "deadlock:c", "token": "hg2.x"}, {"id": "livelock:b", "token": "hg2.z"}]
    assert hang(CYCLE, others, "exhausted") == {"grade": "no schedule in scope"}
    for coverage in ("bounded", "sampled"):
        assert hang(CYCLE, others, coverage) == {"grade": "not tried"}
    assert hang("wait-context:a b", found, "exhausted") is None


@pytest.mark.slow
def test_the_deadlock_of_a_host_that_shuts_down() -> None:
    kernel = ("--variant", "v7.0")
    output = hgeisim("explore", "host-shutdown", *kernel)
    assert "its hang: confirmed by deadlock:kvm->mmu_lock+vcpu->hfence_lock" in output.out
    result = hgeisim("explore", "host-shutdown", *kernel, "--json").document()
    findings = {each["id"]: each for each in result["findings"]}
    (cycle,) = (each for i, each in findings.items() if i.startswith("circular:"))
    assert cycle["hang"]["token"] == findings[cycle["hang"]["id"]]["token"]
