"""Dependencies, their kinds, witnesses and strong paths, and the order of classes they allow."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.lockorder.graph.cycles import (
    Company,
    ahead,
    ancestors,
    back,
    closing_arcs,
    first_arcs,
    shortest,
)
from hgeisim.lockorder.graph.dependency_graph import (
    EN,
    ER,
    SN,
    SR,
    WITNESSES_MAX,
    Arc,
    Edge,
    Graph,
    Hold,
    Witness,
    kind_of,
    mirrored,
)
from hgeisim.lockorder.graph.lock_class import KINDS, Classes, Flavour, Lock, LockClass
from hgeisim.lockorder.report.violation import Grade
from hgeisim.lockorder.rules.feasible import find_cycle
from hgeisim.lockorder.rules.validator import Validator

W, r, R = Flavour.EXCLUSIVE, Flavour.SHARED, Flavour.RECURSIVE
KIND = KINDS["mutex"]
LOCKS = {name: Lock(name, KIND) for name in "ABCDEG"}
CLASSES = {name: LockClass(name, KIND) for name in "ABCDEG"}


def hold(name: str, flavour: Flavour = W) -> Hold:
    return Hold(LOCKS[name], CLASSES[name], flavour, ())


def witness(context: str, wanted: str, *holds: Hold) -> Witness:
    return Witness(context, LOCKS[wanted], W, holds, (), owner=holds[0] if holds else None)


def arc(graph: Graph, kind: int, path: str, context: str = "") -> Arc:
    """Add a dependency, such as `AB`, that one context showed."""
    edge = graph.edge(CLASSES[path[0]], CLASSES[path[1]])
    seen = witness(context or path, path[1], hold(path[0]))
    edge.quiet = False
    edge.add(kind, seen)
    return Arc(edge, kind, seen)


@pytest.mark.parametrize(
    ("holder", "comer", "kind"),
    [(W, W, EN), (W, r, EN), (W, R, ER), (r, W, SN), (R, r, SN), (r, R, SR), (R, R, SR)],
)
def test_kinds(holder: Flavour, comer: Flavour, kind: int) -> None:
    assert kind_of(holder, comer) == kind


def test_mirrored() -> None:
    assert [mirrored(kind) for kind in (ER, EN, SR, SN)] == [SN, EN, SR, ER]
    assert mirrored(ER | EN) == SN | EN


PATHS = [
    ("all strong", [(EN, "AB"), (EN, "BC")], "ABC"),
    ("no reader waits for readers", [(ER, "AB"), (SN, "BC")], None),
    ("a reader waits for a writer", [(ER, "AB"), (EN, "BC")], "ABC"),
    ("a writer waits for readers", [(EN, "AB"), (SN, "BC")], "ABC"),
    ("one of two kinds is enough", [(ER, "AB"), (EN, "AB"), (SR, "BC")], "ABC"),
    ("the shortest", [(EN, "AB"), (EN, "BC"), (EN, "AC")], "AC"),
    ("a strong detour", [(ER, "AB"), (EN, "AD"), (EN, "DB"), (SN, "BC")], "ADBC"),
    ("weakness is carried", [(ER, "AB"), (ER, "BD"), (SN, "DC")], None),
    ("there is none", [(EN, "BA"), (EN, "CB")], None),
]


@pytest.mark.parametrize(("arcs", "path"), [p[1:] for p in PATHS], ids=[p[0] for p in PATHS])
def test_strong_paths(arcs: list[tuple[int, str]], path: str | None) -> None:
    graph = Graph()
    for kind, ends in arcs:
        arc(graph, kind, ends)
    a, c = CLASSES["A"], CLASSES["C"]
    there = shortest(graph, (a, False), ahead, lambda cls, weak: cls is c or None)
    assert (there and classes_on(there[0])) == path
    and_back = shortest(graph, (c, False), back, lambda cls, weak: cls is a or None)
    assert (and_back and classes_on(and_back[0][::-1])) == path


def classes_on(edges: list[Edge]) -> str:
    return "".join([edges[0].source.name, *(edge.target.name for edge in edges)])


def test_a_weak_root() -> None:
    graph = Graph()
    arc(graph, SN, "AB")
    spots = [(CLASSES["A"], weak) for weak in (True, False)]
    assert [len(list(ahead(graph, spot))) for spot in spots] == [0, 1]
    spots = [(CLASSES["B"], weak) for weak in (True, False)]
    assert [len(list(back(graph, spot))) for spot in spots] == [1, 1]
    assert [spot for _, spot in back(graph, (CLASSES["B"], False))] == [(CLASSES["A"], True)]


def test_what_is_skipped_is_no_way_and_no_root() -> None:
    graph = Graph()
    arc(graph, EN, "AB")
    arc(graph, EN, "BC")
    for skipped in "AB":
        assert path_past(graph, skipped) is None
    assert path_past(graph, "D") is not None


def path_past(graph: Graph, skipped: str) -> tuple[list[Edge], bool] | None:
    return shortest(
        graph,
        (CLASSES["A"], False),
        ahead,
        lambda cls, weak: cls.name == "C" or None,
        lambda cls: cls.name == skipped,
    )


def test_quiet_dependencies_are_no_steps() -> None:
    graph = Graph()
    new = arc(graph, EN, "AB")
    new.edge.quiet = True
    assert not list(ahead(graph, (CLASSES["A"], False)))
    assert not list(back(graph, (CLASSES["B"], False)))


def test_ancestors() -> None:
    graph = Graph()
    for ends in ("AB", "BC", "CA", "CD", "EA"):
        arc(graph, EN, ends)
    names = sorted(cls.name for cls in ancestors(graph, CLASSES["B"]))
    assert names == ["A", "B", "C", "E"]


def test_a_witness_that_another_one_covers_is_not_kept() -> None:
    edge = Edge(CLASSES["A"], CLASSES["B"])
    guarded = witness("one", "B", hold("A"), hold("G"))
    free = witness("one", "B", hold("A"))
    assert edge.add(EN, guarded)
    assert not edge.add(EN, witness("one", "B", hold("A"), hold("G"), hold("C")))
    assert edge.add(EN, free)
    assert edge.witnesses == {EN: [free]}
    assert edge.add(SN, guarded)
    assert edge.kinds == EN | SN


@pytest.mark.parametrize(
    "other",
    [
        witness("two", "B", hold("A")),
        witness("one", "C", hold("A")),
        witness("one", "B", hold("D"), hold("A")),
        witness("one", "B", hold("A", r)),
    ],
    ids=["another task", "another instance wanted", "another owner", "a weaker hold"],
)
def test_a_witness_that_differs_is_kept(other: Witness) -> None:
    edge = Edge(CLASSES["A"], CLASSES["B"])
    assert edge.add(EN, witness("one", "B", hold("A")))
    assert edge.add(EN, other)


def test_a_reader_excludes_less_than_a_writer() -> None:
    edge = Edge(CLASSES["A"], CLASSES["B"])
    assert edge.add(EN, witness("one", "B", hold("A"), hold("G", r)))
    assert not edge.add(EN, witness("one", "B", hold("A"), hold("G")))
    assert not edge.add(EN, witness("one", "B", hold("A"), hold("G", R)))


def test_many_witnesses_are_merged() -> None:
    edge = Edge(CLASSES["A"], CLASSES["B"])
    for number in range(WITNESSES_MAX + 1):
        other = hold("C") if number else hold("D")
        edge.add(EN, witness(f"task {number}", "B", hold("A"), hold("G"), other))
    (all_of_them,) = edge.witnesses[EN]
    assert all_of_them.merged
    assert [each.lock.name for each in all_of_them.holds] == ["A", "G"]
    assert not edge.add(EN, witness("one more", "C", hold("A"), hold("G")))
    assert edge.add(EN, witness("one more", "B", hold("A")))


def crowd(graph: Graph, path: str, guards: list[Hold]) -> Arc:
    """A dependency with more witnesses than are kept apart."""
    new = arc(graph, EN, path)
    new.edge.witnesses.clear()
    for number in range(WITNESSES_MAX + 1):
        new.edge.add(EN, witness(f"{path} {number}", path[1], hold(path[0]), *guards))
    return new._replace(witness=new.edge.witnesses[EN][0])


def test_merged_witnesses_may_be_anybody() -> None:
    graph = Graph()
    crowd(graph, "AB", [])
    new = crowd(graph, "BA", [])
    found = find_cycle(graph, new)
    assert found is not None
    assert found[0] is Grade.POSSIBLE


def test_merged_witnesses_may_want_and_own_any_instance() -> None:
    graph, other = Graph(), Lock("B2", KIND)
    crowd(graph, "AB", [])
    new = arc(graph, EN, "BA")
    new = new._replace(witness=replace(new.witness, owner=hold("B")._replace(lock=other)))
    found = find_cycle(graph, new)
    assert found is not None
    assert found[0] is Grade.POSSIBLE


def test_merged_witnesses_keep_what_guards_them_all() -> None:
    graph = Graph()
    crowd(graph, "AB", [hold("G")])
    new = crowd(graph, "BA", [hold("G")])
    found = find_cycle(graph, new)
    assert found is not None
    assert found[0] is Grade.GUARDED


def test_quiet_dependencies_do_not_weaken_a_guard() -> None:
    graph = Graph()
    for ends in ("AB", "CB"):
        seen = arc(graph, EN, ends)
        seen.edge.witnesses[EN] = [witness(ends, "B", hold(ends[0]), hold("G"))]
    quiet = arc(graph, EN, "AC")
    quiet.edge.quiet = True
    quiet.edge.witnesses[EN] = [witness("AC", "C", hold("E"))]
    graph.edge(CLASSES["C"], CLASSES["B"]).witnesses[EN] = [witness("CB", "B", hold("C"))]
    new = arc(graph, EN, "BA")
    new = new._replace(witness=witness("BA", "A", hold("B"), hold("G")))
    found = find_cycle(graph, new)
    assert found is not None
    assert found[0] is Grade.GUARDED


def test_a_search_that_is_given_up_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph()
    arc(graph, EN, "AB", "one")
    new = arc(graph, EN, "BA", "one")
    assert find_cycle(graph, new) == (Grade.ONE_TASK, (new, *arcs_between(graph, "AB")))
    monkeypatch.setattr("hgeisim.lockorder.graph.cycles.CYCLES_TRIED_MAX", 0)
    assert find_cycle(graph, new) == (Grade.POSSIBLE, (new, *arcs_between(graph, "AB")))


def arcs_between(graph: Graph, ends: str) -> list[Arc]:
    edge = graph.edge(CLASSES[ends[0]], CLASSES[ends[1]])
    return [Arc(edge, EN, edge.witnesses[EN][0])]


def test_a_search_leaves_cycles_that_do_not_close() -> None:
    graph = Graph()
    for ends in ("AB", "BA"):
        handler(arc(graph, EN, ends))
    handler(arc(graph, ER, "BC"))
    assert find_cycle(graph, arc(graph, SN, "CA")) is None


def handler(seen: Arc) -> None:
    """Let a dependency be shown by a handler, who may be anybody, and whom nothing guards."""
    seen.edge.witnesses[seen.kind] = [replace(seen.witness, context="", holds=())]


def test_a_search_leaves_what_does_not_lead_back(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph()
    for kind, ends in ((ER, "BA"), (EN, "BC"), (EN, "CD"), (EN, "DE")):
        arc(graph, kind, ends)
    monkeypatch.setattr("hgeisim.lockorder.graph.cycles.CYCLES_TRIED_MAX", 3)
    assert find_cycle(graph, arc(graph, SN, "AB")) is None


def test_a_path_consists_of_kinds_that_fit_together() -> None:
    graph = Graph()
    for kind in (ER, EN):
        first = arc(graph, kind, "AB").edge
    second = arc(graph, SN, "BC").edge
    assert [each.kind for each in first_arcs([first, second])] == [EN, SN]
    assert [each.kind for each in first_arcs([first], before=ER)] == [EN]


def test_no_cycle_is_found_where_nothing_leads_back() -> None:
    graph = Graph()
    arc(graph, EN, "BC")
    everybody = Company(lambda a, b: True, lambda a, b: True, quiet=True)
    assert closing_arcs(graph, arc(graph, EN, "AB"), everybody) == ((), True)


def test_class_names() -> None:
    classes = Classes()
    one, other = Lock("a1", KIND, "X"), Lock("a2", KINDS["rwsem"], "X")
    names = [classes.of(one), classes.of(other), classes.of(one, 2), classes.of(other, 1)]
    assert [cls.name for cls in names] == ["X", "X#2", "X/2", "X#2/1"]
    assert classes.of(Lock("a3", KIND, "X")) is names[0]
    assert classes.of(Lock("X", KIND)) is names[0]
    assert len(classes) == 4


def test_handlers_are_several_tasks() -> None:
    """Two of them may interrupt two CPUs, whoever was seen doing what."""
    validator = Validator()
    locks = {name: Lock(name, KINDS["raw_spinlock"]) for name in "AB"}
    for number, order in enumerate(("AB", "BA")):
        context = validator.context(f"hardirq/{number}")
        validator.irq_disable(context)
        validator.enter_hardirq(context)
        for name in order:
            validator.acquire(context, locks[name])
        for name in reversed(order):
            validator.release(context, locks[name])
    assert [(r.kind, r.grade) for r in validator.reports] == [("circular", Grade.POSSIBLE)]


NUMBERED = [LockClass(str(number), KINDS["mutex"]) for number in range(7)]
NUMBERS = st.integers(0, len(NUMBERED) - 1)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_there_is_an_order_until_there_is_a_cycle(pairs: list[tuple[int, int]]) -> None:
    graph, shadow = Graph(), nx.DiGraph()
    for source, target in pairs:
        graph.edge(NUMBERED[source], NUMBERED[target])
        if source != target:
            shadow.add_edge(source, target)
        acyclic = nx.is_directed_acyclic_graph(shadow)
        assert graph.ranks.circular is not acyclic
        for one, other in shadow.edges:
            assert graph.ranks.apart(NUMBERED[one], NUMBERED[other]) is acyclic
            rank = graph.ranks._rank
            assert not acyclic or rank[NUMBERED[one]] < rank[NUMBERED[other]]


def test_a_class_is_never_apart_from_itself() -> None:
    graph = Graph()
    graph.edge(NUMBERED[0], NUMBERED[0])
    assert not graph.ranks.circular
    assert not graph.ranks.apart(NUMBERED[0], NUMBERED[0])
