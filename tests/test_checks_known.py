"""The baseline: known findings have a name and a reason, and only accepted ones are not new."""

from __future__ import annotations

import pytest

from hgeisim.checks.cause import of_ids
from hgeisim.checks.known import entries, known, new_findings
from tests.kernels import V2, V5, V6_12


def test_a_known_finding_has_a_name_and_a_reason() -> None:
    entry = known("lock-init-held:hgctrl->lock", V2)
    assert entry is not None
    assert (entry.name, entry.accepted) == ("V2-1", False)
    assert all(e.name and e.reason for e in entries())


@pytest.mark.parametrize(
    ("finding", "variant"),
    [
        ("lock-init-held:hgctrl->lock", V5),
        ("unheard-of:hgei", V6_12),
        ("sleep-in-atomic:another->lock", V5),
        ("ipi-wait-atomic:another_handler", V5),
    ],
)
def test_an_unknown_finding(finding: str, variant: str) -> None:
    assert known(finding, variant) is None
    assert new_findings(of_ids([finding]), variant) == [finding]


@pytest.mark.parametrize(
    ("about", "name"),
    [("free-line", "V2-2"), ("taken-line", "V2-1"), ("all-lines", "B-16")],
)
def test_bitmap_and_owners_disagree_for_three_reasons(about: str, name: str) -> None:
    for variant in (V2, "v6.18+percpu-v2+review-clamp"):
        entry = known(f"bitmap-owner:{about}", variant)
        assert entry is not None
        assert entry.name == name
    assert known(f"bitmap-owner:{about}", V5) is None


def test_only_accepted_findings_are_not_new() -> None:
    accepted = "use-after-free:kvm_riscv_aia_disable"
    ids = [accepted, "double-owner:hgei"]
    assert new_findings(of_ids(ids), V2) == ["double-owner:hgei"]
    assert new_findings(of_ids(ids), V2, strict=True) == ids


def test_the_baseline_accepts_no_use_after_free_of_anything_else() -> None:
    finding = "use-after-free:hgei_interrupt"
    assert new_findings(of_ids([finding]), V5) == [finding]
