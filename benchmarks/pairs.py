"""Write docs/pairs.md: everything against everything, each pair of activities searched on v7.3.

    python -m benchmarks.pairs [NAME ...]

An activity is what some tasks do about the vCPU v1, whose VS-file is line 1 of HART 0.  A pair does
both at the same time; what v1's own thread does for both is done one after the other.  With names,
such as "hotplug+reset", those pairs are searched and printed, and nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import hgeisim
from hgeisim.drivers.power.trials import NOTICED, SURVIVED, UNFINISHED
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario

PAGE = Path(__file__).parents[1] / "docs/pairs.md"
VARIANT = "v7.3"
STATES_MAX = 6_000_000
POWER_SECONDS = 15.0
OWN, OTHER = "vcpu/v1", "vcpu/v2"
ACTIVITIES: dict[str, dict[str, list[str]]] = {
    "hotplug": {"cpuhp/0": ["offline 0", "online 0"]},
    "migration": {OWN: ["migrate 2", "run", "migrate 0", "run"]},
    "exhaustion": {OWN: ["migrate 1", "run"], "device@2": ["irqfd v1"]},
    "reset": {"monitor@2": ["reset v1"], OWN: ["run"]},
    "save and restore": {
        "ioctl@2": ["get_eie v1", "set_reg v1", "set_eie v1"],
        OWN: ["exit", "run"],
    },
    "guest IPI": {OTHER: ["store v1", "store v1"], OWN: ["run"]},
    "destruction": {"destroyer@2": ["destroy v2"], OWN: ["migrate 1", "run"]},
    "power-down": {"idle/0": ["power_down 0"], OWN: ["block"], "guest@2": ["msi v1"]},
    "block and wake": {OWN: ["block", "run"], "device@2": ["irqfd v1"]},
}
"""The tasks of each activity; v2 has line 1 of HART 1, and is of v1's VM, but where it is
destroyed: a VM goes with all its vCPUs."""
INSTEAD: dict[frozenset[str], dict[str, dict[str, list[str]]]] = {
    frozenset({"guest IPI", "destruction"}): {"guest IPI": {"guest@0": ["msi v1"]}},
    frozenset({"exhaustion", "destruction"}): {"exhaustion": {}},
}
"""Other tasks of an activity, beside one that leaves it no vCPU, or has it in itself."""


class Pair(NamedTuple):
    """Two activities."""

    first: str
    second: str

    @property
    def name(self) -> str:
        """Its name on the page."""
        return f"{self.first}+{self.second}"

    def tasks(self) -> dict[str, list[str]]:
        """The actions of each task; its name is a word, and @ the HART that it runs on."""
        other = INSTEAD.get(frozenset(self), {})
        does: dict[str, list[str]] = {}
        for activity in self:
            for task, actions in other.get(activity, ACTIVITIES[activity]).items():
                does[task] = does.get(task, []) + actions
        return does

    def scenario(self, variant: str = VARIANT) -> Scenario:
        """The scenario of the pair."""
        vm = {} if "destruction" in self else {"vm": "vm"}
        vcpus = [{"name": "v1", "hart": 0, **vm}, {"name": "v2", "hart": 1, **vm}]
        return scenario_from(
            {
                "title": f"{self.first} and {self.second} of a vCPU, at the same time",
                "machine": {"harts": [{"count": 3, "guest_files": 1}]},
                "kernel": {"variant": variant, "preemption": "full"},
                "run": {"until": "3ms"},
                "vcpu": vcpus,
                "task": [_task(*each) for each in self.tasks().items()],
            }
        )


def _task(name: str, does: list[str]) -> dict[str, Any]:
    kind, _, which = name.partition("/")
    if kind == "vcpu":
        return {"name": name, "vcpu": which, "does": does}
    hart = which or name.partition("@")[2]
    return {"name": name.replace("@", "/"), "hart": int(hart), "does": does}


PAIRS = [Pair(*each) for each in combinations(ACTIVITIES, 2)]


class Row(NamedTuple):
    """The result of a pair: its verdict, its findings by name, what it reached, its power."""

    pair: Pair
    verdict: str
    states: int
    findings: list[str]
    new: list[str]
    reach: str
    power: str


def measured(pair: Pair) -> Row:
    """Search a pair, and plant faults in it."""
    print(pair.name, file=sys.stderr, flush=True)
    found = hgeisim.explore(pair.scenario(), states=STATES_MAX).document
    new = [each["id"] for each in found["findings"] if each["new"]]
    names = dict.fromkeys(each["known_as"] or each["id"] for each in found["findings"])
    reach = found["reach"]
    verdict = " ".join([found["coverage"], found["bound"]]).strip()
    functions = f"{reach['functions'] - len(reach['never_entered'])} of {reach['functions']}"
    return Row(pair, verdict, found["states"], [*names], new, functions, _power(pair))


def _power(pair: Pair) -> str:
    """The faults that a search of the pair notices, of those with an effect that were tried."""
    tried = hgeisim.power(
        pair.scenario(), seconds=POWER_SECONDS, states=STATES_MAX, name=pair.name
    ).document
    words = [each["outcome"] for each in tried["faults"]]
    effect = sum(map(words.count, (NOTICED, SURVIVED, UNFINISHED)))
    return f"{words.count(NOTICED)} of {effect}"


TEXT = """\
# Everything against everything

`make pairs` writes this page. Each pair of activities about one vCPU is searched on {variant},
preemption full, three HARTs with one line each: what its own thread does for both is done one after
the other, all the rest at any time. `states` says how far: a pair that is not exhausted was cut
there. `reach` counts the functions that were entered, of those that could be; `power` the planted
faults that the search notices, of those with an effect that were tried in {seconds:.0f} s of CPU
([power.md](power.md)).

Names are those of [findings.md](findings.md). **New findings: {new}.**

| pair | verdict | states | findings | reach | power |
|---|---|---|---|---|---|
{rows}

## What they do

{tasks}
"""


def page(rows: Iterable[Row]) -> str:
    """The text of the page."""
    rows = list(rows)
    new = dict.fromkeys(each for row in rows for each in row.new)
    return TEXT.format(
        variant=VARIANT,
        seconds=POWER_SECONDS,
        new=", ".join(new) or "none",
        rows="\n".join(_line(row) for row in rows),
        tasks="\n".join(_does(name) for name in ACTIVITIES),
    )


def _line(row: Row) -> str:
    cells = (row.pair.name, row.verdict, f"{row.states:,}", ", ".join(row.findings) or "none")
    return f"| {' | '.join((*cells, row.reach, row.power))} |"


def _does(activity: str) -> str:
    tasks = (f"`{task}`: {', '.join(does)}" for task, does in ACTIVITIES[activity].items())
    return f"* **{activity}**: {'; '.join(tasks)}"


def chosen(names: list[str]) -> Iterator[Pair]:
    """The pairs of these names, or all."""
    return (pair for pair in PAIRS if not names or pair.name in names)


def main() -> None:
    """Search all, and write the page."""
    names = sys.argv[1:]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(measured, chosen(names)))
    for row in rows:
        print(_line(row), *row.new)
    if not names:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
