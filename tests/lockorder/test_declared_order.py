"""Declared orders and dumps of /proc/lockdep: what they say, and their mistakes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.errors import InputError
from hgeisim.lockorder.baseline.baseline import Baseline, ClassFacts, EdgeFacts
from hgeisim.lockorder.baseline.declared_order import (
    breaches,
    declared_from,
    not_exercised,
    read_declared,
    unknown_names,
)
from hgeisim.lockorder.baseline.proc_lockdep import (
    common,
    dump_from,
    hides_some,
    is_dump,
    lacking_in_kernel,
    lacking_in_model,
)
from hgeisim.user_file import read_text

ORDER = """\
# outermost first
a < b < c   # and so on
leaf c d
never-with x y
"""


@pytest.mark.parametrize(
    ("pair", "breaks"),
    [
        (("a", "b"), []),
        (("a", "c"), []),
        (("b", "a"), ["a is taken inside b; line 2 says a < b"]),
        (("c", "a"), ["a is taken inside c; line 2 says a < b < c"]),
        (("c", "z"), ["z is taken inside c; line 3 says leaf c"]),
        (("y", "x"), ["x is taken inside y; line 4 says never-with x y"]),
        (("x", "z"), []),
    ],
)
def test_what_a_declared_order_forbids(pair: tuple[str, str], breaks: list[str]) -> None:
    assert [str(breach) for breach in breaches(declared_from(ORDER), [pair])] == breaks


def test_what_was_declared_and_not_seen() -> None:
    declared = declared_from(ORDER)
    assert not_exercised(declared, [("a", "b")]) == [("b", "c")]
    assert unknown_names(declared, ["a", "b", "c", "dd"]) == {"d": "dd", "x": "", "y": ""}


def test_a_breach_has_an_id() -> None:
    (breach,) = breaches(declared_from(ORDER), [("b", "a")])
    assert breach.id == "declared-order:b < a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <", "order: line 1 = 'a <': must be `CLASS < CLASS`"),
        ("a < < b", "must be `CLASS < CLASS`"),
        ("< b", "must be `CLASS < CLASS`"),
        ("\nleaf", "order: line 2 = 'leaf': must name a class"),
        ("never-with a", "must name two classes"),
        ("never-with a a", "must name two classes"),
        ("leav a", 'did you mean "leaf"?'),
        ("a < b\nb < c\nc < a", "order: line 3 = a < b < c: is a cycle, which no order can keep"),
        ("a < a", "is a cycle"),
    ],
)
def test_a_mistake_in_a_declared_order(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        declared_from(text)
    assert message in str(error.value)


@given(st.text("ab<# leaf\nnever-with", max_size=60))
def test_any_text_is_an_order_or_refused_with_its_line(text: str) -> None:
    try:
        declared_from(text)
    except InputError as error:
        assert all(problem.where.startswith("line ") for problem in error.problems)


def test_a_declared_order_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_declared(tmp_path / "nothing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="must be UTF-8"):
        read_declared(tmp_path / "binary")


DUMP = """\
all lock classes:
00000000d19b1c7e FD:    3 BD:    1 ..-.: &hgctrl->lock

00000000f94815b6 FD:    2 BD:    4 ++++: cpu_hotplug_lock
 -> [00000000fae6ea6a] other

00000000fae6ea6a OPS:    17 FD:    2 BD:    1 ....: other
 -> [000000008cf231ca] &p->pi_lock

000000008cf231ca FD:    1 BD:    1 -.-.: &p->pi_lock
"""


def model(*edges: tuple[str, str]) -> Baseline:
    facts = ClassFacts("mutex", "sleep:sleep", "....")
    classes = dict.fromkeys(["hgctrl->lock", "cpu_hotplug_lock", "p->pi_lock"], facts)
    return Baseline("m", (), classes, dict.fromkeys(edges, EdgeFacts(frozenset(["EN"]), "f")))


def test_a_dump_has_the_names_of_the_model() -> None:
    dump = dump_from(DUMP)
    assert dump.classes["hgctrl->lock"].usage == "..-."
    assert set(dump.edges) == {("cpu_hotplug_lock", "other"), ("other", "p->pi_lock")}
    assert common(dump, model()) == ["cpu_hotplug_lock", "hgctrl->lock", "p->pi_lock"]


def test_what_follows_from_a_dump_is_not_lacking_there() -> None:
    dump = dump_from(DUMP)
    pairs = [("cpu_hotplug_lock", "p->pi_lock"), ("hgctrl->lock", "p->pi_lock")]
    assert list(lacking_in_kernel(dump, model(*pairs))) == pairs[1:]
    assert hides_some(dump, "hgctrl->lock")
    assert not hides_some(dump, "p->pi_lock")


def test_what_the_model_lacks() -> None:
    text = DUMP + " -> [00000000d19b1c7e] &hgctrl->lock\n"
    pair = ("p->pi_lock", "hgctrl->lock")
    assert lacking_in_model(dump_from(text), model()) == [pair]
    assert lacking_in_model(dump_from(text), model(pair)) == []


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        (1, "lock classes", "lockdep: line 1 = 'lock classes': must be 'all lock classes:'"),
        (2, "000 FD: x", "lockdep: line 2 = '000 FD: x': must be `KEY FD: n BD: n USAGE: NAME`"),
        (2, "00 FD: 1 BD: 1 ..x.: a", "must be `KEY FD: n BD: n USAGE: NAME`"),
        (5, " -> other", "lockdep: line 5 = ' -> other': must be ` -> [KEY] NAME`"),
        (2, " -> [00] a", "must stand below a class"),
    ],
)
def test_a_mistake_in_a_dump(line: int, instead: str, message: str) -> None:
    lines = DUMP.split("\n")
    lines[line - 1] = instead
    with pytest.raises(InputError) as error:
        dump_from("\n".join(lines))
    assert message in str(error.value)


@given(st.integers(0, len(DUMP) - 1), st.characters(codec="ascii"))
def test_a_damaged_dump_is_read_or_refused_with_its_line(at: int, instead: str) -> None:
    try:
        dump_from(DUMP[:at] + instead + DUMP[at + 1 :])
    except InputError as error:
        assert all(problem.where.startswith("line ") for problem in error.problems)


def test_a_dump_without_classes() -> None:
    with pytest.raises(InputError, match="the whole of /proc/lockdep is needed"):
        dump_from("all lock classes:\n")


def test_a_packed_dump(tmp_path: Path) -> None:
    (tmp_path / "dump.gz").write_bytes(gzip.compress(DUMP.encode()))
    text = read_text(tmp_path / "dump.gz")
    assert is_dump(text)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(DUMP.encode())[:40])
    with pytest.raises(InputError, match="cut short here"):
        read_text(tmp_path / "cut.gz")
