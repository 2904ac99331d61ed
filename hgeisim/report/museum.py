"""The result of `hgeisim museum`: the bugs found, how soon, and whether their fixes are clean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hgeisim.checks.catalogue import is_data_race
from hgeisim.drivers.explored.counterexample.token import encode
from hgeisim.drivers.explored.explored_scenario import token_of
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, switches
from hgeisim.drivers.museum import Exhibit, Shown
from hgeisim.report.layout import count, indented
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.table import format_duration


def document(exhibits: list[Exhibit]) -> dict[str, Any]:
    """The result as plain data."""
    return {"bugs": [_bug(each) for each in exhibits]}


def add_strategies(bug: dict[str, Any], shown: Mapping[str, Shown]) -> None:
    """Add the time that each strategy took to find a bug, None if it did not, and its schedules,
    if it draws any."""
    bug["strategies"] = {
        name: {
            "seconds": None if each.found is None else round(each.found.seconds, 2),
            "schedules": each.schedules,
            "states": each.states,
        }
        for name, each in shown.items()
    }


def _bug(each: Exhibit) -> dict[str, Any]:
    bug, buggy, fixed, strategy = each
    made = {
        "id": bug.id,
        "title": bug.title,
        "scenario": bug.scenario,
        "buggy": bug.buggy,
        "fixed": bug.fixed,
        "strategy": strategy,
        "found": buggy.found is not None,
        "twin_clean": fixed.found is None,
        "seconds": None,
        "finding": None,
        "steps": None,
        "switches": None,
        "token": None,
        "seed": None,
        "time_ns": None,
        "buggy_search": _search(buggy),
        "fixed_search": _search(fixed),
    }
    if (found := buggy.found) is not None:
        made["seconds"], made["finding"] = round(found.seconds, 2), found.id
        made["seed"] = found.seed
        if found.seed is None:
            scenario = load_scenario(bug.scenario, {"variant": bug.buggy})
            made["steps"], made["switches"] = len(found.schedule), switches(found.schedule)
            made["token"] = encode(token_of(bug.scenario, scenario, found.schedule))
        else:
            made["time_ns"] = found.time_ns
    return made


def _search(shown: Shown) -> dict[str, Any]:
    return {
        "coverage": shown.coverage,
        "bound": shown.bound,
        "states": shown.states,
        "steps_taken": shown.steps_taken,
        "steps": shown.steps,
    }


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as lines of at most 80 columns, except for the tokens."""
    for each in result["bugs"]:
        yield from indented(f"{each['id']}: {each['title']}", 0)
        yield from indented(f"{each['buggy']}: {_found(each)}", 2)
        yield from indented(f"{each['fixed']}: {_twin(each)}", 2)
        if "strategies" in each:
            yield from indented(_strategies(each["strategies"]), 2)
        if each["token"]:
            races = " --races" if is_data_race(each["finding"]) else ""
            yield f"  hgeisim replay {each['token']}{races}"
        yield ""
    good = [each for each in result["bugs"] if each["found"] and each["twin_clean"]]
    yield f"{len(good)} of {count(len(result['bugs']), 'bug')} found, and not with their fixes"


def _found(each: dict[str, Any]) -> str:
    is_run = each["strategy"] == "run"
    command = f"{'run' if is_run else 'explore'} {each['scenario']}"
    if not is_run and each["strategy"] != "portfolio":
        command += f" --strategy {each['strategy']}"
    where = f"`{command}`"
    if not each["found"]:
        return f"not found by {where}, {_covered(each['buggy_search'])}"
    found = f"{each['finding']} by {where} after {each['seconds']} s of CPU"
    if is_run:
        return f"{found}; seed {each['seed']}, at {format_duration(each['time_ns'])}"
    return f"{found}; {count(each['steps'], 'step')}, {count(each['switches'], 'switch')}"


def _strategies(tried: dict[str, Any]) -> str:
    """The strategies that found a bug, the fastest first, and those that did not."""
    found = [(name, each) for name, each in tried.items() if each["seconds"] is not None]
    parts = []
    for name, each in sorted(found, key=lambda pair: pair[1]["seconds"]):
        drawn = f" ({count(each['schedules'], 'schedule')})" if each["schedules"] else ""
        parts.append(f"{name} {each['seconds']} s{drawn}")
    missed = ", ".join(name for name, each in tried.items() if each["seconds"] is None)
    return f"found by {', '.join(parts) or 'none'}{f'; not by {missed}' if missed else ''}"


def _twin(each: dict[str, Any]) -> str:
    search = each["fixed_search"]
    gone = "gone" if search["coverage"] == EXHAUSTED else "not found"
    return f"{gone if each['twin_clean'] else 'still there'}; {_covered(search)}"


def _covered(search: dict[str, Any]) -> str:
    covered = f"{search['coverage']} {search['bound']}".rstrip()
    if not search["states"]:
        return covered
    if search["coverage"] == EXHAUSTED:
        covered += f", {count(search['states'], 'state')}"
    return (
        f"{covered}; {search['steps_taken']} of {search['steps']} places of its functions reached"
    )
