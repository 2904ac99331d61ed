"""The result of `trace check`, whether the model agrees with a trace: a document, and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.checks.known import known_facts
from hgeisim.drivers.traced.conformance import Conformance, Disagreement
from hgeisim.drivers.traced.read_trace import offer_of
from hgeisim.report.findings import in_order, named, unlooked
from hgeisim.report.layout import count, indented

INFERRED_SHOWN = 10
AGAIN_SHOWN = 8


def document(result: Conformance, also: Sequence[str] = ()) -> dict[str, Any]:
    """The result of a check as plain data.

    `checked` and `agreed` count events, `by_event` the checked ones by name; `line` is always a
    line of the file; `joints` are among the `holes`; `disagreement` is null if there is none.
    `also_agrees` are the variants on other bases that would agree as well, if the trace does
    not distinguish the kernels.
    """
    harts = result.trace.topology.harts
    return {
        "trace": result.trace.file,
        "variant": result.variant,
        "lines": [hart.lines for hart in harts],
        "lines_proven": list(result.trace.proven),
        "checked": result.checked.total(),
        "agreed": result.agreed,
        "by_event": {name: result.checked[name] for name in sorted(+result.checked)},
        "states": result.states,
        "holes": result.holes,
        "joints": result.joints,
        "first_hole": result.first_hole or None,
        "last_line": result.last_line,
        "gave_up": result.gave_up,
        "also_agrees": list(also),
        "inferred": [inferred._asdict() for inferred in result.inferred],
        "findings": in_order(
            {"id": i, "line": line, "text": found.text, **known_facts(i, result.variant)}
            for line, found in result.findings
            for i in (found.id,)
        ),
        "not_checked": not_checked(offer_of(result.trace)),
        "disagreement": _disagreement(result.disagreement) if result.disagreement else None,
    }


def _disagreement(found: Disagreement) -> dict[str, Any]:
    record = found.record
    return {
        "line": record.line,
        "thread": f"{record.comm}-{record.pid}",
        "cpu": record.cpu,
        "time_ns": record.time_ns,
        "event": record.event,
        "arguments": record.text,
        "why": list(found.why),
        "allowed": list(found.allowed),
        "owners": {"cpu": found.cpu, "lines": [owner or None for owner in found.owners]},
    }


def text(result: dict[str, Any]) -> Iterator[str]:
    """The document as lines for a mail."""
    pairs = zip(result["lines"], result["lines_proven"], strict=True)
    lines = ", ".join(f"{number}{'' if proven else '?'}" for number, proven in pairs)
    yield from indented(f"{result['trace']} on {result['variant']}, HARTs with {lines} lines", 0)
    if result["disagreement"]:
        yield from _disagrees(result, result["disagreement"])
    elif result["gave_up"]:
        yield (
            f"gave up after line {result['last_line']}, {count(result['checked'], 'event')} agree: "
            "too many orders are possible"
        )
    else:
        yield f"agrees: {count(result['checked'], 'event')} checked"
        if result["also_agrees"]:
            yield from indented(f"would also agree with {', '.join(result['also_agrees'])}", 2)
    if result["holes"]:
        words = (
            f"weaker from line {result['first_hole']} on: {' and '.join(_holes(result))}; after "
            "each, the first event about a line or a VS-file is believed, and the later ones are "
            "compared with it"
        )
        yield from indented(words, 2)
    by_event = ", ".join(f"{name} {n:,}" for name, n in result["by_event"].items())
    yield from indented(f"checked: {by_event or 'nothing'}", 2)
    yield from _notes(result)


def _holes(result: dict[str, Any]) -> Iterator[str]:
    if lost := result["holes"] - result["joints"]:
        yield f"events were lost in {count(lost, 'place')}"
    if result["joints"]:
        yield f"windows seem to be joined in {count(result['joints'], 'place')}"


def _disagrees(result: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """The longest prefix that agrees, the event after it, and what the model allows instead."""
    yield f"disagrees at line {found['line']}, after {count(result['agreed'], 'event')} that agree"
    event = f"{found['thread']} [{found['cpu']:03}] {found['event']}: {found['arguments']}"
    yield from indented(event, 2)
    for why in found["why"]:
        yield from indented(f"why: {why}", 2, 5)
    for allowed in found["allowed"]:
        yield from indented(f"the model allows: {allowed}", 2, 5)
    owners = [
        f"line {line} {owner or 'nobody'}" for line, owner in enumerate(found["owners"]["lines"], 1)
    ]
    yield from indented(
        f"in the model, owners of CPU {found['owners']['cpu']}: {', '.join(owners)}", 2, 5
    )


def _notes(result: dict[str, Any]) -> Iterator[str]:
    """The inferred events, the findings, and the guesses."""
    inferred = result["inferred"]
    for each in inferred[:INFERRED_SHOWN]:
        yield from indented(f"inferred, line {each['line']}: {each['text']}", 0)
    if len(inferred) > INFERRED_SHOWN:
        yield f"... and {len(inferred) - INFERRED_SHOWN} more; --json lists them all"
    for finding_id in dict.fromkeys(each["id"] for each in result["findings"]):
        yield from _found([each for each in result["findings"] if each["id"] == finding_id])
    yield from unlooked(result["not_checked"])
    if not all(result["lines_proven"]):
        yield "?  A guess: no allocation failed there.  --lines gives the number."


def _found(times: list[dict[str, Any]]) -> Iterator[str]:
    """A finding where it first shows, and the lines where it shows again."""
    first, *others = times
    yield f"finding {named(first)}, line {first['line']}"
    yield from indented(first["text"], 2)
    if others:
        lines = ", ".join(str(other["line"]) for other in others[:AGAIN_SHOWN])
        more = "" if len(others) <= AGAIN_SHOWN else f" and {len(others) - AGAIN_SHOWN} more"
        yield from indented(f"and again, line {lines}{more}", 2)
