"""Baselines of lock order: text and back, comparison, mistakes with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.drivers.lock_survey import survey
from hgeisim.errors import InputError
from hgeisim.lockorder.baseline.baseline import (
    SYMBOLS,
    Baseline,
    ClassFacts,
    EdgeFacts,
    compare,
    edge_facts,
    learned,
    merged_class,
    more_usage,
)
from hgeisim.lockorder.baseline.baseline_file import (
    baseline_from,
    read_baseline,
    shipped_names,
    shipped_path,
    text_of_baseline,
)
from hgeisim.lockorder.baseline.export_graph import (
    adjacent,
    around,
    classes_in_cycles,
    dot,
    graph_of,
    graphml,
    tree,
)
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.lockorder.graph.lock_class import KINDS, Lock
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support.kernels import fits

NAMES = st.text("abc->_()", min_size=1, max_size=8).filter(lambda name: name != "<")
USAGES = st.text(SYMBOLS, min_size=4, max_size=4)
FACTS = st.builds(ClassFacts, st.sampled_from(sorted(KINDS)), st.just("spin:spin"), USAGES)
KINDS_SEEN = st.frozensets(st.sampled_from(["ER", "EN", "SR", "SN"]), min_size=1)
EDGE = st.builds(EdgeFacts, KINDS_SEEN, st.text("fgh_", min_size=1, max_size=5))


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    classes = draw(st.dictionaries(NAMES, FACTS, min_size=1, max_size=6))
    pairs = st.tuples(st.sampled_from(sorted(classes)), st.sampled_from(sorted(classes)))
    accepted = st.dictionaries(st.text("xy->", min_size=1), st.just("because"))
    edges = draw(st.dictionaries(pairs, EDGE, max_size=8))
    return Baseline("v7.0", ("a", "b"), classes, edges, draw(accepted))


@given(baselines())
def test_a_text_is_read_back_as_it_was(baseline: Baseline) -> None:
    text = text_of_baseline(baseline)
    assert text_of_baseline(baseline_from(text)) == text
    assert compare(baseline, baseline_from(text)) == []


@given(baselines(), baselines())
def test_a_comparison_names_every_difference(one: Baseline, other: Baseline) -> None:
    there, back = compare(one, other), compare(other, one)
    assert (there == []) == (back == [])
    assert sorted((d.what, d.name) for d in there) == sorted((d.what, d.name) for d in back)
    signs = {"+": "-", "-": "+", "~": "~"}
    assert {(signs[d.sign], d.what, d.name) for d in there} == {
        (d.sign, d.what, d.name) for d in back
    }


@given(baselines(), st.data())
def test_a_damaged_text_is_read_or_refused_with_its_line(
    baseline: Baseline, data: st.DataObject
) -> None:
    lines = text_of_baseline(baseline).split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.text("class edge accept kernel <>{}:.,x#", max_size=30))
    try:
        baseline_from("\n".join(lines), "b.txt")
    except InputError as error:
        assert all(str(problem).startswith("b.txt: ") or "kernel" in str(problem)
                   for problem in error.problems)  # fmt: skip


GOOD = """\
kernel v7.0
scenarios a
class A raw_spinlock spin:spin {-...}
class B mutex sleep:sleep {+.+.}
edge B < A EN f
accept wait-context:A B :: why
"""


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        (1, "kernel", "must be `kernel VARIANT`"),
        (3, "class A raw_spinlock spin:spin", "must be `class NAME TYPE NEED:INNER {USAGE}`"),
        (3, "class A raw_spinlok spin:spin {....}", 'did you mean "raw_spinlock"?'),
        (3, "class A mutex spin {....}", "wait levels must be two of"),
        (3, "class A mutex sleep:slip {....}", "wait levels must be two of"),
        (3, "class A mutex sleep:sleep {...}", "usage must be 4 of .-+?"),
        (3, "class A mutex sleep:sleep ....", "usage must be 4 of .-+?"),
        (3, "class A mutex sleep:sleep {..x.}", "usage must be 4 of .-+?"),
        (3, "class B mutex sleep:sleep {....}", "is there twice"),
        (4, "clas B mutex sleep:sleep {....}", 'did you mean "class"?'),
        (5, "edge B A EN f", "must be `edge HELD < WANTED KINDS FUNCTION`"),
        (5, "edge B < A EM f", "kinds must be some of EN,ER,SN,SR"),
        (5, "edge B < A EN f\nedge B < A EN f", "is there twice"),
        (5, "edge B < AA EN f", 'has an edge, but no `class` line; did you mean "A"?'),
        (6, "accept wait-context:A B", "nothing is accepted without a reason"),
        (6, "accept x :: y\naccept x :: y", "is there twice"),
    ],
)
def test_a_mistake_is_reported_with_its_line(line: int, instead: str, message: str) -> None:
    lines = GOOD.split("\n")
    lines[line - 1] = instead
    with pytest.raises(InputError) as error:
        baseline_from("\n".join(lines), "b.txt")
    assert message in str(error.value)
    assert str(error.value).startswith("b.txt: ")


def test_a_baseline_without_a_kernel(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no `kernel VARIANT` line"):
        baseline_from("# nothing\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_baseline(tmp_path / "nothing.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="must be UTF-8"):
        read_baseline(tmp_path / "binary")


def learn(*orders: str) -> Baseline:
    """The knowledge of a validator when one task after another takes locks in these orders."""
    validator = Validator()
    locks = {name: Lock(name, KINDS["raw_spinlock"]) for order in orders for name in order}
    for number, order in enumerate(orders):
        context = validator.context(f"t{number}")
        context.stack = (f"f{number}",)
        for name in order:
            validator.acquire(context, locks[name])
        for name in reversed(order):
            validator.release(context, locks[name])
    return learned([validator.known], "k", ["s"], {})


def test_what_is_learned() -> None:
    made = learn("abc", "ac")
    facts = ClassFacts("raw_spinlock", "spin:spin", "+.+.")
    assert made.classes == {"a": facts, "b": facts, "c": facts}
    assert {pair: (edge.site, *edge.kinds) for pair, edge in made.edges.items()} == {
        ("a", "b"): ("f0", "EN"),
        ("a", "c"): ("f0", "EN"),
        ("b", "c"): ("f0", "EN"),
    }


def test_changes_are_reported() -> None:
    lines = GOOD.replace("{-...}", "{?...}").replace("EN f", "EN,ER f").replace("mutex", "rwsem")
    changed = baseline_from(lines.replace("accept", "# accept"))
    assert [str(d) for d in compare(baseline_from(GOOD), changed)] == [
        "~ usage A  {-...} -> {?...}",
        "~ type B  mutex -> rwsem",
        "~ edge B < A  EN -> EN,ER",
        "- finding wait-context:A B  why",
    ]
    assert [d.grows for d in compare(baseline_from(GOOD), changed)] == [True, True, True, False]
    assert not any(d.grows for d in compare(changed, baseline_from(GOOD)) if d.what == "usage")


@given(USAGES, USAGES)
def test_usage_adds_up(one: str, other: str) -> None:
    facts = merged_class(ClassFacts("k", "w", one), ClassFacts("k", "w", other))
    assert more_usage(one, other) == (facts.usage != one)


def test_the_graph_and_its_pictures() -> None:
    made = learn("abc")
    assert set(adjacent(made).edges) == {("a", "b"), ("b", "c")}
    assert set(around(adjacent(made), "a", 1).classes) == {"a", "b"}
    assert classes_in_cycles(made) == set()
    assert graph_of(made).edges["a", "c"] == {"kinds": "EN", "site": "f0"}
    assert '"a" -> "c" [label="EN\\nf0"];' in dot(made)
    assert graphml(made).count("<edge ") == 3
    assert list(tree(around(made, "c", 0))) == ["c  raw_spinlock spin:spin {+.+.}"]
    with pytest.raises(InputError, match='did you mean "a"'):
        around(made, "aa", 1)


def test_cycles_stay_whole() -> None:
    made = learn("ab", "ba", "abc")
    assert classes_in_cycles(made) == {"a", "b"}
    assert set(adjacent(made).edges) == {("a", "b"), ("b", "a"), ("a", "c"), ("b", "c")}
    assert '"a" -> "b" [label="EN\\nf0", color="red"];' in dot(made)


def test_the_shipped_baselines_can_be_read() -> None:
    assert "v7.0" in shipped_names()
    for name in shipped_names():
        path = shipped_path(name)
        assert path is not None
        assert read_baseline(path).kernel == name
        assert text_of_baseline(read_baseline(path)) == path.read_text(encoding="utf-8")
    assert shipped_path("v9.9") is None


@pytest.mark.proof
def test_the_scenarios_of_the_baselines_show_all_that_the_library_shows() -> None:
    path = shipped_path("v7.0")
    assert path is not None
    full = {"realtime": "full"}
    names = [name for name in built_in_names() if fits(name, "v7.0")]
    given = {name: {"variant": "v7.0", "preemption": full.get(name)} for name in names}
    found = survey((name, load_scenario(name, given[name])) for name in given)
    edges: dict[Pair, set[str]] = {}
    for each in found.validators.values():
        for pair, facts in edge_facts(each.known).items():
            edges.setdefault(pair, set()).update(facts.kinds)
    assert edges == {pair: set(facts.kinds) for pair, facts in read_baseline(path).edges.items()}
