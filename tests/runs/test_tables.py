"""The tables of a run keep the laws of conservation: nothing is counted twice, nothing is lost."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgeisim.drivers.timed.simulation import RECORDED, Record, Simulation, simulate
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.measures import measures, span_totals, spread
from hgeisim.runs.tables import (
    KINDS,
    MET_NAMES,
    SPAN_NAMES,
    STATE_NAMES,
    Records,
    Tables,
    check_harts,
    csv_of,
    read_table,
)
from hgeisim.runs.timeline import SGEI
from hgeisim.scenario.load import load_scenario, scenario_from
from tests.support.simulations import HEALTHY, simulations

US, MS = 1_000, 1_000_000
STATES = [f"{name}_ns" for name in STATE_NAMES]
loads = simulations(HEALTHY)
ends = st.integers(1, 3 * MS)


def of_kind(tables: Tables, *kinds: str) -> Records:
    spans = tables["spans"]
    return spans[np.isin(spans["kind"].astype(str), kinds)]


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_a_vcpu_is_in_one_state_at_a_time_all_its_life(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    vcpus = sim.tables["vcpus"]
    assert len(vcpus) == len(sim.k.vcpus) - 1
    for row in vcpus:
        assert sum(int(row[name]) for name in STATES) == row["end_ns"] - row["born_ns"]
        assert all(row[name] >= 0 for name in STATES)
        assert row["destroyed"] == sim.k.vcpu(int(row["vcpu"])).freed or row["destroyed"] == 0
    total = measures(sim.timeline, sim.tables)["vcpus"]
    assert sum(total[name] for name in STATES) == total["life_ns"]


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_owners_agree_with_the_occupancy_at_every_moment(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    owners = sim.tables["owners"]
    for hart in range(len(sim.k.hgei)):
        change: Counter[int] = Counter()
        for row in owners[owners["hart"] == hart]:
            change[int(row["start_ns"])] += 1
            if row["end_known"]:
                change[int(row["end_ns"])] -= 1
        owned = busy = 0
        taken = dict(sim.timeline.steps(hart))
        for at in sorted(change.keys() | taken.keys()):
            owned += change[at]
            busy = taken.get(at, busy)
            assert owned == busy, f"HART {hart} at {at}"


@pytest.mark.slow
@settings(max_examples=40)
@given(simulations((*HEALTHY, "v6.12+percpu-v2")), ends)
def test_a_line_has_one_owner_at_a_time(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    for pairs in by_line(sim.tables["owners"]).values():
        assert all(0 <= start < end <= until_ns or start == end for start, end in pairs)
        assert all(before[1] <= after[0] for before, after in pairwise(pairs))


def by_line(owners: Records) -> dict[tuple[int, int], list[tuple[int, int]]]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row in owners.tolist():
        start, end, _, _, hart, line, _ = row
        found.setdefault((hart, line), []).append((start, end))
    return found


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_an_sgei_is_raised_then_handled_then_served(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    tables = sim.tables
    assert (tables["spans"]["start_ns"] <= tables["spans"]["end_ns"]).all()
    assert (np.diff(tables["spans"]["end_ns"]) >= 0).all(), "in the order in which they ended"
    taken = of_kind(tables, "sgei-taken")
    handled = set(zip(taken["hart"], taken["line"], taken["end_ns"], strict=True))
    served = of_kind(tables, "sgei-served")
    assert set(zip(served["hart"], served["line"], served["start_ns"], strict=True)) <= handled


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_each_interrupt_met_its_vcpu_somewhere(sim: Simulation, until_ns: int) -> None:
    """A guest that runs on its VS-file has an MSI immediately; nothing else has met anything."""
    sim.run(until_ns)
    interrupts = ("msi-vsfile", "msi-swfile", "sgei-served")
    for span in sim.tables["spans"]:
        assert (span["met"] != "") == (span["kind"] in interrupts)
        assert span["met"] in MET_NAMES
    mode = dict(zip(sim.tables["vcpus"]["vcpu"], sim.tables["vcpus"]["mode"], strict=True))
    failed = of_kind(sim.tables, *interrupts)
    assert {mode[v] for v in failed[failed["met"] == "failed"]["vcpu"]} <= {"hwaccel"}
    totals = span_totals(sim.tables["spans"], sim.tables["vcpus"])
    assert sum(each["count"] for each in totals) == len(sim.tables["spans"])
    assert all(each["mode"] or each["kind"] == "sgei-taken" for each in totals)


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_the_vms_make_up_all_vcpus(sim: Simulation, until_ns: int) -> None:
    sim.run(until_ns)
    found = measures(sim.timeline, sim.tables)
    for key, total in found["vcpus"].items():
        assert sum(vm[key] for vm in found["vms"]) == total
    for vm in found["vms"]:
        guest_ns = vm["vsfile_ns"] + vm["swfile_ns"]
        assert (vm["vsfile_of_guest"] is None) == (guest_ns == 0)


@pytest.mark.slow
@settings(max_examples=40)
@given(loads, ends)
def test_each_call_for_a_line_has_one_outcome(sim: Simulation, until_ns: int) -> None:
    """A request that has no outcome yet is under way, one on each HART at most."""
    sim.run(until_ns)
    tables, events = sim.tables, Counter(sim.timeline.event_kind)
    done = Counter(tables["spans"]["kind"].tolist())
    harts = len(sim.k.hgei)
    assert 0 <= events[0] - done["attach"] - done["move"] <= harts
    assert 0 <= events[1] - done["fallback"] - done["refused"] <= harts
    mode = dict(zip(tables["vcpus"]["vcpu"], tables["vcpus"]["mode"], strict=True))
    assert {mode[v] for v in of_kind(tables, "fallback")["vcpu"]} <= {"auto"}
    assert {mode[v] for v in of_kind(tables, "refused")["vcpu"]} <= {"hwaccel"}
    assert (of_kind(tables, "move")["origin"] >= 0).all()
    assert (of_kind(tables, "attach")["origin"] == -1).all()


@pytest.mark.slow
@settings(max_examples=15)
@given(loads, st.integers(1, 800 * US))
def test_holds_add_up_to_the_time_in_which_a_lock_was_held(sim: Simulation, until_ns: int) -> None:
    """Added up here by looking at each lock after every event."""
    locks = [hgctrl.lock for hgctrl in sim.k.hgei]
    held_ns, since_ns = [0] * len(locks), [0] * len(locks)
    while sim.env.peek() <= until_ns:
        before_ns, inside = sim.env.now, [lock.inside for lock in locks]
        sim.env.step()
        for at, lock in enumerate(locks):
            held_ns[at] += int(sim.env.now - before_ns) * (inside[at] > 0)
            since_ns[at] = held_ns[at] if lock.inside == 0 else since_ns[at]
    uses = sim.recorded["locks"].locks.uses
    assert [uses[lock].hold_ns_total for lock in locks] == since_ns


@pytest.mark.slow
@settings(max_examples=15)
@given(st.data(), ends)
def test_the_timeline_is_the_same_without_details(data: st.DataObject, until_ns: int) -> None:
    tables = {
        "machine": {"harts": [{"guest_files": 2, "count": 3}]},
        "run": {"seed": data.draw(st.integers(0, 1000))},
        "vm": [
            {
                "name": "vm",
                "vcpus": 8,
                "mode": data.draw(st.sampled_from(["auto", "hwaccel"])),
                "run": {"distribution": "exponential", "mean": "40us"},
                "msi": {"distribution": "exponential", "mean": "90us"},
            }
        ],
        "balance": {"every": {"distribution": "exponential", "mean": "50us"}},
    }
    prints = []
    wanted: tuple[Record, ...] = ("all", "occupancy")
    for record in wanted:
        sim = simulate(scenario_from(tables), record=record)
        sim.run(until_ns)
        prints.append(fingerprint(sim.timeline))
        assert sim.tables.keys() - {"idle"} == {*RECORDED[record]}
    assert prints[0] == prints[1]


def steady(vcpus: int, mode: str) -> Simulation:
    """One line; guests that compute for 100 us and get an MSI every 250 us, each."""
    run, msi = ({"distribution": "constant", "value": value} for value in ("100us", "250us"))
    vm = {"name": "vm", "vcpus": vcpus, "mode": mode, "stagger": "77us", "run": run, "msi": msi}
    machine = {"harts": [{"guest_files": 1}]}
    kernel = {"variant": "v7.0", "halt_poll_max": "0us"}
    return simulate(scenario_from({"machine": machine, "kernel": kernel, "vm": [vm]}))


def durations_of(sim: Simulation, kind: str) -> list[int]:
    rows = of_kind(sim.tables, kind)
    return [int(ns) for ns in rows["end_ns"] - rows["start_ns"]]


def test_an_msi_for_a_sleeping_vcpu_by_hand() -> None:
    """SGEI is raised within the injection, and its handler is entered when that is over.

    A store takes the read lock (40) and drops it (30), the injecting hardirq ends, the next is
    entered (500); it wakes the vCPU up, and so on: the parts add up to the whole.
    """
    sim = steady(1, "auto")
    sim.run(1 * MS)
    counts = {name: len(of_kind(sim.tables, name)) for name in SPAN_NAMES}
    assert counts == dict.fromkeys(SPAN_NAMES, 0) | {
        "attach": 1,
        "msi-vsfile": 3,
        "sgei-taken": 3,
        "sgei-served": 3,
    }
    taken, served = durations_of(sim, "sgei-taken"), durations_of(sim, "sgei-served")
    assert taken == [30 + 500] * 3
    assert durations_of(sim, "msi-vsfile") == [
        40 + a + b for a, b in zip(taken, served, strict=True)
    ]
    (row,) = sim.tables["vcpus"]
    assert row["swfile_ns"] == row["failed_ns"] == 0
    assert row["vsfile_ns"] == 4 * 100 * US


def test_an_sgei_by_the_store_of_another_guest_is_taken_too() -> None:
    """No path of the kernel stores; the handler finds at least one line pending each time."""
    sim = simulate(load_scenario("server-64", {"until": "4ms"}))
    sim.run(4 * MS)
    handled = sim.timeline.event_kind.count(SGEI)
    assert 0 < handled <= len(of_kind(sim.tables, "sgei-taken"))


def test_without_a_line_an_auto_vcpu_uses_its_swfile() -> None:
    sim = steady(2, "auto")
    sim.run(1 * MS)
    one, other = sim.tables["vcpus"]
    assert one["swfile_ns"] == other["vsfile_ns"] == other["failed_ns"] == 0
    assert other["swfile_ns"] > 300 * US
    by_swfile = of_kind(sim.tables, "msi-swfile")
    assert set(by_swfile["vcpu"]) == {2}
    assert len(by_swfile) == 3
    assert set(of_kind(sim.tables, "fallback")["origin"]) == {-1}, "it never had a line"


def test_without_a_line_a_hwaccel_vcpu_fails() -> None:
    sim = steady(2, "hwaccel")
    sim.run(1 * MS)
    one, other = sim.tables["vcpus"]
    assert one["failed_ns"] == other["vsfile_ns"] == other["swfile_ns"] == 0
    assert other["failed_ns"] > 900 * US - (other["born_ns"])
    assert set(of_kind(sim.tables, "refused")["vcpu"]) == {2}
    assert not len(of_kind(sim.tables, "fallback", "msi-swfile"))


def test_quantiles_are_times_that_occurred() -> None:
    found = spread(np.arange(1, 201))
    assert found == {
        "count": 200,
        "mean_ns": 100,
        "p50_ns": 100,
        "p90_ns": 180,
        "p99_ns": 198,
        "max_ns": 200,
    }
    assert spread(np.array([7])) == {
        "count": 1,
        "mean_ns": 7,
        "p50_ns": 7,
        "p90_ns": 7,
        "p99_ns": 7,
        "max_ns": 7,
    }
    assert spread(np.array([])) == {"count": 0}


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Return the tables of a run."""
    sim = simulate(load_scenario("big-little", {"until": "2ms"}))
    sim.run(2 * MS)
    return sim.tables


def test_tables_are_read_as_they_were_written(tables: Tables) -> None:
    assert list(tables) == list(KINDS)
    for name, table in tables.items():
        assert len(table)
        read, problems = read_table(name, csv_of(table), KINDS[name][0])
        assert not problems
        assert read.tolist() == table.tolist()


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (0, "start", "f: line 1 = 'start': must be 'start_ns,end_ns,"),
        (3, "1,2,3", "f: line 4 = '1,2,3': must be start_ns,"),
        (3, "1,2,1,1,0,x,1", "f: line 4 = '1,2,1,1,0,x,1': 'x' must be a whole number"),
        (3, "1,2,1,1,0,9999999999,1", "9999999999 is out of range"),
        (-1, "1,2", "is cut short: it has no end of line"),
    ],
)
def test_a_damaged_line_is_reported(tables: Tables, line: int, text: str, expected: str) -> None:
    lines = csv_of(tables["owners"]).split("\n")
    lines[line] = text
    read, problems = read_table("f", "\n".join(lines), KINDS["owners"][0])
    assert len(read) == 0
    assert expected in str(problems[0])


def test_a_row_of_a_hart_that_the_machine_lacks_is_reported(tables: Tables) -> None:
    owners = tables["owners"].copy()
    harts = int(owners["hart"].max()) + 1
    assert check_harts("f", owners, harts) == []
    owners["hart"][1:3] = harts, -1
    problems = [str(each) for each in check_harts("f", owners, harts)]
    assert problems == [
        f"f: line {line} = {hart}: must be a HART of the machine: 0..{harts - 1}"
        for line, hart in ((3, harts), (4, -1))
    ]


def test_only_ten_problems_are_reported(tables: Tables) -> None:
    text = csv_of(tables["owners"]).replace(",", ";")
    problems = read_table("f", text, KINDS["owners"][0])[1]
    assert len(problems) == 11
    assert "reading stopped here" in str(problems[-1])
