"""Lock order: learned from a kernel, checked against a baseline, compared, shown as a graph.

A lock order is named by a word: a baseline file, a copy of /proc/lockdep, or a kernel; one without
a baseline is surveyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hgeisim.checks.known import known
from hgeisim.drivers.lock_survey import Survey, survey
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import find_variant, variant_problem
from hgeisim.library.arguments import check_names
from hgeisim.library.lock_results import LockCases, LockCheck, LockDiff, LockOrder
from hgeisim.library.own_patch import execute
from hgeisim.library.progress import SILENT, Progress
from hgeisim.lockorder.baseline import export_graph as graphs
from hgeisim.lockorder.baseline.baseline import Baseline, learned
from hgeisim.lockorder.baseline.baseline_file import (
    baseline_from,
    read_baseline,
    shipped_names,
    shipped_path,
)
from hgeisim.lockorder.baseline.declared_order import Declared, read_declared
from hgeisim.lockorder.baseline.foreign_text import WHOLE, refuse_foreign
from hgeisim.lockorder.baseline.proc_lockdep import (
    dump_from,
    is_dump,
)
from hgeisim.lockorder.cases.case_file import read_cases
from hgeisim.lockorder.cases.conformance import conformance as played
from hgeisim.machine.kernel_name import present_id
from hgeisim.report.lock_order import checked
from hgeisim.scenario.find import surveyed_names
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.user_file import is_file, read_text


def learn(
    scenarios: Sequence[str] = (),
    variant: str = "v7.3",
    *,
    realtime: bool = False,
    reasons: str | Path | None = None,
    progress: Progress = SILENT,
) -> LockOrder:
    """Run scenarios, by default twelve built-in ones, and learn the lock order of a kernel.

    Findings that have a name and a reason already are accepted, as are those with a reason in an
    older baseline, the file `reasons`.  `realtime` is PREEMPT_RT, where spinlock_t sleeps.
    """
    kept = read_baseline(Path(reasons), present_id).accepted if reasons is not None else {}
    execute(variant)
    found = _surveyed(scenarios, variant, realtime, progress)
    made, findings = _baseline_of(found, variant), found.findings()
    made.accepted |= {finding: kept[finding] for finding in findings if finding in kept}
    return LockOrder(made, {i: f.text for i, f in findings.items() if i not in made.accepted})


def show(
    kernel: str = "v7.3",
    around: str | None = None,
    *,
    against: str | None = None,
    **options: Any,
) -> LockOrder:
    """The lock order of a kernel, of a baseline file or of a copy of /proc/lockdep.

    `around` keeps only the classes within `depth` edges (1) of one class.  What the lock order
    `against` does not have is marked.  Edges that follow from others are left out unless they are
    marked, or `everything` is wanted.  `progress` is as elsewhere.
    """
    check_names("show", options, ("depth", "everything", "progress"))
    progress, depth = options.get("progress") or SILENT, options.get("depth", 1)
    order, added = _lock_order_of(kernel, progress=progress), frozenset[graphs.Pair]()
    if against is not None:
        other = _lock_order_of(against, order.scenarios, progress)
        added = frozenset(order.edges.keys() - other.edges.keys())
    if not options.get("everything"):
        order = graphs.adjacent(order, added)
    near = graphs.around(order, around, depth) if around else order
    return LockOrder(near, {}, added, against or "")


def check(
    baseline: str,
    variant: str | None = None,
    scenarios: Sequence[str] = (),
    **options: Any,
) -> LockCheck:
    """Run scenarios, by default those of the baseline, and find what the baseline does not have.

    `baseline` is a file, or a kernel whose baseline is shipped; `variant` the kernel to check, by
    default that of the baseline.  Options: `order`, a file with a declared order to check, too;
    `realtime`, `strict` and `progress` as elsewhere.
    """
    check_names("check", options, ("order", "realtime", "strict", "progress"))
    progress = options.get("progress") or SILENT
    before = _lock_order_of(baseline, progress=progress)
    declared = read_declared(Path(options["order"])) if options.get("order") else Declared()
    if variant is not None:
        execute(variant)
    kernel = variant or _known_kernel(before, baseline)
    names = scenarios or before.scenarios
    found = _surveyed(names, kernel, bool(options.get("realtime")), progress)
    result = checked(before, _baseline_of(found, kernel), found, declared)
    return LockCheck(result.strict() if options.get("strict") else result)


def diff(a: str, b: str, *, progress: Progress = SILENT) -> LockDiff:
    """How the lock order `b` differs from `a`; one that has to be surveyed is surveyed in the
    scenarios of the other."""
    first, second = _at_hand(a), _at_hand(b)
    here = first or second
    scenarios = here.scenarios if here else ()
    before = first or _lock_order_of(a, scenarios, progress)
    made = LockDiff(before, second or _lock_order_of(b, scenarios, progress))
    if made.compares_nothing:
        dump, model = (a, b) if made.before.kernel == a and is_file(a) else (b, a)
        allowed = f"has no lock class in common with {model}, so there is nothing to compare"
        remedy = f"{WHOLE}, of a kernel with KVM's AIA on which a VM has run"
        raise InputError([Problem(dump, "", "", allowed, remedy)])
    return made


def conformance(file: str | Path) -> LockCases:
    """Play the locking cases of a file: a few threads each, and the verdict that is expected."""
    return LockCases(Path(file), played(read_cases(Path(file))))


def _surveyed(names: Sequence[str], variant: str, realtime: bool, progress: Progress) -> Survey:
    """Learn from scenarios; without names from those that show between them all there is."""
    loaded = [(name, _load(name, variant, realtime)) for name in names or surveyed_names()]
    with progress.learning() as reached:
        return survey(loaded, reached)


def _load(name: str, variant: str, realtime: bool) -> Scenario:
    """A scenario with the preemption model that is asked for, its own, or the one that the code of
    the kernel was compiled for."""
    own = {"variant": variant, "preemption": "rt" if realtime else None}
    scenario = load_scenario(name, own, variant_problem)
    if scenario.kernel.realtime and not realtime:
        return load_scenario(name, {**own, "preemption": "full"}, variant_problem)
    compiled_for = find_variant(variant).preemptions
    if compiled_for and not realtime and scenario.kernel.preemption not in compiled_for:
        return load_scenario(name, {**own, "preemption": compiled_for[-1]}, variant_problem)
    return scenario


def _baseline_of(found: Survey, variant: str) -> Baseline:
    """A survey as a baseline that accepts what has a name and a reason already."""
    realtime = True in found.validators
    entries = {finding: known(finding, variant, realtime) for finding in found.findings()}
    reasons = {f: f"{entry.name}: {entry.reason}" for f, entry in entries.items() if entry}
    validators = [validator.known for validator in found.validators.values()]
    return learned(validators, variant, found.scenarios, reasons)


def _lock_order_of(
    word: str, scenarios: Sequence[str] = (), progress: Progress = SILENT
) -> Baseline:
    """The lock order that a word names: a file, a variant with a baseline here, or any variant,
    which is surveyed in some scenarios."""
    if (order := _at_hand(word)) is not None:
        return order
    execute(word)
    if problem := variant_problem(word):
        here = ", ".join(shipped_names())
        allowed = (
            f"is neither a file, nor a shipped baseline ({here}), nor a kernel variant: {problem}"
        )
        raise InputError([Problem("command line", "", repr(word), allowed)])
    return _baseline_of(_surveyed(scenarios, word, False, progress), word)


def _at_hand(word: str) -> Baseline | None:
    """The lock order of a file, or of a variant with a baseline here."""
    if is_file(word):
        content = read_text(Path(word))
        if is_dump(content):
            return dump_from(content, word)
        refuse_foreign(content, word)
        return baseline_from(content, word, present_id)
    path = shipped_path(word)
    return read_baseline(path, present_id) if path is not None else None


def _known_kernel(order: Baseline, word: str) -> str:
    """The kernel that a lock order is of, if it can be run; `word` names the lock order."""
    if problem := variant_problem(order.kernel):
        raise InputError([Problem(word, "kernel", repr(order.kernel), problem)])
    return order.kernel
