"""A replay: one schedule again, from its token, on its own kernel or on another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hgeisim.checks.catalogue import is_data_race, is_note, not_checked
from hgeisim.checks.finding import COUNTING, Finding
from hgeisim.checks.known import accepted, new_findings
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.counterexample import token as tokens
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.counterexample.replay import StepTaken, findings_of, follow
from hgeisim.drivers.explored.counterexample.token import DIGEST_DIGITS, Token
from hgeisim.drivers.explored.explored_scenario import explored_digest, space_of, token_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import EXPLORED, RACED
from hgeisim.drivers.explored.races.trial import races_shown
from hgeisim.drivers.explored.schedule_findings import least_causes, standings_along
from hgeisim.drivers.explored.strategies.lock_walks import shown_alone
from hgeisim.drivers.explored.strategies.strategy import CannotStep
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import (
    OBJECT,
    opened,
    own_digest,
    own_files,
    variant_problem,
    without_last_patch,
)
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_races, wrong
from hgeisim.library.findings import chosen, room, schedule_mail
from hgeisim.library.how_to_search import decoded
from hgeisim.library.own_patch import execute
from hgeisim.report.counterexample import race_facts, race_lines
from hgeisim.report.findings import in_order, nothing_found, standing, unlooked
from hgeisim.report.grid import Grid
from hgeisim.report.interleaving import interleaving
from hgeisim.report.kernel_names import in_c
from hgeisim.report.layout import count, indented
from hgeisim.report.real_code import code_facts, code_lines
from hgeisim.scenario.canonical import clean_twin, on_variant
from hgeisim.scenario.find import is_bare_name
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario

TOKEN = ("replay", "token")


@dataclass(frozen=True, repr=False)
class Replay(Answer):
    """The steps of a schedule, and the findings that they show.

    `name` and `variant` are those of the replay, which need not be those of the `token`; `end` says
    why the kernel cannot follow the rest of the schedule, if it cannot, and `changed` that a
    patch is not what it was.
    """

    token: Token
    name: str
    variant: str
    scenario: Scenario
    space: Space
    races: bool
    strict: bool
    changed: str = ""
    steps: list[StepTaken] = field(default_factory=list)
    end: str = ""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim replay`."""
        races = races_shown(self.space, self._schedule) if self.races else {}
        found = _findings(self.space, self._schedule)
        found |= {i: race.finding for i, race in races.items()}
        facts = {i: {"race": race_facts(race)} for i, race in races.items()}
        judged = _judged(self.space, self.scenario, self._schedule, found, strict=self.strict)
        return {
            "scenario": self.token.scenario,
            "variant": self.variant,
            "preemption": self.token.preemption,
            **code_facts(self.variant),
            "end": self.end,
            "steps": [
                {
                    "context": step.context,
                    "hart": step.cpu,
                    "function": step.function,
                    "operation": step.op,
                    **({"source": step.source} if step.source else {}),
                    "changes": [change._asdict() for change in step.changes],
                }
                for step in self.steps
            ],
            **({"changed": self.changed} if self.changed else {}),
            "findings": in_order(
                {"id": i, "text": f.text, **judged[i], **facts.get(i, {})} for i, f in found.items()
            ),
            "schedules": 1,
            "not_checked": not_checked(RACED if self.races else EXPLORED),
        }

    @property
    def _schedule(self) -> Schedule:
        """The part of the schedule that the kernel follows."""
        return self.token.schedule[: len(self.steps)]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings, the worst first."""
        found: list[dict[str, Any]] = self.document["findings"]
        return found

    def text(self, *, everything: bool = False) -> str:
        """The text of `hgeisim replay`; `everything` shows each step and every cell it changes."""
        return "\n".join(self._lines(everything))

    def _lines(self, everything: bool) -> Iterator[str]:
        result = self.document
        yield f"{result['scenario']} on {result['variant']}, preemption {result['preemption']}\n"
        vcpus = {each.id: each.name for each in self.space.system.k.vcpus if each is not None}
        yield "\n".join(interleaving(self.steps, vcpus, everything)) + "\n"
        if self.changed:
            yield self.changed + ("" if self.end else "; it follows the whole schedule")
            yield ""
        if self.end:
            yield f"this kernel leaves the schedule here: {self.end}"
        for finding in result["findings"]:
            how = standing(finding).removeprefix(", ")
            line = f"{finding['id']}: {in_c(finding['text'])}{how and f' ({how})'}"
            yield from indented(line, 0)
            if "race" in finding:
                yield from race_lines(finding["race"])
        yield "seen in one schedule"
        yield from code_lines(result)
        if nothing_found(result["findings"]):
            yield "no finding"
        yield from unlooked(result["not_checked"])

    def mail(self, finding: str | None = None, *, full: bool = False) -> str:
        """One finding as text for a mailing list: that in which the schedule ends, or one by its
        id, in 40 lines or `full`.  InputError: the schedule does not show it."""
        earlier = (
            () if finding else _findings(self.space, self.token.schedule[: len(self.steps) - 1])
        )
        later = [each for each in self.findings if each["id"] not in earlier]
        one = chosen(later or self.findings, finding)
        its_own = token_of(self.name, self.scenario, self._schedule)
        lines = schedule_mail(self.space, self.scenario, its_own, one, room(full=full))
        return "\n".join(lines)

    def __str__(self) -> str:
        """The text of `hgeisim replay`."""
        return self.text()

    def _grid(self) -> Grid:
        heads = ("step", "HART", "context", "function", "operation")
        rows = [
            (number, step.cpu, step.context, step.function, step.op)
            for number, step in enumerate(self.steps, start=1)
        ]
        return Grid(heads, rows)

    @property
    def _headline(self) -> str:
        shown = ", ".join(each["id"] for each in self.findings) or "no finding"
        steps = count(len(self.steps), "step")
        return f"replay of {self.token.scenario} on {self.variant}: {steps}, {shown}"


def replay(
    token: str,
    scenario: str | Path | None = None,
    variant: str | None = None,
    *,
    races: bool = False,
    strict: bool = False,
) -> Replay:
    """Follow the schedule in a token step by step.

    A token opens no file: where it was made from a file of yours, name it as `scenario`, or in
    `variant`.  Another kernel may not be able to follow the whole schedule.  `races` looks for data
    races, of your own patch it always does; `strict` counts accepted findings as new.
    """
    if variant is not None:
        execute(variant)
    meant = decoded(token, TOKEN)
    given = None if scenario is None else str(scenario)
    _check_files(meant, given, variant)
    name, kernel = given or meant.scenario, variant or meant.variant
    check_races("replay", kernel, races)
    loaded = _scenario(meant, name, kernel)
    space, changed = space_of(loaded), _changed(meant, kernel)
    another = _without_folders(kernel) != _without_folders(meant.variant)
    steps, end = _follow(space, meant, changed, another)
    wanted = races or bool(own_files(loaded.kernel.variant))
    return Replay(meant, name, kernel, loaded, space, wanted, strict, changed, steps, end)


def _check_files(token: Token, scenario: str | None, variant: str | None) -> None:
    """A token may come from anybody, so only the caller names files to open."""
    remedy = f"if you trust them: {tokens.command(token, scenario or '', variant or '')}"
    missing = []
    if scenario is None and not is_bare_name(token.scenario):
        missing.append(("--scenario", token.scenario))
    if variant is None and opened(token.variant):
        missing.append(("--variant", token.variant))
    if missing:
        options = " and ".join(option for option, _ in missing)
        files = " and ".join(repr(file) for _, file in missing)
        allowed = f"needs {options}: it was made with {files}, and a token opens no file"
        raise wrong(TOKEN, "", allowed, remedy)


def _scenario(token: Token, scenario: str, variant: str) -> Scenario:
    """The scenario that a token was made on, with the kernel to replay it on."""
    own = {"variant": token.variant, "preemption": token.preemption}
    checked = None if opened(token.variant) else variant_problem
    made_with = load_scenario(scenario, own, checked)
    meant = _meant(token, made_with)
    if meant is None:
        problem = "the token was made from another version of this scenario"
        raise InputError([Problem(made_with.file, "", "", problem, "explore it again")])
    load_scenario(scenario, {**own, "variant": variant}, variant_problem)
    return on_variant(meant, variant)


def _meant(token: Token, scenario: Scenario) -> Scenario | None:
    """The scenario of the schedule, by its digest: this one or its clean twin."""
    both = filter(None, (scenario, clean_twin(scenario)))
    fits = (each for each in both if explored_digest(each)[:DIGEST_DIGITS] == token.digest)
    return next(fits, None)


def _changed(token: Token, variant: str) -> str:
    """A sentence where the files of the user's own patches have changed, else nothing."""
    if not token.patch or own_digest(variant) in ("", token.patch):
        return ""
    parts = opened(variant)
    named = (each if each.startswith(OBJECT) else each.partition(":")[0] for each in parts)
    files = list(dict.fromkeys(named))
    verb = "has" if len(files) == 1 else "have"
    if _without_folders(variant) == _without_folders(token.variant):
        return f"{' or '.join(files)} {verb} changed since the token was made"
    return f"the token was made with another patch than {' and '.join(files)}"


def _without_folders(variant: str) -> str:
    """A variant by the names of its files: where they are does not matter."""
    return "+".join(part.rpartition("/")[2] for part in variant.split("+"))


def _follow(
    space: Space, token: Token, changed: str, may_leave: bool
) -> tuple[list[StepTaken], str]:
    """The steps that this kernel can follow, and why it cannot follow the others, if it cannot.

    The kernel that the token was made on has to follow all of it, also where a patch has changed.
    """
    steps: list[StepTaken] = []
    try:
        steps.extend(follow(space, token.schedule))
    except CannotStep as error:
        if not may_leave:
            problem = f"{changed or 'the schedule does not fit'}: {error}{_after(steps, error)}"
            raise wrong(TOKEN, "", problem) from None
        return steps, str(error)
    return steps, ""


def _after(steps: list[StepTaken], error: CannotStep) -> str:
    """Where the context stands that cannot step."""
    last = next((step for step in reversed(steps) if step.context == error.context), None)
    return f" after {last.op!r} in {last.function or last.context}" if last else ""


def _findings(space: Space, schedule: Schedule) -> dict[str, Finding]:
    """The findings that a schedule shows, each once, those of lock order too."""
    found: dict[str, Finding] = {}
    for finding in findings_of(space, schedule):
        found.setdefault(finding.id, finding)
    return found | shown_alone(space, schedule)


def _judged(
    space: Space,
    scenario: Scenario,
    schedule: Schedule,
    found: Mapping[str, Finding],
    *,
    strict: bool,
) -> dict[str, dict[str, Any]]:
    """Which findings are new: what is not accepted or, of a user's own patch, what the base does
    not show."""
    kernel = scenario.kernel
    if not own_files(kernel.variant):
        causes = {i: cause_of(space, schedule, i) for i in found if not is_data_race(i)}
        causes |= {i: each.cause for i, each in found.items() if is_data_race(i)}
        new = new_findings(causes, kernel.variant, strict, kernel.realtime)
        of_kernel = (kernel.variant, kernel.realtime)
        may_be = [i for i in new if not is_data_race(i) and accepted(i, *of_kernel)]
        if may_be and not strict:
            read = {i: causes[i] for i in may_be}
            causes |= least_causes(space, scenario, read, schedule)
            new = new_findings(causes, kernel.variant, strict, kernel.realtime)
        return {i: {"new": i in new} for i in found}
    base = Base(on_variant(scenario, without_last_patch(kernel.variant)), 0)
    return {
        i: {
            "new": (strict or each.word in COUNTING) and not is_note(i),
            "standing": each.word,
            "base_switches": None,
        }
        for i, each in standings_along(space, base, schedule, found).items()
    }
