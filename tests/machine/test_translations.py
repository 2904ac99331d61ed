"""The IMSIC page that a HART has cached, against a page table that changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hgeisim.machine.translations import file_of, page_of, translations

FILE = st.tuples(st.integers(0, 511), st.integers(0, 63))


@given(FILE)
def test_a_page_names_its_file(file: tuple[int, int]) -> None:
    assert file_of(page_of(*file)) == file
    assert page_of(*file) > 0


def test_no_page_traps() -> None:
    assert file_of(0)[0] == -1


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("map"), st.integers(-1, 2)),
        st.tuples(st.just("store"), st.integers(0, 2)),
        st.tuples(st.just("drop"), st.integers(0, 2)),
    ),
    max_size=30,
)


@given(EVENTS)
def test_a_store_reaches_what_was_mapped_at_some_time_since_the_last_fence(
    events: list[tuple[str, int]],
) -> None:
    """And what the first store since then has found, unless that trapped."""
    made, mapped = translations(None, "v1", 3), -1
    first: dict[int, int] = {}
    for what, number in events:
        if what == "map":
            mapped = number
        elif what == "drop":
            made.drop(number)
            first.pop(number, None)
        else:
            if mapped >= 0:
                first.setdefault(number, mapped)
            cpu, hgei = made.translate(number, mapped, mapped + 1)
            assert cpu == first.get(number, -1)
            assert hgei == (cpu + 1 if cpu >= 0 else 0)
