"""Mails about findings, for a reader who knows the kernel and has never seen this tool.

A finding of a schedule gets at most 40 lines of 72 columns.  A data race gets both stacks, the
value and the command that reproduces it; a finding of a run in time, the time at which it was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.counterexample.evidence import CONTINUATIONS, Evidence, Window
from hgeisim.drivers.explored.counterexample.slice import Candidate
from hgeisim.drivers.explored.counterexample.token import Token, encode, options
from hgeisim.drivers.explored.model.space import Space
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.report.violation import Report
from hgeisim.report.kernel_names import Functions, in_c, interrupt_file
from hgeisim.report.layout import IN_COMMAND, command_lines, in_columns
from hgeisim.report.lock_mail import lock_drawing, lock_lines, standstill, ways_out
from hgeisim.report.mail_head import consequence, finding_head, labelled, machine
from hgeisim.report.phases import Detail, Names, Phases
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.table import format_duration
from hgeisim.watch.lock_report import finding_of

LINES = 40
DETAILS = (Detail(3), Detail(1), Detail(0))
"""How much of each step is shown: as much as there is room for."""
EVERYTHING = Detail(3, ops=True)


class About(NamedTuple):
    """The subject of a mail: a scenario, the token whose schedule shows the finding, and for a
    user's own patch the standing of the finding against the base."""

    scenario: Scenario
    token: Token
    standing: str = ""


def mail(space: Space, found: Evidence, about: About, room: int | None = LINES) -> list[str]:
    """The mail about a finding of a schedule, with as much detail as fits into `room` lines.

    Without a limit it shows every step of the schedule.
    """
    scenario, token, standing = about
    names, cpus, finding = Names.of(space), len(scenario.topology.harts), found.traced.finding
    head = [*finding_head(finding, scenario.kernel, standing=standing), *machine(scenario), ""]
    tail = [*_conclusion(space, found, names), *replay_lines(token)]
    views = [*((detail, found.kept) for detail in DETAILS), (DETAILS[-1], found.essential)]
    if room is None:
        views = [(EVERYTHING, tuple(range(len(found.traced.steps))))]
    made = [""]
    for detail, shown in views:
        made = [*head, *Phases(found, names, cpus, detail).lines(shown), "", *tail]
        if room is not None and len(made) <= room:
            break
    return made


def _conclusion(space: Space, found: Evidence, names: Names) -> Iterator[str]:
    """The paragraphs below the steps: the cycle, the owners, the order, the remedy."""
    report = found.lock_report
    drawn = lock_drawing(report, names.functions) if report is not None else ()
    cycle = [*drawn, *standstill(found.cycle, names.functions)]
    yield from [*cycle, ""] if cycle else []
    yield from _owners(found, names)
    yield from _lost(found, names)
    yield from _order(space, found)
    # The first window only, and none beside a drawing, which shows more.
    for window in found.windows[: not (found.cycle or report)]:
        yield from labelled("Window", _window(found, names, window))
    closes = ways_out(report) if report is not None else ""
    yield from consequence(found.traced.finding.id, closes)


def _owners(found: Evidence, names: Names) -> Iterator[str]:
    """The successive owners of each line that the steps shown are about."""
    for cpu, hgei in found.lines:
        cell = names.cells.index(f"hgei{cpu}.owners[{hgei}]")
        history = list[str]()
        for number, step in enumerate(found.traced.steps, 1):
            if cell in step.changes:
                old, new = (names.vcpus.get(owner, "nobody") for owner in step.changes[cell])
                history += [f"{new} from {number}"] if history else [old, f"{new} from {number}"]
        if history:
            yield from labelled("Owners", f"line {hgei} of CPU{cpu}: {', '.join(history)}")


def _lost(found: Evidence, names: Names) -> Iterator[str]:
    """The places that held the lost bits, and the step after which no place held them."""
    lost = found.lost
    if lost is None:
        return
    parts = []
    for since, cells in lost.history[not lost.history[0].cells :]:
        places = (interrupt_file(names.cells[cell]) for cell in cells)
        where = " and ".join(places) or "nowhere"
        parts.append(f"{where}{'' if since is None else f' from {since + 1}'}")
    if lost.history[-1].cells:
        parts.append("where its guest does not look")
    what = f"{lost.register} {lost.bits:#x} of {lost.vcpu.name}"
    yield from labelled("Lost", f"{what}: {', '.join(parts)}")


def _order(space: Space, found: Evidence) -> Iterator[str]:
    """The order of steps that suffices, how that is known, and the step that decides."""
    edges = " ".join(_edge(space, each) for each in found.slice.order)
    number = found.slice.schedules
    tried = f"each of {number} schedules" if number else "every schedule"
    order = f"{edges}: {tried} in this order shows it" if edges else f"{tried} shows it"
    if not found.slice.enough:
        order = f"{edges}: not enough, some schedules in this order do not show it"
    yield from labelled("Order", order)
    if found.decides is not None:
        after = (
            "whatever comes" if found.decides_all else f"in {CONTINUATIONS} ways that were tried"
        )
        step = f"step {found.decides + 1} (*)"
        yield from labelled("Decides", f"{step}: after it, {after}, the finding shows")


def _edge(space: Space, each: Candidate) -> str:
    """One edge of the order: `3<7` for two steps, `3<(name)` for a context that runs only later."""
    automata = space.system.automata
    then = str(each.then + 1) if each.comes else f"({automata[each.edge.then.slot].name})"
    return f"{each.first + 1}<{then}"


def _window(found: Evidence, names: Names, window: Window) -> str:
    """The context left in the middle of a function, its locks, and those that run meanwhile."""
    steps = found.traced.steps
    opens = steps[window.opens]
    closes = opens if window.closes is None else steps[window.closes]
    held = [in_c(lock) for lock in opens.locks if lock in closes.locks]
    holding = f"holding {', '.join(held)}" if held else "with no lock held"
    pairs = takewhile(lambda p: p[0] == p[1], zip(opens.shown, closes.shown, strict=False))
    within = names.functions.kernel_name(tuple(function for function, _ in pairs))
    end = len(steps) if window.closes is None else window.closes
    between = (steps[i] for i in found.kept if window.opens < i < end)
    others = " and ".join(dict.fromkeys(s.context for s in between if s.context != opens.context))
    until = "on" if window.closes is None else f"to {end + 1}"
    inside = f" in {within}" if within else ""  # two functions may share nothing of the kernel
    place = f"{opens.context}{inside}, from step {window.opens + 1} {until}"
    return f"{place}, {holding}: {others} in between"


def replay_lines(token: Token, *more: str) -> Iterator[str]:
    """The command that replays a token, in lines that a shell joins again."""
    word = encode(token)
    pieces = [word[i : i + IN_COMMAND] for i in range(0, len(word), IN_COMMAND)]
    yield from command_lines(["hgeisim", "replay", *more, *options(token), *pieces])


def race_mail(scenario: Scenario, token: Token, finding: dict[str, Any]) -> Iterator[str]:
    """The mail about a data race; `finding` as the document of an exploration has it."""
    kind, _, about = finding["id"].partition(":")
    race, standing = finding["race"], finding.get("standing") or ""
    subject = Finding(kind, about, finding["text"])
    yield from finding_head(subject, scenario.kernel, standing=standing)
    yield from machine(scenario)
    for side in race["sides"]:
        yield ""
        locks = in_c(" and ".join(side["locks"])) or "no lock"
        yield from in_columns(
            f"{side['does']} of {in_c(race['cell'])} by {side['context']} on "
            f"CPU{side['hart']}, with {locks}:"
        )
        yield from (f"  {name}" for name in side["functions"])
    yield ""
    same = "the same" if race["before"] == race["after"] else f"{race['before']} -> {race['after']}"
    yield from labelled("Value", same)
    yield from consequence(finding["id"])
    yield from replay_lines(token, "--races")


def run_mail(
    scenario: Scenario, seen: tuple[int, Finding], reports: Iterable[Report]
) -> Iterator[str]:
    """The mail about a finding of a run, without the command; `seen` is the time in ns, and the
    finding."""
    time_ns, finding = seen
    run = scenario.run
    yield from finding_head(finding, scenario.kernel)
    yield from machine(scenario)
    when = f"first at {time_ns / 1e6:.3f} ms of one run of {format_duration(run.until)}"
    yield from labelled("Seen", f"{when}, seed {run.seed}")
    yield ""
    functions = Functions(find_variant(scenario.kernel.variant))
    report = next((each for each in reports if finding_of(each).id == finding.id), None)
    if report is not None:
        yield from lock_lines(finding, report, functions)
    else:
        yield from consequence(finding.id)
    yield ""
