"""/proc/lockdep and /proc/lockdep_stats: read from a real kernel's dump, and printed for the model.

The file lists each class with its usage, then the classes that were taken right inside it.  Read as
a baseline, it lets a real kernel be compared with the model.  It lacks kinds of dependencies, lock
types, wait levels, and dependencies at a distance, which follow from those that it has.

The knowledge of a validator is printed in the same lines and columns, so that scripts for a
kernel's files can read it.  A key is a digest of the name of the class.  Direct dependencies are
those that do not follow from others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

import networkx as nx

from hgeisim.errors import InputError, Problem
from hgeisim.lockorder.baseline.baseline import Baseline, ClassFacts, EdgeFacts
from hgeisim.lockorder.baseline.export_graph import adjacent, graph_of
from hgeisim.lockorder.baseline.foreign_text import PROVE_LOCKING, WHOLE
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.lockorder.rules.viewpoint import Sizes

FIRST_LINE = "all lock classes:"
_KEY = r"(?:[0-9a-f]+|\([_a-z]*ptrval[_a-z]*\))"
"""An address, or what the kernel prints for it as long as it cannot hash one."""
_CLASS = re.compile(
    _KEY + r" (OPS:\s*\d+ )?FD:\s*(?P<reach>[0-9]{1,9}) BD:\s*\d+ "
    r"(?P<usage>[.+?-]{4})(?:[.+?-]{2})?: (?P<name>\S.*)"
)
"""Old kernels have two more symbols, those of RECLAIM_FS."""
_UNPROVEN = re.compile(_KEY + r"(?: OPS:\s*\d+)?:\s+(?!.*\bFD:)\S.*")
_EDGE = re.compile(r" -> \[" + _KEY + r"\] (?P<name>\S.*)")
_CLASS_FORM = "must be `KEY FD: n BD: n USAGE: NAME`, as /proc/lockdep prints a class"
_EDGE_FORM = "must be ` -> [KEY] NAME`, as /proc/lockdep prints a dependency"

KERNEL_NAMES = {
    "&(kvm)->mmu_lock": "kvm->mmu_lock",
    "&hgctrl->lock": "hgctrl->lock",
    "&imsic->swfile_extirq_lock": "imsic->swfile_extirq_lock",
    "&imsic->vsfile_lock": "imsic->vsfile_lock",
    "&irq_desc_lock_class": "irq_desc(SGEI)->lock",
    "&kvm->lock": "kvm->lock",
    "&kvm->slots_lock": "kvm->slots_lock",
    "&kvm->srcu": "kvm->srcu",
    "&p->pi_lock": "p->pi_lock",
    "&rq->__lock": "rq->__lock",
    "&vcpu->arch.hfence_lock": "vcpu->hfence_lock",
    "&vcpu->mutex": "vcpu->mutex",
}
"""The model's names of the classes that the kernel names differently."""


def is_dump(text: str) -> bool:
    """Whether a text looks like /proc/lockdep; empty lines, and the command that printed it, may
    stand before."""
    lines = text.splitlines()
    return FIRST_LINE in lines and all(map(_before, lines[: lines.index(FIRST_LINE)]))


def _before(line: str) -> bool:
    return not line.strip() or line.endswith("/proc/lockdep")


def dump_from(text: str, file: str = "lockdep") -> Baseline:
    """The classes and dependencies of a dump, by the model's names where it has one.

    In place of its wait level, a class has the number of classes that it reaches (FD), itself
    included.
    """
    made, inside, lines = Baseline(kernel=file), "", text.splitlines()
    if not is_dump(text):
        raise InputError(
            [Problem(file, "line 1", repr(text.partition("\n")[0][:60]), f"must be {FIRST_LINE!r}")]
        )
    begin = lines.index(FIRST_LINE) + 1
    for number, line in enumerate(lines[begin:], start=begin + 1):
        if not line.strip():
            continue
        if line.startswith(" "):
            wrong = _edge(made, inside, line)
        else:
            found = _CLASS.fullmatch(line)
            inside = _named(found["name"]) if found else ""
            wrong = "" if found else _CLASS_FORM
            if found:
                made.classes[inside] = ClassFacts("?", found["reach"], found["usage"])
        is_cut = number == len(lines) and not text.endswith("\n")
        if wrong or is_cut:
            raise InputError([_misread(file, number, line, wrong, is_cut)])
    if not made.classes:
        raise InputError([Problem(file, "", "", "ends after its first line", WHOLE)])
    if problems := [*_cut_short(made, file, text)]:
        raise InputError(problems)
    return made


def _misread(file: str, number: int, line: str, wrong: str, is_cut: bool) -> Problem:
    """The problem of the first line that cannot be read: others are seldom better."""
    remedy = ""
    if is_cut:
        wrong, remedy = "is cut off in this line", WHOLE
    elif _UNPROVEN.fullmatch(line):
        wrong = "has neither dependencies nor usage, as without CONFIG_PROVE_LOCKING"
        remedy = PROVE_LOCKING
    return Problem(file, f"line {number}", repr(line[:60]), wrong, remedy)


def _cut_short(made: Baseline, file: str, text: str) -> Iterator[Problem]:
    """The first class that others lead to and that the dump does not list, though it lists all."""
    for number, line in enumerate(text.splitlines(), start=1):
        edge = _EDGE.fullmatch(line)
        if edge and _named(edge["name"]) not in made.classes:
            allowed = "leads to a class that has no line of its own"
            yield Problem(file, f"line {number}", repr(edge["name"]), allowed, WHOLE)
            return


def _edge(made: Baseline, inside: str, line: str) -> str:
    found = _EDGE.fullmatch(line)
    if not found:
        return _EDGE_FORM
    if not inside:
        return "must stand below a class"
    made.edges[inside, _named(found["name"])] = EdgeFacts(frozenset(), "?")
    return ""


def hides_some(dump: Baseline, cls: str) -> bool:
    """Whether a class leads to more classes than the printed dependencies show.

    Dependencies at a distance are not printed, and a held rcu_read_lock adds to the distance.
    """
    graph = nx.DiGraph(list(dump.edges))
    printed = len(nx.descendants(graph, cls)) if cls in graph else 0
    return int(dump.classes[cls].wait) > printed + 1


FIRST_SPLAT = ("rq->__lock", "imsic->vsfile_lock")
"""imsic_put takes the second under the first when a vCPU blocks (B-08).  With
CONFIG_PROVE_RAW_LOCK_NESTING lockdep reports that as an invalid wait context, does not learn the
dependency, and turns itself off (print_lock_invalid_wait_context, kernel/locking/lockdep.c)."""


def may_be_off(dump: Baseline, model: Baseline) -> bool:
    """Whether the real lockdep may have been off since the first guest blocked."""
    there = {*FIRST_SPLAT} <= dump.classes.keys()
    return there and FIRST_SPLAT in model.edges and FIRST_SPLAT not in dump.edges


def _named(name: str) -> str:
    return KERNEL_NAMES.get(name, name)


def common(dump: Baseline, model: Baseline) -> list[str]:
    """The classes of both a dump and the model."""
    return sorted(set(dump.classes) & set(model.classes))


def differing_usage(dump: Baseline, model: Baseline) -> list[str]:
    """The common classes whose usage differs, use in softirqs apart: the model has no softirqs."""
    not_in_softirq = str.maketrans("-?", ".+")  # of the last two symbols, those of softirqs
    usages = {name: dump.classes[name].usage for name in common(dump, model)}
    return [
        name
        for name, usage in usages.items()
        if usage[:2] + usage[2:].translate(not_in_softirq) != model.classes[name].usage
    ]


def lacking_in_model(dump: Baseline, model: Baseline) -> list[Pair]:
    """The real kernel's dependencies between common classes that the model has not shown."""
    shared = set(common(dump, model))
    return sorted(pair for pair in dump.edges if set(pair) <= shared and pair not in model.edges)


def lacking_in_kernel(dump: Baseline, model: Baseline) -> Iterator[Pair]:
    """Yield the model's dependencies between common classes that do not follow from the dump."""
    shared, graph = set(common(dump, model)), nx.DiGraph(list(dump.edges))
    for source, target in sorted(model.edges):
        both = {source, target} <= shared
        known = both and source in graph and target in graph and nx.has_path(graph, source, target)
        if both and not known:
            yield source, target


def proc_lockdep(order: Baseline) -> str:
    """The text of /proc/lockdep: FD and BD count the classes after and before one, and itself."""
    graph, direct = graph_of(order), adjacent(order)
    lines = [FIRST_LINE]
    for name, cls in sorted(order.classes.items()):
        ahead, back = len(nx.descendants(graph, name)) + 1, len(nx.ancestors(graph, name)) + 1
        lines.append(f"{_key(name)} FD:{ahead:5} BD:{back:5} {cls.usage}: {name}")
        inside = [target for source, target in sorted(direct.edges) if source == name]
        lines += [f" -> [{_key(target)}] {target}" for target in inside]
        lines.append("")
    return "\n".join(lines) + "\n"


def proc_lockdep_stats(order: Baseline, sizes: Sizes) -> str:
    """The text of /proc/lockdep_stats, limited to the counts that have a meaning here."""
    counts = _counts(order, sizes)
    return "".join(f" {label + ':':<31}{number:>12}\n" for label, number in counts)


def _counts(order: Baseline, sizes: Sizes) -> Iterator[tuple[str, int]]:
    graph = graph_of(order)
    yield "lock-classes", len(order.classes)
    yield "direct dependencies", len(adjacent(order).edges)
    yield "indirect dependencies", sum(len(nx.descendants(graph, name)) for name in graph)
    yield "all direct dependencies", sizes.dependencies
    yield "dependency chains", sizes.chains
    for at, line in ((0, "hardirq"), (2, "softirq")):
        for signs, word in (("-?", "safe"), ("+?", "unsafe")):
            yield f"{line}-{word} locks", _used(order, at, signs)
            yield f"{line}-read-{word} locks", _used(order, at + 1, signs)
    yield "uncategorized locks", sum(cls.usage == "...." for cls in order.classes.values())
    yield "max locking depth", sizes.longest_chain
    yield "debug_locks", 1


def _used(order: Baseline, at: int, signs: str) -> int:
    return sum(cls.usage[at] in signs for cls in order.classes.values())


def _key(name: str) -> str:
    return blake2b(name.encode(), digest_size=8).hexdigest()
