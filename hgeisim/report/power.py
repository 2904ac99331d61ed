"""The result of --power: how many planted faults would have been noticed, and which not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.drivers.explored.power import Power
from hgeisim.drivers.power.trials import (
    NO_EFFECT,
    NO_KERNEL,
    NOTICED,
    SURVIVED,
    UNFINISHED,
    Outcome,
)
from hgeisim.drivers.timed.power import SEEDS, RunPower
from hgeisim.report.layout import count, indented
from hgeisim.scenario.table import format_duration

WORDS = (NO_KERNEL, NO_EFFECT, NOTICED, SURVIVED, UNFINISHED)


def document(name: str, power: Power) -> dict[str, Any]:
    """The power of a search as plain data."""
    covered = {
        "coverage": power.verdict.coverage,
        "bound": power.verdict.bound,
        "states": power.verdict.states,
    }
    return _document(name, power, covered)


def run_document(name: str, power: RunPower) -> dict[str, Any]:
    """The power of runs as plain data: each fault was tried with `seeds` seeds."""
    return _document(name, power, {"seeds": SEEDS, "until_ns": power.scenario.run.until})


def _document(name: str, power: Power | RunPower, covered: dict[str, Any]) -> dict[str, Any]:
    kernel = power.scenario.kernel
    return {
        "scenario": name,
        "variant": kernel.variant,
        "preemption": kernel.preemption,
        **covered,
        "planted": len(power.faults),
        "reached": len(power.reached),
        "tried": len(power.outcomes),
        "cpu_s": round(power.seconds, 1),
        "faults": [_fault(each) for each in power.outcomes],
    }


def _fault(outcome: Outcome) -> dict[str, Any]:
    fault = outcome.fault
    return {
        "file": fault.file,
        "line": fault.line,
        "function": fault.function,
        "operator": fault.operator,
        "text": fault.text,
        "outcome": outcome.word,
        "by": outcome.what,
    }


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as lines of at most 80 columns."""
    yield from indented(
        f"power of {'runs' if 'seeds' in result else 'a search'} of {result['scenario']} on "
        f"{result['variant']}, preemption {result['preemption']}: {_covered(result)}",
        0,
    )
    yield from indented(_summary(result), 0)
    planted = f"{count(result['planted'], 'fault')} planted"
    if result["tried"] < result["reached"]:
        planted += f"; {result['tried']} of those reached were tried, evenly over functions"
    yield from indented(f"{planted}; {result['cpu_s']} s of CPU", 0)
    for word, head in ((SURVIVED, "not noticed"), (UNFINISHED, "not finished")):
        faults = [each for each in result["faults"] if each["outcome"] == word]
        if faults:
            yield ""
            yield f"{head}:"
        for each in faults:
            place = f"{each['file']}:{each['line']} {each['function']}:"
            yield from indented(f"{place} {each['operator']} `{each['text']}`", 2, 4)


def _covered(result: dict[str, Any]) -> str:
    if "seeds" in result:
        return f"{result['seeds']} seeds, {format_duration(result['until_ns'])} each"
    covered = f"{result['coverage']} {result['bound']}".rstrip()
    return f"{covered}, {count(result['states'], 'state')}"


def _summary(result: dict[str, Any]) -> str:
    numbers = dict.fromkeys(WORDS, 0)
    for each in result["faults"]:
        numbers[each["outcome"]] += 1
    effect = numbers[NOTICED] + numbers[SURVIVED] + numbers[UNFINISHED]
    return (
        f"reached {result['reached']} | no kernel {numbers[NO_KERNEL]}, no effect "
        f"{numbers[NO_EFFECT]} | noticed {numbers[NOTICED]} of {effect}"
    )
