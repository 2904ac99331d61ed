"""Random walks: schedules that a sampler draws step by step, until no context can step.

A walk makes the steps of its space, which may be several operations long; the schedules that it
notes consist of single operations.  Some hundred walks warm a search up: it learns what contexts
write and contend for before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.compiled.tables import tables_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.compiled import CompiledWalks
from hgeisim.drivers.explored.strategies.sampling import RUN_MEAN, Draw, Sampler
from hgeisim.drivers.explored.strategies.strategy import Step, schedules
from hgeisim.drivers.explored.strategies.verdict import SAMPLED, Enough, Verdict, many, never
from hgeisim.scenario.streams import Streams


def random_walk(space: Space, number: int, sampler: Sampler, enough: Enough = never) -> Verdict:
    """Run a number of schedules that a sampler draws.

    They end early when a finding is `enough`, when the budget is spent, or when something fails.
    """
    verdict = Verdict(SAMPLED, enough=enough)
    space.make_room()
    with verdict.kept():
        for walk in walks_of(space, number, sampler, verdict):
            verdict.schedules += 1
            walk()
    verdict.coverage = SAMPLED
    verdict.bound = f"{many(verdict.schedules, f'{sampler.name} schedule')}{verdict.cut}"
    return verdict


def walks_of(
    space: Space, number: int, sampler: Sampler, verdict: Verdict
) -> Iterator[Callable[[], None]]:
    """Yield walks to be made, with the inner loop in C where possible."""
    tables = tables_of(space) if isinstance(sampler, Draw) else None
    if tables is not None and isinstance(sampler, Draw):
        walks = CompiledWalks(tables, sampler, verdict)
        yield from (walks.walk for _ in range(number))
        return
    seen: set[bytes] = set()
    for schedule in schedules(space, sampler.schedules(number)):
        yield partial(_note_all, space, verdict, schedule, seen)


def _note_all(space: Space, verdict: Verdict, schedule: Iterator[Step], seen: set[bytes]) -> None:
    """Note the findings of one schedule and of its end."""
    gone, state = list[int](), space.initial()
    seen.add(state)
    verdict.states = len(seen)
    space.system.budget.look_at_memory()
    for step in schedule:
        gone += [step.slot] * space.ask(step.slot, state).length
        state = step.after
        seen.add(state)
        verdict.transitions += 1
        verdict.states = len(seen)
        space.system.budget.spend(1)
        _note(verdict, (*step.findings, *space.invariants.of(state)), gone)
    if not any(space.successors(state)):
        verdict.ends += 1
        _note(verdict, end_findings(space, state), gone)


def _note(verdict: Verdict, findings: tuple[Finding, ...], gone: list[int]) -> None:
    for finding in findings:
        if finding.id not in verdict.counterexamples:
            verdict.note(finding, tuple(gone))


WITHOUT_NEWS = 250
"""The warm-up ends after this many schedules in a row that taught nothing."""
WALKS_MAX = 20_000
"""Schedules of a warm-up at most."""


def warm_up(space: Space, verdict: Verdict | None = None) -> None:
    """Learn from some hundred schedules what contexts write and contend for, and forget the rest.

    A search that learns this late has to begin again.  Nothing is done in a space of single
    operations, or where steps are known already.  What the schedules show can happen, so the
    verdict keeps it in `earlier`, although the search will find it as well.  The schedules are
    always the same.
    """
    if space.contention is None or space.steps_learned:
        return
    verdict = verdict or Verdict()
    space.make_room()
    draw = Draw(Streams(0).stream("scout"), RUN_MEAN)
    without_news, known = 0, space.lessons
    for walk in walks_of(space, WALKS_MAX, draw, verdict):
        walk()
        without_news = without_news + 1 if space.lessons == known else 0
        known = space.lessons
        if without_news == WITHOUT_NEWS:
            break
    space.forget()
    verdict.start_again()
