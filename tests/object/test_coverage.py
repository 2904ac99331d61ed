"""Coverage of C by what was executed of an object."""

from __future__ import annotations

from hgeisim.object.coverage import Coverage, FileCoverage
from tests.object.toy import Alone, code, debug, image, user


def covered(made: Alone) -> FileCoverage:
    seen = Coverage(image(), debug())
    seen.add(made.code)
    return seen.files()["pool.c"]


def test_nothing_is_covered_at_first() -> None:
    file = covered(Alone(code()))
    assert (file.executed, file.taken) == (0, 0)
    assert file.ways > 10
    assert list(file.never()) == [(min(file.lines), max(file.lines))]


def test_each_further_call_covers_more() -> None:
    made = Alone(code())
    owner = user(made.code, 7)
    made.call("pool_alloc", 1, owner)
    first = covered(made)
    assert 5 < first.executed < len(first.lines)
    for _ in range(3):  # the last one finds no line
        made.call("pool_alloc", 1, owner)
    full = covered(made)
    assert full.taken > first.taken
    assert first.ways == full.ways


def test_stretches_without_execution_end_at_lines_with_it() -> None:
    file = FileCoverage({3: False, 4: False, 6: True, 9: False})
    assert list(file.never()) == [(3, 4), (9, 9)]
