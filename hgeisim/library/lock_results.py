"""Results about lock order: one kernel, one beside a baseline, two side by side, cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.library.findings import chosen
from hgeisim.lockorder.baseline import export_graph as graphs
from hgeisim.lockorder.baseline.baseline import Baseline, compare, edge_detail
from hgeisim.lockorder.baseline.baseline_file import text_of_baseline
from hgeisim.lockorder.baseline.proc_lockdep import (
    FIRST_SPLAT,
    common,
    differing_usage,
    hides_some,
    lacking_in_kernel,
    lacking_in_model,
    may_be_off,
)
from hgeisim.lockorder.cases.conformance import Conformance
from hgeisim.lockorder.report.text import text_of
from hgeisim.report.grid import Grid
from hgeisim.report.layout import command_lines, count, indented
from hgeisim.report.lock_mail import survey_mail
from hgeisim.report.lock_order import Check, document, text
from hgeisim.runs.atomic_folder import put_file

if TYPE_CHECKING:
    from hgeisim.plot.drawing import Drawing


@dataclass(frozen=True, repr=False)
class LockOrder(Answer):
    """The lock order of a kernel: its classes, its edges, and the findings it accepts.

    `new` are the texts of the findings without a reason, by id; `added` are the edges that the lock
    order called `against` does not have.
    """

    baseline: Baseline
    new: dict[str, str]
    added: frozenset[graphs.Pair] = frozenset()
    against: str = ""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim locks learn` or `show`."""
        made = self.baseline
        return {
            "kernel": made.kernel,
            "scenarios": list(made.scenarios),
            "classes": {
                name: {"type": cls.kind, "wait": cls.wait, "usage": cls.usage}
                for name, cls in made.classes.items()
            },
            "edges": [
                {"held": source, "wanted": target, "kinds": sorted(edge.kinds), "site": edge.site}
                | ({"new": (source, target) in self.added} if self.against else {})
                for (source, target), edge in made.edges.items()
            ],
            "accepted": made.accepted,
        }

    def __str__(self) -> str:
        """The text of `hgeisim locks show`: what is taken inside of what."""
        return "\n".join(graphs.tree(self.baseline, self.added))

    def _grid(self) -> Grid:
        edges = self.document["edges"]
        rows = [(e["held"], e["wanted"], " ".join(e["kinds"]), e["site"]) for e in edges]
        return Grid(("held", "wanted", "kinds", "where"), rows)

    @property
    def _headline(self) -> str:
        made = self.baseline
        size = f"{count(len(made.classes), 'class')}, {count(len(made.edges), 'edge')}"
        return f"lock order of {made.kernel}: {size}, {count(len(self.new), 'new finding')}"

    def write(self, path: str | Path) -> None:
        """Write a baseline: sorted text, made to be read in the diff of a patch."""
        put_file(Path(path), text_of_baseline(self.baseline))

    def form(self, name: str) -> str:
        """The graph as "text", "dot" or "graphml", or all of it as the text of a "baseline"."""
        writers = {
            "baseline": text_of_baseline,
            "dot": lambda order: graphs.dot(order, self.added),
            "graphml": graphs.graphml,
        }
        if name not in ("text", *writers):
            raise wrong(("form", "name"), name, f"must be one of text, {', '.join(writers)}")
        return f"{self}\n" if name == "text" else writers[name](self.baseline)

    def around(self, name: str, depth: int = 1) -> LockOrder:
        """The classes within `depth` edges of one class, without edges that follow from others."""
        near = graphs.around(graphs.adjacent(self.baseline, self.added), name, depth)
        return replace(self, baseline=near)

    def plot(self) -> Drawing:
        """Draw the graph: the outermost classes on top, cycles in red, new edges thick."""
        from hgeisim.plot.drawing import Drawing  # noqa: PLC0415 - loads matplotlib
        from hgeisim.plot.lock_graph import lock_figure  # noqa: PLC0415

        return Drawing(lock_figure(self.baseline, self.added, self.against))


@dataclass(frozen=True, repr=False)
class LockCheck(Answer):
    """A kernel beside a baseline: `check` has the reports, differences and breaches."""

    check: Check

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim locks check`."""
        return document(self.check)

    @property
    def kernel(self) -> str:
        """The kernel that was checked."""
        return self.check.after.kernel

    @property
    def new(self) -> int:
        """The number of things that the baseline does not have."""
        return self.check.new

    @property
    def lost(self) -> int:
        """The number of things that the kernel of the baseline does not show any more."""
        return self.check.lost

    @property
    def reports(self) -> dict[str, str]:
        """The reports in full by the ids of their findings, the new ones first."""
        edges = self.check.before.edges
        return {i: text_of(report, edges) for i, report in self._all.items()}

    @property
    def _all(self) -> dict[str, Any]:
        return {**self.check.findings, **self.check.accepted}

    def mail(self, finding: str | None = None, command: Sequence[str] = ()) -> str:
        """One finding as text for a mailing list: the first new one, or that with an id.

        `command` are the words of the command that shows it again.
        """
        facts = [{"id": i, "new": i in self.check.findings} for i in self._all]
        one = chosen(facts, finding)["id"]
        again = command_lines(command) if command else ()
        return "\n".join([*survey_mail(self.check, one, self._all[one]), *again])

    def __str__(self) -> str:
        """The text of `hgeisim locks check`."""
        return "\n".join(text(self.check))

    def _grid(self) -> Grid:
        rows = [(each.sign, each.what, each.name, each.detail) for each in self.check.grown]
        rows += [("!", "finding", i, "") for i in self.check.findings]
        rows += [("!", "declared order", str(each), "") for each in self.check.breaches]
        return Grid(("", "what", "name", ""), rows)

    @property
    def _headline(self) -> str:
        before, after = self.check.before.kernel, self.kernel
        return f"lock order of {after} against {before}: {self.new} new, {self.lost} lost"


KEYS = ("sign", "what", "name", "detail")
Row = tuple[str, str, str, str]


@dataclass(frozen=True, repr=False)
class LockDiff(Answer):
    """Two lock orders side by side.

    `rows` have a sign: `+` is in `after` only, `-` in `before` only, `~` has changed.
    """

    before: Baseline
    after: Baseline

    @cached_property
    def rows(self) -> list[Row]:
        """Each difference: sign, what it is, its name, a detail."""
        return list(_rows(self.before, self.after))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim locks diff`."""
        return {
            "a": self.before.kernel,
            "b": self.after.kernel,
            "common": common(self.before, self.after),
            "scenarios": {"a": self.before.scenarios, "b": self.after.scenarios},
            "lockdep_may_be_off": self._may_be_off,
            "differences": [dict(zip(KEYS, row, strict=True)) for row in self.rows],
        }

    def __str__(self) -> str:
        """The text of `hgeisim locks diff`."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        before, after = self.before, self.after
        yield from indented(f"a: {before.kernel}, b: {after.kernel}", 0)
        if before.scenarios and after.scenarios:
            yield from indented(_seen_in(before.scenarios, after.scenarios), 0, 6)
        if _is_dump(before) != _is_dump(after):
            yield from indented(f"common: {', '.join(self.document['common']) or 'nothing'}", 0)
        if self._may_be_off:
            yield from indented(MAY_BE_OFF, 0)
        for sign, what, name, detail in self.rows:
            yield from indented(f"{sign} {what} {name}" + (f"  {detail}" if detail else ""), 0, 6)
        yield count(len(self.rows), "difference") if self.rows else "no difference"

    @property
    def compares_nothing(self) -> bool:
        """Whether one is a real kernel's and has no class of the model: it says nothing then."""
        one_is = _is_dump(self.before) != _is_dump(self.after)
        return one_is and not common(self.before, self.after)

    @property
    def _may_be_off(self) -> bool:
        return _may_be_off(self.before, self.after)

    def _grid(self) -> Grid:
        return Grid(KEYS, self.rows)

    @property
    def _headline(self) -> str:
        number = count(len(self.rows), "difference")
        return f"lock order of {self.after.kernel} beside {self.before.kernel}: {number}"


MAY_BE_OFF = (
    f"{' < '.join(FIRST_SPLAT)} is missing in the real kernel: either no guest has blocked there,"
    " or lockdep has reported that and turned itself off (B-08, `Invalid wait context` in dmesg,"
    " with CONFIG_PROVE_RAW_LOCK_NESTING); then what it lacks besides says nothing"
)


def _may_be_off(before: Baseline, after: Baseline) -> bool:
    """Whether one is of a real kernel whose lockdep may have been off for most of the time."""
    if _is_dump(before) == _is_dump(after):
        return False
    dump, model = (before, after) if _is_dump(before) else (after, before)
    return may_be_off(dump, model)


def _is_dump(order: Baseline) -> bool:
    return any(cls.kind == "?" for cls in order.classes.values())


def _rows(before: Baseline, after: Baseline) -> Iterator[Row]:
    if _is_dump(before) == _is_dump(after):
        yield from ((d.sign, d.what, d.name, d.detail) for d in compare(before, after))
        return
    dump, model, sign = (before, after, "-") if _is_dump(before) else (after, before, "+")
    other = "+" if sign == "-" else "-"
    for name in differing_usage(dump, model):
        a, b = before.classes[name].usage, after.classes[name].usage
        yield "~", "usage", name, f"{{{a}}} -> {{{b}}}"
    for pair in lacking_in_model(dump, model):
        yield sign, "edge", " < ".join(pair), "the real kernel has it, the model does not"
    off = "; lockdep may have been off" if _may_be_off(before, after) else ""
    for pair in lacking_in_kernel(dump, model):
        hidden = "; maybe there, not all is printed" if hides_some(dump, pair[0]) else off
        detail = f"the model has it: {edge_detail(model.edges[pair])}{hidden}"
        yield other, "edge", " < ".join(pair), detail


def _seen_in(a: Sequence[str], b: Sequence[str]) -> str:
    """Whether two lock orders were seen in the same scenarios; else a difference may be theirs."""
    if sorted(a) == sorted(b):
        return f"both from the same scenarios ({len(a)})"
    only = [
        ("a", [each for each in a if each not in b]),
        ("b", [each for each in b if each not in a]),
    ]
    named = "; ".join(f"only {side}: {', '.join(names)}" for side, names in only if names)
    return f"not from the same scenarios ({named}): what one of them shows, the other may lack"


@dataclass(frozen=True, repr=False)
class LockCases(Answer):
    """Locking cases that were played, and how many agree with what their file expects."""

    file: Path
    result: Conformance

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim locks conformance`."""
        made = self.result
        return {
            "total": made.total,
            "agree": made.agree,
            "in_place": made.in_place,
            "out_of_scope": made.out_of_scope,
            "disagree": [d.case for d in made.disagreements],
            "groups": {name: {"agree": n, "total": of} for name, (n, of) in made.groups.items()},
        }

    def __str__(self) -> str:
        """The text of `hgeisim locks conformance`."""
        made = self.result
        lines = [
            f"Cases of {self.file}",
            f"{made.total} in scope, {made.out_of_scope} out of scope (not played)",
            f"{made.agree} agree in verdict and kind, {made.in_place} at the same operation too",
        ]
        lines += [f"  {name:<24}{n:>4} of {of:>3}" for name, (n, of) in made.groups.items()]
        lines += [f"  {d.case}: expected {d.expected}, found {d.found}" for d in made.disagreements]
        return "\n".join(lines)

    @property
    def _headline(self) -> str:
        return f"{self.file}: {self.result.agree} of {self.result.total} cases agree"

    def _grid(self) -> Grid:
        rows = [(name, n, of) for name, (n, of) in self.result.groups.items()]
        return Grid(("group", "agree", "of"), rows)
