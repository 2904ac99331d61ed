"""States: a byte for each cell, and two for the cells that need them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model import codebook
from hgeisim.drivers.explored.model.codebook import Codebook, CodebookFull, TooNarrow
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.streams import Streams
from tests.support.commands import hgeisim
from tests.support.source import ROOT

START = (7, 8, 9)
NAMES = ("a", "b", "c")


def written(book: Codebook, address: int, value: int) -> bytes:
    state = bytearray(book.initial())
    for place, byte in book.code(address, value):
        state[place] = byte
    return bytes(state)


@given(st.lists(st.integers(0, 3000), max_size=700))
def test_a_wide_cell_keeps_any_number_of_values(values: list[int]) -> None:
    book = Codebook(START, NAMES, (0, 1, 2), (1,))
    states = [written(book, 1, value) for value in values]
    for value, state in zip(values, states, strict=True):
        assert book.decode(state) == [7, value, 9]


def test_a_narrow_cell_says_which_it_is() -> None:
    book = Codebook(START, NAMES, (1, 2), (1,))
    for value in range(10, 10 + 255):
        book.code(2, value)
    assert book.crowded() == []
    with pytest.raises(TooNarrow) as narrow:
        book.code(2, 500)
    assert narrow.value.address == 2


def test_a_wide_cell_is_full_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codebook, "WIDE_CODES_MAX", 300)
    book = Codebook(START, NAMES, (0,), (0,))
    for value in range(300):
        book.code(0, value)
    with pytest.raises(CodebookFull, match="a took more than 300 values"):
        book.code(0, 300)
    assert book.crowded() == [0]


def searched(name: str, states: int) -> Verdict:
    return exhaustive(space_of(load_scenario(name, {"variant": "v6.12"})), states)


@pytest.mark.slow
@pytest.mark.parametrize("codes", [3, 8])
@pytest.mark.parametrize("name", ["blocked-move", "moved-sleeper", "stale-attr"])
def test_a_search_says_the_same_however_wide_its_cells_are(
    monkeypatch: pytest.MonkeyPatch, name: str, codes: int
) -> None:
    """Most cells become wide, so what reads and writes their second byte is exercised."""
    before = searched(name, 50_000)
    monkeypatch.setattr(codebook, "CODES_MAX", codes)
    assert searched(name, 50_000) == before
    assert before.coverage == "exhausted"


@pytest.mark.slow
def test_a_path_may_have_more_than_256_places() -> None:
    """Single operations stand at each of them; merged steps at some."""
    space = space_of(load_scenario(ROOT / "tests/data/scenarios/everything.toml"))
    assert random_walk(space.fine, 400, Draw(Streams(1).stream("walk"))).ends == 400
    crowded = {space.system.memory.names[a] for a in space.fine.codebook.crowded()}
    assert crowded == {"pc vcpu/v1"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["long-script", "everything"])
@pytest.mark.proof
def test_a_long_script_is_explored(name: str) -> None:
    output = hgeisim("explore", str(ROOT / f"tests/data/scenarios/{name}.toml"), "--states", "3000")
    assert output.status in (0, 1)
    assert output.complaints == ""
    assert "no further than 3,000 states" in output.out.replace("\n  ", " ")
