"""A longer way of a known circle is known; one new dependency makes it new."""

from __future__ import annotations

import pytest

from hgeisim.checks.cause import of_ids
from hgeisim.checks.known import hazard, new_findings
from hgeisim.lockorder.circle import circle_of

LONGER = (
    "circular-instances:imsic->swfile_extirq_lock -EN-> p->pi_lock -EN-> "
    "rq->__lock -EN-> imsic->vsfile_lock -SN->"
)


def test_a_circle_is_read_from_an_id() -> None:
    circle = circle_of("circular-one-task:a -EN-> b -SR->")
    assert circle is not None
    assert circle.edges == (("a", "b", "EN"), ("b", "a", "SR"))
    assert circle_of("recursion:hgctrl->lock W W") is None
    assert circle_of("circularity:a -EN->") is None


@pytest.mark.parametrize("variant", ["v6.16", "v7.1", "v7.1+percpu-v5", "v7.1+my.py:Mine"])
def test_the_longer_way_of_b09_is_known(variant: str) -> None:
    assert new_findings(of_ids([LONGER]), variant) == []
    assert hazard(LONGER, variant) == "B-09"


NEW = {
    "a dependency that the base has not": LONGER.replace("p->pi_lock", "kvm->slots_lock"),
    "one of another kind": LONGER.replace("swfile_extirq_lock -EN", "swfile_extirq_lock -ER"),
    "another order": "circular:imsic->vsfile_lock -SN-> rq->__lock -EN-> p->pi_lock -EN->",
    "no known circle in it": "circular:kvm->lock -EN-> vcpu->mutex -EN->",
    "only a part of one": "circular:imsic->vsfile_lock -SN-> p->pi_lock -EN->",
}


@pytest.mark.parametrize("finding", NEW.values(), ids=NEW)
def test_one_new_dependency_makes_it_new(finding: str) -> None:
    assert new_findings(of_ids([finding]), "v7.1+my.py:Mine") == [finding]


def test_it_is_new_where_the_known_circle_is_not_there() -> None:
    assert new_findings(of_ids([LONGER]), "v6.12") == [LONGER]
