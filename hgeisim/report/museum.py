"""What `hgeisim museum` says: which bugs are found, how soon, and whether their fixes are clean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.catalogue import is_data_race
from hgeisim.drivers.explored.counterexample.token import encode
from hgeisim.drivers.explored.explorable import token_of
from hgeisim.drivers.explored.museum import Exhibit, Shown
from hgeisim.report.layout import count, indented
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
        "found": buggy.way is not None,
        "twin_clean": fixed.way is None,
        "seconds": None if buggy.found_s is None else round(buggy.found_s, 2),
        "finding": None,
        "steps": None,
        "switches": None,
        "token": None,
        "buggy_search": _search(buggy),
        "fixed_search": _search(fixed),
    }
    if buggy.way is not None:
        scenario = load_scenario(bug.scenario, {"variant": bug.buggy})
        made["finding"] = buggy.way.finding.id
        made["steps"], made["switches"] = len(buggy.way.schedule), buggy.way.switches
        made["token"] = encode(token_of(bug.scenario, scenario, buggy.way.schedule))
    return made


def _search(shown: Shown) -> dict[str, Any]:
    verdict = shown.verdict
    return {
        "coverage": verdict.coverage,
        "bound": verdict.bound,
        "states": verdict.states,
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
    where = f"`explore {each['scenario']}`"
    if not each["found"]:
        search = each["buggy_search"]
        return f"not found by {where}, {search['coverage']}, {count(search['states'], 'state')}"
    shape = f"{count(each['steps'], 'step')}, {count(each['switches'], 'switch', 'es')}"
    return f"{each['finding']} by {where} after {each['seconds']} s of CPU; {shape}"


def _twin(each: dict[str, Any]) -> str:
    search = each["fixed_search"]
    word = "gone" if each["twin_clean"] else "still there"
    covered = " ".join(filter(None, (search["coverage"], search["bound"])))
    reached = f"{search['steps_taken']} of {search['steps']} steps reached"
    return f"{word}; {covered}, {count(search['states'], 'state')}, {reached}"
