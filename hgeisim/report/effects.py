"""Changes of cells in the words of a sentence: takes line 1 of CPU0, brings CPU0 up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from hgeisim.kernel.structs import IRQ_VS_EXT, IRQ_VS_SOFT, IRQ_VS_TIMER
from hgeisim.report.kernel_names import listed


class Change(NamedTuple):
    """A cell of the model, and its value before and after; the same where it was only read."""

    cell: str
    before: int
    after: int


class Facts(NamedTuple):
    """The names of vCPUs by their ids, and the values that a phase has read or left, by cell."""

    vcpus: Mapping[int, str]
    values: Mapping[str, int]

    def vcpu(self, ident: int) -> str:
        """A vCPU by its id."""
        return self.vcpus.get(ident, "nobody")

    def line(self, cpu: int, hgei: int | None) -> str:
        """A line by its number, if that is known."""
        return f"line {hgei} of CPU{cpu}" if hgei and hgei > 0 else f"its VS-file on CPU{cpu}"


Say = Callable[["re.Match[str]", Change, Facts], str]


def _vsfile(found: re.Match[str], change: Change, facts: Facts) -> str:
    vcpu, (_, old, new) = found[1], change
    hgei = facts.values.get(f"{vcpu}.vsfile_hgei")
    if old == new:
        where = facts.line(old, hgei) if old >= 0 else "no VS-file"
        return f"finds that {vcpu} has {where}"
    if new < 0:
        return f"takes {facts.line(old, hgei)} away from {vcpu}"
    return f"makes {facts.line(new, hgei)} the VS-file of {vcpu}"


def _owner(found: re.Match[str], change: Change, facts: Facts) -> str:
    (_, old, new), line = change, f"line {found[2]} of CPU{found[1]}"
    if old == new:
        return f"finds {facts.vcpu(old)} as the owner of {line}"
    if not new:
        return f"removes {facts.vcpu(old)} as the owner of {line}"
    before = f" (until then {facts.vcpu(old)}'s)" if old else ""
    return f"allocates {line} for {facts.vcpu(new)}{before}"


def _bitmap(found: re.Match[str], change: Change, facts: Facts) -> str:
    _, old, new = change
    freed, taken = _bits(new & ~old), _bits(old & ~new)
    where = f"of CPU{found[1]}"
    if freed:
        return f"marks {listed('line', freed)} {where} free"
    if taken:
        return f"marks {listed('line', taken)} {where} taken"
    return ""


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(1, mask.bit_length()) if mask >> bit & 1]


def _line(found: re.Match[str], change: Change, facts: Facts) -> str:
    (_, old, new), line = change, f"line {found[3]} of CPU{found[1]}"
    if old == new:
        return ""
    if not new:
        return f"reads and clears {line}"
    if found[2] == "eie":
        return f"adds what it has read to {line}"
    return f"makes {listed('identity', _bits(new & ~old))} pending in {line}"


def _swfile(found: re.Match[str], change: Change, facts: Facts) -> str:
    _, old, new = change
    if old == new:
        return f"finds the SW-file of {found[1]} {'in use' if old else 'empty'}"
    if new & ~old and found[2] == "eip":
        return f"makes {listed('identity', _bits(new & ~old))} pending in the SW-file of {found[1]}"
    return f"{'adds what it has read to' if new else 'empties'} the SW-file of {found[1]}"


def _page(found: re.Match[str], change: Change, facts: Facts) -> str:
    if change.before == change.after:
        return ""
    return f"{'unmaps' if change.after < 0 else 'maps'} the IMSIC page of {found[1]}"


def _armed(found: re.Match[str], change: Change, facts: Facts) -> str:
    _, old, new = change
    lines = _bits(old ^ new)
    done = "arms" if new > old else "disarms"
    return f"{done} {listed('line', lines)} of CPU{found[1]}" if lines else ""


def _vgein(found: re.Match[str], change: Change, facts: Facts) -> str:
    if change.before == change.after or not change.after:
        return ""
    return f"sets VGEIN of CPU{found[1]} to {change.after}"


def _placed(text: str, from_one: bool = False) -> Say:
    """A phrase for a change to a number from 0 up; a cell that counts `from_one` has 0 for none."""

    def say(found: re.Match[str], change: Change, facts: Facts) -> str:
        number = change.after - from_one
        return text.format(found[1], number) if change.before != change.after >= from_one else ""

    return say


def _either(on: str, off: str) -> Say:
    """Two phrases, for a change from 0 and for one to it."""
    return lambda found, change, facts: (
        "" if change.before == change.after else (on if change.after else off).format(found[1])
    )


VIRTUAL = {IRQ_VS_SOFT: "VS_SOFT", IRQ_VS_TIMER: "VS_TIMER", IRQ_VS_EXT: "VS_EXT"}


def _virtual(found: re.Match[str], change: Change, facts: Facts) -> str:
    changed = change.before ^ change.after
    named = [name for irq, name in VIRTUAL.items() if changed & irq]
    done = "raises" if change.after & changed else "drops"
    return f"{done} {' and '.join(named)} of {found[1]}" if named else ""


RULES: tuple[tuple[re.Pattern[str], Say], ...] = tuple(
    (re.compile(pattern), say)
    for pattern, say in (
        (r"(.+)\.vsfile_cpu", _vsfile),
        (r"hgei(\d+)\.owners\[(\d+)\]", _owner),
        (r"(.+)\.freed", _either("frees {}", "")),
        (r"(.+)\.pgd_freed", _either("frees the page table of {}", "")),
        (r"hgei(\d+)\.free_bitmap", _bitmap),
        (r"hart(\d+)\.(eie)\[(\d+)\]", _line),
        (r"hart(\d+)\.(eip)\[(\d+)\]", _line),
        (r"(.+)\.swfile\.(eie|eip|eidelivery)", _swfile),
        (r"(.+)\.irqs_pending", _virtual),
        (r"hart(\d+)\.hgeie", _armed),
        (r"(.+/.+)\.cpu", _placed("moves {} to CPU{}")),
        (r"hart(\d+)\.vgein", _vgein),
        (r"(.+/.+)\.on_rq", _either("wakes up", "sleeps")),
        (r"hart(\d+)\.guest", _either("enters its guest", "leaves its guest")),
        (r"hart(\d+)\.online", _either("brings CPU{} up", "stops CPU{}")),
        (r"hart(\d+)\.active", _either("lets tasks run on CPU{}", "takes CPU{} down")),
        (r"(.+)\.wait\.waiter", _either("is about to sleep", "wakes up")),
        (r"(.+)\.pte_cpu", _page),
        (r"(.+/.+)\.allowed", _placed("sends {} to CPU{}", from_one=True)),
    )
)
"""The phrase for a change of each kind of cell, the most important first."""


def phrases(changes: Iterable[Change], facts: Facts, most: int) -> list[str]:
    """At most `most` phrases about changes, the important ones, each once and in their order."""
    said = dict[str, tuple[int, int]]()
    for place, change in enumerate(changes):
        for rank, text in _said(change, facts):
            said.setdefault(text, (rank, place))
    chosen = sorted(said, key=lambda text: said[text])[:most]
    return sorted(chosen, key=lambda text: said[text][1])


def sentence(who: str, said: list[str]) -> str:
    """A sentence about a context, with at least one part; a line that it has named before becomes
    "it"."""
    # "allocates line 1" implies "marks line 1 taken".
    if any(text.startswith("allocates") for text in said):
        said = [text for text in said if not _TAKEN.fullmatch(text)]
    of_itself = {f"moves {who} to": "moves to", f"sends {who} to": "sets out for"}
    for words, instead in of_itself.items():
        said = [text.replace(words, instead) for text in said]
    *others, last = said
    text = f"{who} {', '.join(others)}{' and ' if others else ''}{last}."
    for line in dict.fromkeys(_LINE.findall(text)):
        first, named, rest = text.partition(line)
        text = first + named + re.sub(rf"{re.escape(line)}\b", "it", rest)
    return text.replace("the owner of it", "its owner")


_TAKEN = re.compile(r"marks lines? .* taken")
_LINE = re.compile(r"\bline \d+ of CPU\d+\b")


def _said(change: Change, facts: Facts) -> Iterator[tuple[int, str]]:
    for rank, (pattern, say) in enumerate(RULES):
        if (found := pattern.fullmatch(change.cell)) and (text := say(found, change, facts)):
            yield rank, text
