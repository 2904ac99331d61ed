"""The baseline: known findings have a name and a reason, and only accepted ones are not new.

known.toml is checked when it is read, and its entries compare bases as versions.  Its answers are
kept for every finding it names in every variant in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path
from string import ascii_letters

import pytest

from hgeisim.checks.finding import Cause, of_ids
from hgeisim.checks.known import Known, accepted, entries, known, new_findings, read_known
from hgeisim.errors import InputError
from hgeisim.kernel.variants import BASES, LANDED, PATCHES, variant_problem
from tests.support.golden import check_golden
from tests.support.kernels import V2, V5, V6_12

OWN_PATCHES = (
    "v6.12+x.py:Y",
    "v6.16+x.py:Y",
    "v7.0+x.py:Y",
    "v6.12+percpu-v2+x.py:Y",
    "v6.12+x.py:Y+percpu-v2-lock-init",
    "v6.18+percpu-v5+x.py:Y",
    "v6.12+percpu-v2.py:Y",
)
NEIGHBOURS = ("leak:hge", "leak:hgei2", "deadlock", "wait-context:imsic->vsfile_lock", "new:one")
"""Ids that are almost those of an entry."""


def variants() -> Iterator[str]:
    """Every base with every stack of patches that may be named, and with own patches."""
    several = [name for name in PATCHES if name not in LANDED]
    stacks = [stack for length in range(4) for stack in permutations(several, length)]
    stacks += [(name,) for name in LANDED]
    for base in BASES:
        names = ("+".join((base, *stack)) for stack in stacks)
        yield from (name for name in names if variant_problem(name) is None)
    yield from OWN_PATCHES


class Legend:
    """A letter for each answer."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {"new": "."}

    def letter(self, entry: Known | None) -> str:
        """The letter of an entry's name, whether it is accepted, and its reason."""
        grade = "accepted: " if entry and entry.accepted else ""
        answer = f"{entry.name}, {grade}{entry.reason}" if entry else "new"
        return self.letters.setdefault(answer, ascii_letters[len(self.letters) - 1])


def matrix() -> Iterator[str]:
    """For each model of preemption a row for each finding, with a letter for each variant."""
    legend, columns = Legend(), list(variants())
    findings = sorted({finding for entry in entries() for finding in entry.ids}) + list(NEIGHBOURS)
    yield from (f"column {number}: {variant}" for number, variant in enumerate(columns, 1))
    for realtime in (False, True):
        yield f"\npreemption {'rt' if realtime else 'full'}"
        for finding in findings:
            row = "".join(legend.letter(known(finding, each, realtime)) for each in columns)
            yield f"{row} {finding}"
    yield ""
    yield from (f"{letter}: {answer}" for answer, letter in legend.letters.items())


def test_every_finding_in_every_variant() -> None:
    check_golden("known-answers", "\n".join(matrix()) + "\n")


GOOD = {"name": '"F-1"', "reason": '"because"', "ids": '["leak:hgei"]'}


def written(folder: Path, text: str) -> Path:
    path = folder / "known.toml"
    path.write_text(text, encoding="utf-8")
    return path


def block(**keys: str) -> str:
    lines = [f"{key} = {value}\n" for key, value in {**GOOD, **keys}.items() if value]
    return "".join(["[[known]]\n", *lines])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (block(name=""), "known[0].name: is missing; it must be a name"),
        (block(ids=""), "known[0].ids: is missing"),
        (block() + block(reason=""), "known[1].reason: is missing"),
        (block(reason='" "'), 'known[0].reason = " ": must be a sentence'),
        (block(name="1"), "known[0].name = 1: must be a name"),
        (block(ids='"leak:hgei"'), 'known[0].ids = "leak:hgei": must be a list'),
        (block(ids="[]"), "known[0].ids = []: must be a list"),
        (block(ids="[1]"), "known[0].ids = [1]: must be a list"),
        (block(ids='["leak:*"]'), 'known[0].ids = ["leak:*"]: must be a list of whole ids'),
        (block(ids='["a", "a"]'), 'known[0].ids = ["a", "a"]: must be a list'),
        (block(accepted='"yes"'), 'known[0].accepted = "yes": must be true or false'),
        (block(realtime="1"), "known[0].realtime = 1: must be true or false"),
        (block(first='"v6.12*"'), 'known[0].first = "v6.12*": must be a base such as "v6.12"'),
        (block(first="6.12"), "known[0].first = 6.12: must be a base"),
        (block(last='"v7"'), 'known[0].last = "v7": must be a base'),
        (
            block(first='"v6.12"', last='"v6.9"'),
            'known[0].last = "v6.9": must not be before first = "v6.12"',
        ),
        (block(patches='["percpu-v6"]'), 'known[0].patches = ["percpu-v6"]: must be a list of'),
        (block(without="[]"), "known[0].without = []: must be a list of patches (percpu-v2, "),
        (block(patches="[[]]"), "known[0].patches = [[]]: must be a list of patches"),
        (block(after='["reboot"]'), 'known[0].after = ["reboot"]: must be a list of offline'),
        (block(parties='["schedule"]'), 'known[0].parties = ["schedule"]: must be a list of f'),
        (block(parties="[1]"), "known[0].parties = [1]: must be a list of functions of AIA"),
        (block(id='"leak:hgei"'), 'known[0].id = "leak:hgei": is not a key; there are name, '),
        ('[known]\nname = "F-1"', 'known = {"name": "F-1"}: must be blocks: [[known]]'),
        ("known = [1]", "known = [1]: must be blocks: [[known]]"),
        ("[[unknown]]", "unknown = [{}]: only [[known]] may stand here"),
        ("[[known]", "line 1, column 8: must be TOML"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_known(written(tmp_path, text))
    (problem,) = raised.value.problems
    assert f"known.toml: {message}" in str(problem)


def test_all_mistakes_are_reported(tmp_path: Path) -> None:
    text = block(name="", first='"six"') + block(accepted="3", extra="1")
    with pytest.raises(InputError) as raised:
        read_known(written(tmp_path, text))
    places = [problem.where for problem in raised.value.problems]
    assert places == ["known[0].name", "known[0].first", "known[1].accepted", "known[1].extra"]


@pytest.mark.parametrize(
    ("first", "last", "base", "holds"),
    [
        ("v7.0", "", "v7.2", True),
        ("v7.0", "", "v7.00", True),
        ("v7.0", "", "v6.18", False),
        ("v6.9", "v6.12", "v6.10", True),
        ("v6.9", "v6.12", "v6.1", False),
        ("", "v6.12", "v6.9", True),
        ("", "v6.9", "v6.12", False),
        ("v6.12", "v6.14", "v6.12.115", True),
        ("", "", "trunk", True),
        ("", "v7.0", "trunk", False),
        ("v6.12", "", "trunk", False),
    ],
)
def test_bases_are_compared_as_versions(first: str, last: str, base: str, holds: bool) -> None:
    entry = Known("F-1", "because", ("leak:hgei",), first=first, last=last)
    assert entry.holds_in(base, realtime=False) is holds
    assert entry.holds_in(f"{base}+percpu-v2+x.py:Y", realtime=True) is holds


def test_patches_are_whole_names() -> None:
    entry = Known("F-1", "because", ("leak:hgei",), patches=("percpu-v2",), without=("review-min",))
    assert entry.holds_in("v6.12+x.py:Y+percpu-v2", realtime=False)
    for variant in ("v6.12", "v6.12+percpu-v2-lock-init", "v6.12+percpu-v2.py:Y"):
        assert not entry.holds_in(variant, realtime=False)
    assert not entry.holds_in("v6.12+percpu-v2+review-min", realtime=False)


def test_blocks_are_sorted_by_name_and_ids_by_what_they_say() -> None:
    numbered = [re.split(r"(\d+)", entry.name) for entry in entries()]
    keys = [[int(part) if part.isdigit() else part for part in name] for name in numbered]
    assert keys == sorted(keys)
    assert [entry.ids for entry in entries() if list(entry.ids) != sorted(entry.ids)] == []


def test_the_parties_are_functions_of_some_kernel() -> None:
    kernels = [*BASES.values(), *PATCHES.values()]
    for entry in entries():
        for function in entry.parties:
            assert any(hasattr(kernel, function) for kernel in kernels), function
        assert list(entry.parties) == sorted(entry.parties)


def test_no_two_entries_answer_for_one_cause_of_a_finding() -> None:
    names = [*variants(), "v7.2", "v7.2+x.py:Y"]
    both = [(a, b) for a, b in combinations(entries(), 2) if set(a.ids) & set(b.ids)]
    for a, b in both:
        if (a.after, a.parties, a.needs) != (b.after, b.parties, b.needs):
            continue
        assert [each for each in names if a.holds_in(each, True) and b.holds_in(each, True)] == []


def test_a_known_finding_has_a_name_and_a_reason() -> None:
    entry = known("lock-init-held:hgctrl->lock", V2)
    assert entry is not None
    assert (entry.name, entry.accepted) == ("V2-1", False)
    assert all(e.name and e.reason for e in entries())


@pytest.mark.parametrize(
    ("finding", "variant"),
    [
        ("lock-init-held:hgctrl->lock", V5),
        ("unheard-of:hgei", V6_12),
        ("sleep-in-atomic:another->lock", V5),
        ("ipi-wait-atomic:another_handler", V5),
    ],
)
def test_an_unknown_finding(finding: str, variant: str) -> None:
    assert known(finding, variant) is None
    assert new_findings(of_ids([finding]), variant) == [finding]


@pytest.mark.parametrize(
    ("about", "name"),
    [("free-line", "V2-2"), ("taken-line", "V2-1"), ("all-lines", "B-16")],
)
def test_bitmap_and_owners_disagree_for_three_reasons(about: str, name: str) -> None:
    for variant in (V2, "v6.18+percpu-v2+review-clamp"):
        entry = known(f"bitmap-owner:{about}", variant)
        assert entry is not None
        assert entry.name == name
    assert known(f"bitmap-owner:{about}", V5) is None


def test_only_accepted_findings_are_not_new() -> None:
    accepted = "use-after-free:kvm_riscv_aia_disable"
    ids = [accepted, "double-owner:hgei"]
    assert new_findings(of_ids(ids), V2) == ["double-owner:hgei"]
    assert new_findings(of_ids(ids), V2, strict=True) == ids


def test_the_baseline_accepts_no_use_after_free_of_anything_else() -> None:
    finding = "use-after-free:hgei_interrupt"
    assert new_findings(of_ids([finding]), V5) == [finding]


@pytest.mark.parametrize(
    ("pieces", "is_accepted"),
    [
        (None, True),
        ({"probe_nr_hgei"}, True),
        ({"probe_nr_hgei", "bound_nr_hgei"}, True),
        ({"set_hgei_up"}, False),
        ({"probe_nr_hgei", "set_hgei_up"}, False),
    ],
)
def test_a_data_race_is_accepted_in_the_pieces_of_a_function_where_it_is_known(
    pieces: set[str] | None, is_accepted: bool
) -> None:
    race = "data-race:nr_hgei in kvm_riscv_aia_enable and kvm_riscv_aia_free_hgei"
    cause = Cause(pieces=None if pieces is None else frozenset(pieces))
    assert accepted(race, "v7.0+percpu-v5", cause=cause) == is_accepted
