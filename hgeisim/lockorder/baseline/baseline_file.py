"""Baseline files: one fact to a line, sorted, to be read in the diff of a patch.

kernel v7.0
scenarios big-little move-offline
class imsic->vsfile_lock rwlock config:config {-+.+}
edge imsic->vsfile_lock < rq->__lock SN try_to_wake_up
accept wait-context:imsic->vsfile_lock rq->__lock :: B-08: ...

hgeisim comes with a baseline for each kernel that was shipped or posted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.lockorder.baseline.baseline import (
    SYMBOLS,
    USAGE_LENGTH,
    Baseline,
    ClassFacts,
    EdgeFacts,
)
from hgeisim.lockorder.graph.dependency_graph import KIND_NAMES
from hgeisim.lockorder.graph.lock_class import KINDS, Wait
from hgeisim.user_file import read_text

HEAD = """\
# Lock order: classes with type, wait levels and usage; dependencies with kinds and first site;
# accepted findings, each with its reason.  `hgeisim locks learn` writes it, `locks check` reads it.
"""
BECAUSE = " :: "
_LEVELS = tuple(wait.name.lower() for wait in Wait)


def text_of_baseline(baseline: Baseline) -> str:
    """The text of a baseline; equal baselines give equal texts."""
    return HEAD + "\n".join(_lines(baseline)) + "\n"


def _lines(baseline: Baseline) -> Iterator[str]:
    yield f"kernel {baseline.kernel}"
    yield f"scenarios {' '.join(sorted(baseline.scenarios))}"
    yield ""
    for name, cls in sorted(baseline.classes.items()):
        yield f"class {name} {cls.kind} {cls.wait} {{{cls.usage}}}"
    yield ""
    for (source, target), edge in sorted(baseline.edges.items()):
        yield f"edge {source} < {target} {','.join(sorted(edge.kinds))} {edge.site}"
    yield ""
    for finding, reason in sorted(baseline.accepted.items()):
        yield f"accept {finding}{BECAUSE}{reason}"


def read_baseline(path: Path, renamed: Callable[[str], str] = str) -> Baseline:
    """The baseline in a file; InputError lists all mistakes, each with its line.

    `renamed` gives the present form of an accepted id, or of a site, that the file has.
    """
    return baseline_from(read_text(path), str(path), renamed)


def baseline_from(
    text: str, file: str = "baseline", renamed: Callable[[str], str] = str
) -> Baseline:
    """The baseline in a text; `file` is its name in problems."""
    made, problems = Baseline(), list[Problem]()
    for number, line in enumerate(text.split("\n"), start=1):
        word, rest = (*line.strip().split(maxsplit=1), "", "")[:2]
        # Only a whole line is a comment: reasons and ids may contain a #.
        wrong = _read(made, word, rest) if word and not word.startswith("#") else ""
        if wrong:
            shown = line if len(line) <= 60 else f"{line[:57]}..."
            problems.append(Problem(file, f"line {number}", repr(shown), wrong))
    problems += _missing(made, file) if not problems else []
    if problems:
        raise InputError(problems)
    for pair, edge in made.edges.items():
        made.edges[pair] = replace(edge, site=renamed(edge.site))
    accepted, made.accepted = made.accepted, {}
    for finding, reason in accepted.items():
        made.accepted.setdefault(renamed(finding), reason)
    return made


def _missing(made: Baseline, file: str) -> list[Problem]:
    problems = []
    if not made.kernel:
        wanted = (
            "has no `kernel VARIANT` line; `hgeisim locks learn` writes baselines, and a kernel "
            "built with CONFIG_PROVE_LOCKING has a /proc/lockdep"
        )
        problems.append(Problem(file, "", "", wanted))
    for source, target in made.edges:
        for name in (source, target):
            if name not in made.classes:
                wrong, hint = "has an edge, but no `class` line", did_you_mean(name, made.classes)
                problems.append(Problem(file, f"edge {source} < {target}", name, wrong, hint))
    return problems


def with_nearest(wrong: str, word: str, known: Iterable[str]) -> str:
    """A mistake, with the known word that may be meant, if one is near."""
    hint = did_you_mean(word, known)
    return f"{wrong}; {hint}" if hint else wrong


def _read(made: Baseline, word: str, rest: str) -> str:
    """Add one line to a baseline; return its mistake, or nothing."""
    readers = {"class": _class, "edge": _edge, "accept": _accept}
    if word == "kernel":
        made.kernel = rest
        return "" if rest else "must be `kernel VARIANT`"
    if word == "scenarios":
        made.scenarios = tuple(rest.split())
        return ""
    if word not in readers:
        wrong = "must begin with kernel, scenarios, class, edge or accept"
        return with_nearest(wrong, word, ["kernel", "scenarios", *readers])
    return readers[word](made, rest)


def _class(made: Baseline, rest: str) -> str:
    words = rest.split()
    if len(words) != len(("name", "type", "wait", "usage")):
        return "must be `class NAME TYPE NEED:INNER {USAGE}`"
    name, kind, wait, usage = words
    levels = wait.split(":")
    if kind not in KINDS:
        return with_nearest(f"{kind!r} is not a lock type", kind, KINDS)
    if len(levels) != len(("need", "inner")) or not set(levels) <= set(_LEVELS):
        return f"wait levels must be two of {', '.join(_LEVELS)}, such as spin:spin"
    inside = usage[1:-1]
    if f"{{{inside}}}" != usage or len(inside) != USAGE_LENGTH or set(inside) - set(SYMBOLS):
        return f"usage must be {USAGE_LENGTH} of {SYMBOLS} in braces, such as {{-.+.}}"
    if name in made.classes:
        return "is there twice"
    made.classes[name] = ClassFacts(kind, wait, inside)
    return ""


def _edge(made: Baseline, rest: str) -> str:
    words = rest.split()
    if len(words) != len(("source", "<", "target", "kinds", "site")) or words[1] != "<":
        return "must be `edge HELD < WANTED KINDS FUNCTION`"
    source, _, target, kinds, site = words
    known = set(KIND_NAMES.values())
    if not set(kinds.split(",")) <= known:
        return f"kinds must be some of {','.join(sorted(known))}"
    if (source, target) in made.edges:
        return "is there twice"
    made.edges[source, target] = EdgeFacts(frozenset(kinds.split(",")), site)
    return ""


def _accept(made: Baseline, rest: str) -> str:
    finding, _, reason = rest.partition(BECAUSE.strip())
    finding, reason = finding.strip(), reason.strip()
    if not finding or not reason:
        return "must be `accept FINDING :: REASON`: nothing is accepted without a reason"
    if finding in made.accepted:
        return "is there twice"
    made.accepted[finding] = reason
    return ""


FOLDER = Path(__file__).parent.parent / "baselines"
SUFFIX = ".txt"


def shipped_names() -> list[str]:
    """The variants whose baselines come with hgeisim, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def shipped_path(variant: str) -> Path | None:
    """The file of a variant's baseline, None if it has none."""
    return FOLDER / f"{variant}{SUFFIX}" if variant in shipped_names() else None
