"""What `hgeisim museum` says: which bugs are found, how soon, and whether their fixes are clean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.catalogue import is_data_race
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.counterexample.token import encode
from hgeisim.drivers.explored.explorable import token_of
from hgeisim.drivers.museum import Exhibit, Shown
from hgeisim.report.layout import count, indented
from hgeisim.scenario.duration import format_duration
from hgeisim.scenario.load import load_scenario


def document(exhibits: list[Exhibit]) -> dict[str, Any]:
    """All of it as plain data."""
    return {"bugs": [_bug(each) for each in exhibits]}


def _bug(each: Exhibit) -> dict[str, Any]:
    bug, buggy, fixed = each
    made = {
        "id": bug.id,
        "title": bug.title,
        "scenario": bug.scenario,
        "buggy": bug.buggy,
        "fixed": bug.fixed,
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
    """The document as lines of at most 80 columns, but for the tokens."""
    for each in result["bugs"]:
        yield from indented(f"{each['id']}: {each['title']}", 0)
        yield from indented(f"{each['buggy']}: {_found(each)}", 2)
        yield from indented(f"{each['fixed']}: {_twin(each)}", 2)
        if each["token"]:
            races = " --races" if is_data_race(each["finding"]) else ""
            yield f"  hgeisim replay {each['token']}{races}"
        yield ""
    good = [each for each in result["bugs"] if each["found"] and each["twin_clean"]]
    yield f"{len(good)} of {count(len(result['bugs']), 'bug')} found, and gone with their fixes"


def _found(each: dict[str, Any]) -> str:
    is_run = each["buggy_search"]["states"] == 0
    where = f"`{'run' if is_run else 'explore'} {each['scenario']}`"
    if not each["found"]:
        return f"not found by {where}, {_covered(each['buggy_search'])}"
    told = f"{each['finding']} by {where} after {each['seconds']} s of CPU"
    if is_run:
        return f"{told}; seed {each['seed']}, at {format_duration(each['time_ns'])}"
    shape = f"{count(each['steps'], 'step')}, {count(each['switches'], 'switch', 'es')}"
    return f"{told}; {shape}"


def _twin(each: dict[str, Any]) -> str:
    word = "gone" if each["twin_clean"] else "still there"
    return f"{word}; {_covered(each['fixed_search'])}"


def _covered(search: dict[str, Any]) -> str:
    covered = " ".join(filter(None, (search["coverage"], search["bound"])))
    if not search["states"]:
        return covered
    reached = f"{search['steps_taken']} of {search['steps']} steps reached"
    return f"{covered}, {count(search['states'], 'state')}, {reached}"
