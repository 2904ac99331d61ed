"""The order in a mail is enough: every schedule that keeps it, from the same start, shows the
finding."""

from __future__ import annotations

import pytest

from hgeisim.drivers.explored.counterexample.completions import WholeOrder, completions
from hgeisim.drivers.explored.counterexample.event_order import Edge
from hgeisim.drivers.explored.counterexample.evidence import evidence
from hgeisim.drivers.explored.counterexample.replay import findings_of
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.report.kernel_names import distance
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams

SAMPLES = 200


def space(name: str, variant: str) -> Space:
    return space_of(load_scenario(name, {"variant": variant}))


def orders(searched: Space, states: int) -> dict[str, tuple[Edge, ...]]:
    """The order that a mail gives, for each finding of a search."""
    found: dict[str, tuple[Edge, ...]] = {}
    for finding, counterexample in exhaustive(searched, states).counterexamples.items():
        shown = evidence(searched, counterexample.schedule, finding, distance)
        assert shown.slice.enough, finding
        found[finding] = tuple(each.edge for each in shown.slice.order)
    return found


def unshown(searched: Space, finding: str, order: tuple[Edge, ...]) -> int:
    """How many of some schedules in that order do not show the finding."""
    below = Streams(7).stream("other schedules").below
    made = completions(searched, finding, order, SAMPLES, below)
    return sum(not completion.shows for completion in made)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant", "number"),
    [("blocked-move", "v6.12", 2), ("moved-sleeper", "v6.16", 3), ("stale-attr", "v7.0", 2)],
)
@pytest.mark.proof
def test_every_finding_of_a_small_scenario(name: str, variant: str, number: int) -> None:
    searched = space(name, variant)
    found = orders(searched, 100_000)
    assert len(found) == number
    assert {i: unshown(searched, i, order) for i, order in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "variant"),
    [("move-offline", "v7.0"), ("patch-race", "v6.12+percpu-v2"), ("host-shutdown", "v7.0")],
)
def test_every_finding_of_a_large_scenario(name: str, variant: str) -> None:
    searched = space(name, variant)
    found = orders(searched, 3_000_000)
    assert {i: unshown(searched, i, order) for i, order in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.slow
@pytest.mark.proof
def test_no_edge_of_an_order_can_be_left_out() -> None:
    searched = space("stale-attr", "v7.0")
    for finding, order in orders(searched, 100_000).items():
        assert WholeOrder(searched, finding, order).failing() is None
        for edge in order:
            rest = [each for each in order if each != edge]
            failing = WholeOrder(searched, finding, rest).failing()
            assert failing is not None
            assert finding not in {each.id for each in findings_of(searched, failing)}
