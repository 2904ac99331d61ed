"""The traced driver finds an order of sections if and only if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.traced.booted_kernel import boot_for_trace
from hgeisim.drivers.traced.event_handlers import HANDLERS
from hgeisim.drivers.traced.interleavings import Follower
from hgeisim.trace.interval import Event
from tests.support.traced import alloc, excerpt, follow, free, run, variant_of

START = (*alloc(1, "v1", 1), run(1, "v1", 1), *alloc(1, "v2", 2), run(1, "v2", 2))
"""v1 and v2 have lines 1 and 2 of CPU 1."""
MOVES = (*alloc(0, "v1", 1, "1:1"), free(0, "v1", "1:1"))
"""v1 is about to give line 1 back, or has done so."""


@pytest.mark.parametrize("line", [1, 3])
def test_a_line_given_back_is_free_somewhere_after_the_entry_of_free(line: int) -> None:
    result = follow(*START, *MOVES, *alloc(1, "v3", line), run(0, "v1", 1), run(1, "v3", line))
    assert result.disagreement is None


def test_a_line_given_back_is_free_when_its_thread_goes_on() -> None:
    result = follow(*START, *MOVES, run(0, "v1", 1), *alloc(1, "v3", 3))
    assert result.disagreement is not None
    assert result.disagreement.why == ("has ret=3, the model ret=1",)
    assert result.disagreement.allowed == ("alloc_ret: cpu=1 ret=1 (v3)",)
    assert result.disagreement.owners == ("v3", "v2", "")
    assert result.disagreement.record.line == result.last_line + 1


@pytest.mark.parametrize("line", [2, 4, -2])
def test_no_order_explains_a_wrong_line(line: int) -> None:
    result = follow(*START, *MOVES, *alloc(1, "v3", line))
    assert result.disagreement is not None
    assert set(result.disagreement.allowed) == {
        "alloc_ret: cpu=1 ret=3 (v3)",
        "alloc_ret: cpu=1 ret=1 (v3)",
    }


@pytest.mark.parametrize("kicks", [True, False])
def test_sgei_may_come_before_or_after_a_free(kicks: bool) -> None:
    kick = "1 idle-0 kick: vcpu=v1 cpu=-1 mode=0"
    other = "1 idle-0 kick: vcpu=v2 cpu=-1 mode=0"
    mask = 0b110
    sgei = (f"1 idle-0 sgei: mask={mask:#x}", *[kick] * kicks, other)
    result = follow(*START, *MOVES, *sgei, run(0, "v1", 1), run(1, "v2", 2))
    assert result.disagreement is None


def test_sgei_does_not_kick_who_gave_its_line_back_before() -> None:
    sgei = ("1 idle-0 sgei: mask=0x2", "1 idle-0 kick: vcpu=v1 cpu=-1 mode=0")
    result = follow(*START, *MOVES, run(0, "v1", 1), *sgei, run(1, "v2", 2))
    assert result.disagreement is not None
    assert result.disagreement.why == ("has mask=0x2, nobody owns 0x2",)
    result = follow(*START, *sgei[:1], run(1, "v2", 2), *sgei)
    assert result.disagreement is not None
    assert result.disagreement.why == ("hgei_interrupt is over, in the model it is not",)
    assert result.disagreement.allowed == ("kick: (v1)",)


OF_V1 = (
    "1 cpuhp-9 rel: vcpu=v1 vs_cpu=0 vs_hgei=1",
    "1 cpuhp-9 free: cpu=0 hgei=1",
    "1 cpuhp-9 rel_ret:",
)
OF_V2 = (
    "1 cpuhp-9 rel: vcpu=v2 vs_cpu=1 vs_hgei=2",
    "1 cpuhp-9 free: cpu=1 hgei=2",
    "1 cpuhp-9 rel_ret:",
    "1 cpuhp-9 dis_ret:",
)


@pytest.mark.parametrize("releases", [(*OF_V1, *OF_V2), OF_V2])
def test_hotplug_may_find_an_owner_that_is_about_to_go(releases: tuple[str, ...]) -> None:
    """aia_disable looks at owners[] before or after the free of a vCPU that has moved away; before
    it, the vCPU loses its new VS-file."""
    result = follow(*START, *MOVES, "1 cpuhp-9 dis:", *releases)
    assert result.disagreement is None


TOOK = (*START, *MOVES, "1 cpuhp-9 dis:", *OF_V1, run(0, "v1", 1))
"""Hotplug takes the new VS-file of v1, and has sent it a request to pass imsic_update again."""


def test_a_guest_that_runs_on_a_line_that_hotplug_took_is_a_finding() -> None:
    """The `run` of a guest does not prove its entry; waiting for an interrupt does."""
    waits = "0 v1-101 wakeon: vcpu=v1 en=1"
    result = follow(*TOOK, *OF_V2, waits)
    assert result.disagreement is None
    found = [(each.finding.id, each.line) for each in result.findings]
    assert found == [("guest-line:hgei", len(TOOK))]
    result = follow(*TOOK, "0 idle-0 sgei: mask=0x2", *OF_V2)
    assert (result.disagreement, result.findings) == (None, [])


@pytest.mark.parametrize("line", [1, 2])
def test_run_may_be_followed_by_another_update_and_no_guest(line: int) -> None:
    """The kernel looks at its requests after that event (F-3)."""
    waits = "0 v1-101 wakeon: vcpu=v1 en=1"
    other = (*alloc(0, "v4", 1), run(0, "v4", 1)) if line == 2 else ()
    result = follow(*TOOK, *other, *alloc(0, "v1", line), run(0, "v1", line), *OF_V2, waits)
    assert (result.disagreement, result.findings) == (None, [])


def test_run_may_be_followed_by_an_update_on_another_cpu() -> None:
    again = (*alloc(3, "v1", 1, "0:1"), free(3, "v1", "0:1"), run(3, "v1", 1))
    result = follow(*START, *MOVES, run(0, "v1", 1), *again, run(1, "v2", 2))
    assert (result.disagreement, result.findings) == (None, [])


def test_hotplug_finds_no_owner_that_has_gone() -> None:
    result = follow(*START, *MOVES, run(0, "v1", 1), "1 cpuhp-9 dis:", *OF_V1, *OF_V2)
    assert result.disagreement is not None
    assert result.disagreement.allowed == ("rel: (v2)",)


def test_hotplug_releases_in_ascending_order() -> None:
    steps = [
        "1 cpuhp-9 dis:",
        "1 cpuhp-9 rel: vcpu=v2 vs_cpu=1 vs_hgei=2",
    ]
    result = follow(*START, *steps)
    assert result.disagreement is not None
    assert result.disagreement.allowed == ("rel: (v1)",)


def test_nobody_is_given_a_line_of_a_cpu_that_is_off() -> None:
    exit_ = "1 cpuhp-9 cpuhp_exit: cpu: 0001  state: 147 step: 148 ret: 0"
    off = ("1 cpuhp-9 dis:", "1 cpuhp-9 dis_ret:")
    assert follow(*off, *alloc(1, "v3", 1)).disagreement is None, "it is off a little later"
    result = follow(*off, exit_, *alloc(1, "v3", 1))
    assert result.disagreement is not None
    (why,) = result.disagreement.why
    assert why.endswith("CPU 1 is used without virtualization (F1)")


def test_copies_of_a_state_go_on_as_the_first_would() -> None:
    """Every call is copied at every probe, and only the copies go on."""
    for name in ("storm-auto", "hotplug"):
        trace = excerpt(name)
        events = [event for event in trace.events if isinstance(event, Event)]
        one, other = (
            Follower(boot_for_trace(variant_of(name), trace.topology, events), HANDLERS)
            for _ in range(2)
        )
        for event in events:
            other.hypotheses = [each.fork() for each in other.hypotheses]
            assert one.follow(event)
            assert other.follow(event)
            keys = [[each.key() for each in f.hypotheses] for f in (one, other)]
            assert keys[0] == keys[1]


class Section(NamedTuple):
    """Something that happens to the lines of CPU 1 between two events, counted from 0.

    `line` is given back, or handed out (-2: none is free).
    """

    first: int
    last: int
    frees: bool
    line: int


def fits(order: tuple[Section, ...]) -> bool:
    """Whether the lowest free line is handed out each time, if lines 1..3 are owned at first."""
    free_lines: set[int] = set()
    for section in order:
        if section.frees:
            free_lines.add(section.line)
        elif section.line != min(free_lines, default=-2):
            return False
        else:
            free_lines.discard(section.line)
    return True


def some_order_fits(sections: list[Section]) -> bool:
    """Try all orders in which no step comes before one that was over when it began."""
    return any(
        fits(order)
        for order in permutations(sections)
        if all(a.first < b.last for i, a in enumerate(order) for b in order[i + 1 :])
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[str], list[Section]]:
    """Three vCPUs leave CPU 1, each to a CPU of its own, while others ask for lines there."""
    movers = [iter(_move(n)) for n in (1, 2, 3)]
    results = draw(st.lists(st.sampled_from([1, 2, 3, -2]), min_size=1, max_size=4))
    parts = [*movers, iter(_asks(results))]
    steps: list[str] = []
    began: dict[int, tuple[int, bool, int]] = {}
    sections: list[Section] = []
    picks = draw(st.lists(st.sampled_from([0, 1, 2, 3, 3, 3]), min_size=30, max_size=30))
    for part in [*picks, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, *[3] * 8]:
        step = next(parts[part], None)
        if step is None:
            continue
        text, begins = step
        if part in began:
            at, frees, line = began.pop(part)
            sections.append(Section(at, len(steps), frees, line))
        if begins is not None:
            began[part] = len(steps), *begins
        steps.append(text)
    return steps, sections


Step = tuple[str, tuple[bool, int] | None]
"""A step, and what it begins: a free or an allocation, of a line."""


def _move(number: int) -> Iterator[Step]:
    cpu = {1: 0, 2: 2, 3: 3}[number]
    asks, gets = alloc(cpu, f"v{number}", 1, f"1:{number}")
    yield asks, None
    yield gets, None
    yield free(cpu, f"v{number}", f"1:{number}"), (True, number)
    yield run(cpu, f"v{number}", 1), None


def _asks(results: list[int]) -> Iterator[Step]:
    vcpu = 4
    for result in results:
        asks, gets = alloc(1, f"v{vcpu}", result)
        yield asks, (False, result)
        yield gets, None
        vcpu += result > 0


@settings(max_examples=150)
@given(histories())
def test_the_verdict_is_that_of_trying_all_orders(
    history: tuple[list[str], list[Section]],
) -> None:
    steps, sections = history
    owned = [step for n in (1, 2, 3) for step in (*alloc(1, f"v{n}", n), run(1, f"v{n}", n))]
    agrees = follow(*owned, *steps).disagreement is None
    assert agrees == some_order_fits(sections)
