"""The order of the classes: there as long as the graph has no circle, and in agreement with it."""

from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.lockorder.classes import KINDS, LockClass
from hgeisim.lockorder.graph import Graph

CLASSES = [LockClass(str(number), KINDS["mutex"]) for number in range(7)]
NUMBERS = st.integers(0, len(CLASSES) - 1)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_there_is_an_order_until_there_is_a_circle(pairs: list[tuple[int, int]]) -> None:
    graph, shadow = Graph(), nx.DiGraph()
    for source, target in pairs:
        graph.edge(CLASSES[source], CLASSES[target])
        if source != target:
            shadow.add_edge(source, target)
        acyclic = nx.is_directed_acyclic_graph(shadow)
        assert graph.ranks.circular is not acyclic
        for one, other in shadow.edges:
            assert graph.ranks.apart(CLASSES[one], CLASSES[other]) is acyclic
            rank = graph.ranks._rank
            assert not acyclic or rank[CLASSES[one]] < rank[CLASSES[other]]


def test_a_class_is_never_apart_from_itself() -> None:
    graph = Graph()
    graph.edge(CLASSES[0], CLASSES[0])
    assert not graph.ranks.circular
    assert not graph.ranks.apart(CLASSES[0], CLASSES[0])
