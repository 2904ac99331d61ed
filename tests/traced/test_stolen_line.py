"""A line stolen from its owner is a finding; a line that may have been free already is not."""

from __future__ import annotations

import pytest

from hgeisim.drivers.traced.conformance import Conformance
from tests.support.traced import alloc, follow, free, run

PAGE_3_1 = "gpa=0x28000000 hpa=0x28011000"
PAGE_0_1 = "gpa=0x28000000 hpa=0x28001000"
MOVES = (
    *(*alloc(3, "v1", 1), f"3 v1-101 ioremap: kvm=k {PAGE_3_1}", run(3, "v1", 1)),
    *(*alloc(0, "v1", 1, "3:1"), f"0 v1-101 ioremap: kvm=k {PAGE_0_1}"),
)
"""v1 moves from CPU 3 to CPU 0, and has not freed its old line yet."""
TAKEN = (
    *("3 cpuhp/3-30 dis:", "3 cpuhp/3-30 rel: vcpu=v1 vs_cpu=3 vs_hgei=1"),
    *("3 v9-109 lread: hgei=1", "3 cpuhp/3-30 lread: hgei=1"),
    *("3 cpuhp/3-30 free: cpu=3 hgei=1", "3 cpuhp/3-30 rel_ret: vcpu=v1", "3 cpuhp/3-30 dis_ret:"),
)
"""CPU 3 goes offline, takes the file as well, and frees the line."""
AGAIN = (
    *("3 cpuhp/3-30 en:", "3 cpuhp/3-30 en_ret:"),
    *(*alloc(3, "v5", 1), f"3 v5-105 ioremap: kvm=k {PAGE_3_1}", run(3, "v5", 1)),
)
"""CPU 3 comes back, and v5 is given the line."""
LATE = (free(0, "v1", "3:1"), run(0, "v1", 1))
"""v1 frees it as well."""
OWNED = (*alloc(3, "v1", 1), run(3, "v1", 1), *alloc(3, "v2", 2), run(3, "v2", 2))
RELEASE = "2 vmm-7 rel: vcpu=v2 vs_cpu=3 vs_hgei=1"


def found(result: Conformance) -> dict[str, int]:
    """The findings, and the first line of each."""
    return {each.finding.id: each.line for each in result.findings}


def test_a_late_free_takes_a_line_from_its_new_owner() -> None:
    """The race of B-19 without its luck: the line was handed out between the two frees."""
    result = follow(*MOVES, *TAKEN, *AGAIN, *LATE)
    assert result.disagreement is None
    assert found(result) == {"not-owner:hgei": len((*MOVES, *TAKEN, *AGAIN, *LATE))}
    assert result.findings[0].finding.text.endswith("line 1, which belongs to nobody")


def test_a_stolen_line_that_is_handed_out_has_two_owners() -> None:
    third = (*alloc(3, "v6", 1), f"3 v6-106 ioremap: kvm=k {PAGE_3_1}", run(3, "v6", 1))
    result = follow(*MOVES, *TAKEN, *AGAIN, *LATE, run(3, "v5", 1), *third)
    assert result.disagreement is None
    assert set(found(result)) == {"not-owner:hgei", "double-owner:hgei"}


@pytest.mark.parametrize("steps", [(*AGAIN, *LATE[1:]), LATE], ids=["freed once", "freed before"])
def test_a_line_that_is_freed_before_it_is_handed_out_is_not_stolen(steps: tuple[str, ...]) -> None:
    assert "not-owner:hgei" not in found(follow(*MOVES, *TAKEN, *steps))


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (
            alloc(3, "v3", 1)[1],
            "double-owner: HART 3 line 1 is handed out to v3, but belongs to v1",
        ),
        (RELEASE, "not-owner: HART 3 line 1 is the VS-file of v2, but belongs to v1"),
        (run(3, "v2", 1), "not-owner: HART 3 line 1 is the VS-file of v2, but belongs to v1"),
    ],
    ids=["handed out", "released", "entered"],
)
def test_no_path_steals_a_line(step: str, text: str) -> None:
    """The model does not follow such a theft, and the disagreement names the line's owner."""
    asks = alloc(3, "v3", 1)[:1] if "v3" in step else ()
    result = follow(*OWNED, *asks, step, "2 vmm-7 rel_ret:")
    assert result.disagreement is not None
    assert (result.disagreement.cpu, result.disagreement.owners[:2]) == (3, ("v1", "v2"))
    assert [f"{each.finding.kind}: {each.finding.text}" for each in result.findings] == [text]


def test_a_mover_frees_the_line_of_another() -> None:
    result = follow(*OWNED, *alloc(0, "v2", 1, "3:2"), free(0, "v2", "3:1"))
    assert result.disagreement is not None
    (each,) = result.findings
    assert each.finding.text == "HART 3 line 1 is freed for v2, but belongs to v1"


@pytest.mark.parametrize("wrong", [4, 3, -2])
def test_a_wrong_line_that_nobody_owns_is_not_stolen(wrong: int) -> None:
    """Lines 1 and 2 of CPU 3 were given back, or may have been."""
    asks, gets = alloc(3, "v3", wrong)
    moving = (*alloc(0, "v1", 1, "3:1"), free(0, "v1", "3:1"))
    result = follow(*OWNED, *moving, run(0, "v1", 1), asks, gets)
    assert result.disagreement is not None
    assert result.findings == []


def test_a_line_whose_free_has_begun_may_be_handed_out() -> None:
    moving = (*alloc(0, "v1", 1, "3:1"), free(0, "v1", "3:1"))
    result = follow(*OWNED, *moving, *alloc(3, "v3", 1))
    assert (result.disagreement, result.findings) == (None, [])
    again = follow(*OWNED, *moving, *alloc(3, "v3", 1), *alloc(3, "v4", 1))
    assert again.disagreement is not None
    assert found(again) == {"double-owner:hgei": len(OWNED) + 7}
