"""hgeisim explore --series and --revisions: what each patch has changed, and the exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hgeisim.checks.finding import Bounds
from hgeisim.cli.options import spread
from hgeisim.drivers.explored import base
from hgeisim.drivers.explored import series as series_locks
from hgeisim.drivers.explored.comparison import Shown, changes
from hgeisim.report.layout import columns
from hgeisim.report.series import heads_of
from tests.support.commands import Told, hgeisim
from tests.support.golden import check_golden
from tests.support.source import ROOT

PATCHES = Path(__file__).parent.parent / "data/patches"
FORGETS, TIDIES, REMEMBERS = (f"series.py:{name}" for name in ("Forgets", "Tidies", "Remembers"))


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name patches without a folder."""
    monkeypatch.chdir(PATCHES)


def explored(*words: str, scenario: str = "moved-sleeper", variant: str = "v7.0") -> Told:
    return hgeisim("explore", scenario, "--variant", variant, *words)


def without_tokens(text: str) -> list[str]:
    return [line for line in text.splitlines() if "hgeisim replay" not in line]


# What has changed between two kernels


def whole(**switches: int) -> Shown:
    return Shown({i: Bounds(number, number) for i, number in switches.items()}, None)


def cut(others: int, **switches: int) -> Shown:
    return Shown(whole(**switches).switches, others)


def said(before: Shown, after: Shown) -> dict[str, list[str]]:
    return {word: [*ids] for word, ids in changes(before, after).items() if ids}


def test_what_a_patch_may_change_of_a_finding() -> None:
    before = whole(old=2, fewer=4, same=4, more=4)
    after = whole(new=1, fewer=3, same=4, more=5)
    assert said(before, after) == {
        "came": ["new"],
        "easier": ["fewer"],
        "harder": ["more"],
        "went": ["old"],
    }
    assert said(before, before) == {}


def test_where_a_search_is_cut_short_nothing_comes_or_goes() -> None:
    assert said(cut(3, old=2), whole(new=1, old=2)) == {"unknown": ["new"]}
    assert said(whole(old=9), cut(3)) == {}
    assert said(Shown(), whole(new=1)) == {"unknown": ["new"]}


# A series


@pytest.mark.slow
def test_a_series_that_is_mended_in_the_end_is_not_clean() -> None:
    """The first patch introduces, the second changes nothing, the third mends."""
    answer = explored("--series", FORGETS, TIDIES, REMEMBERS)
    assert (answer.status, answer.err) == (1, "")
    check_golden("explore-series", answer.out)
    assert max(map(len, without_tokens(answer.out))) <= 80
    words = next(line.split()[1:] for line in answer.out.splitlines() if "hgeisim replay" in line)
    assert "deaf:vcpu" in hgeisim(*words).out


@pytest.mark.slow
def test_a_series_as_a_document() -> None:
    document = explored("--series", FORGETS, TIDIES, REMEMBERS, "--json").document()
    _, forgets, tidies, remembers = document["kernels"]
    assert (document["form"], document["verdict"]) == ("series", "violation")
    assert document["judged"] == [each["variant"] for each in document["kernels"][1:]]
    assert forgets["changes"]["came"] == ["deaf:vcpu", "lost-wakeup:vcpu"]
    assert not any(tidies["changes"].values())
    assert remembers["beside"] == tidies["variant"]
    assert remembers["changes"]["went"] == ["deaf:vcpu", "lost-wakeup:vcpu"]
    assert remembers["variant"] == f"v7.0+{FORGETS}+{TIDIES}+{REMEMBERS}"
    new = [[f["id"] for f in each["findings"] if f["new"]] for each in document["kernels"]]
    assert [sorted(ids) for ids in new] == [
        [],
        ["deaf:vcpu", "lost-wakeup:vcpu"],
        ["deaf:vcpu", "lost-wakeup:vcpu"],
        [],
    ]


@pytest.mark.slow
def test_what_the_base_shows_may_come_back() -> None:
    answer = explored("--series", FORGETS, REMEMBERS, "--json").document()
    remembers = answer["kernels"][2]
    assert "armed:free-line" in remembers["changes"]["came"]
    assert remembers["evidence"] == []


@pytest.mark.slow
def test_a_series_that_changes_nothing_is_clean() -> None:
    answer = explored("--series", TIDIES, REMEMBERS)
    assert answer.status == 0
    assert "after each patch: nothing that v7.0 does not show as easily" in answer.out


# Revisions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("revisions", "status", "end"),
    [
        ((FORGETS, TIDIES), 0, "nothing that v7.0 does not show as easily"),
        ((TIDIES, FORGETS), 1, "introduced deaf:vcpu, lost-wakeup:vcpu"),
    ],
)
def test_of_revisions_the_last_one_counts(revisions: Any, status: int, end: str) -> None:
    answer = explored("--revisions", *revisions)
    assert answer.status == status
    _, _, judged = answer.out.partition("the last revision")
    assert end in " ".join(judged.split())


@pytest.mark.slow
@pytest.mark.proof
def test_the_clean_twin_is_compared_too() -> None:
    words = ("--revisions", "judged.py:LooksAgain", "judged.py:NoArm")
    answer = explored(*words, scenario="move-offline")
    assert answer.status == 1
    _, _, twin = answer.out.partition("clean twin, without cpuhp/0:")
    assert "lost-wakeup:vcpu     -           -      3" in twin
    assert "introduced in the clean twin deaf:vcpu" in " ".join(twin.split())


@pytest.mark.slow
def test_findings_of_lock_order_and_edges_are_compared() -> None:
    words = ("--series", "stale.py:Serialized", "sound.py:StepMore", "--json")
    document = explored(*words, scenario="stale-nothread.toml").document()
    circle = "circular:kvm->lock -EN-> vcpu->mutex -EN->"
    assert document["verdict"] == "violation"
    assert document["kernels"][1]["changes"]["came"] == [circle]
    assert not any(document["kernels"][2]["changes"].values())
    (edge,) = document["lock_order"]["edges"]
    assert edge["edge"] == "vcpu->mutex < kvm->lock"
    assert [each["seen"] for each in edge["kinds"]] == [[], ["EN"], ["EN"]]


@pytest.mark.slow
@pytest.mark.proof
def test_the_revisions_of_the_per_cpu_series() -> None:
    revisions = [f"percpu-v{number}" for number in (2, 3, 4, 5)]
    answer = explored("--revisions", *revisions, scenario="patch-race")
    assert (answer.status, answer.err) == (0, "")
    check_golden("explore-revisions", answer.out)
    assert max(map(len, without_tokens(answer.out))) <= 80


@pytest.mark.parametrize("page", ["own-patch.md"])
def test_the_documentation_quotes_what_is_printed(page: str) -> None:
    _, _, text = (ROOT / "docs" / page).read_text().partition("Of the above, in part:")
    quoted = [line[4:] for line in text.partition("\n## ")[0].splitlines() if line[:4] == "    "]
    printed = (ROOT / "tests/golden/explore-revisions.txt").read_text().splitlines()
    assert len(quoted) > 10
    assert [line for line in quoted if line not in printed] == []


# Cut short and interrupted


@pytest.mark.slow
def test_a_search_that_is_cut_short() -> None:
    answer = explored("--series", REMEMBERS, TIDIES, "--states", "300")
    assert answer.status == 4
    assert "bounded: the search was cut short for +Remembers, +Tidies" in answer.out
    assert "as easily, so far" in answer.out
    worse = explored("--series", FORGETS, REMEMBERS, "--states", "350")
    assert worse.status == 1
    assert "after +Forgets, beside v7.0: introduced deaf:vcpu, lost-wakeup:vcpu" in worse.out
    assert "mended" not in worse.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "function"), [(base, "fewest_switches"), (series_locks, "lock_walks")]
)
def test_an_interruption_takes_nothing_away(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, function, interrupt)
    answer = explored("--revisions", FORGETS, TIDIES)
    assert answer.status == 130
    assert "it was interrupted: what is not known yet is ?" in answer.out
    assert "lock order was not looked at" in answer.out


# Mistakes


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--series", "percpu-v2"),
            "--series = 'percpu-v2': needs two patches or more; "
            "a patch alone: --variant v7.0+percpu-v2 --base v7.0",
        ),
        (("--revisions", "percpu-v2", "percpu-v2"), "'percpu-v2': is named twice"),
        (("--series", "percpu-v2", "none"), "--series = 'none': 'none' is not a patch"),
        (("--series", "percpu-v2", "percpu-v3"), "compare revisions of one patch with --revisions"),
        (("--revisions", "percpu-v2", "none.py:A"), "none.py: there is no such file"),
        (("--revisions", "percpu-v2", "series.py:No"), "series.py: class = 'No': there is no such"),
        (
            ("--revisions", "v7.0+percpu-v2", "percpu-v5"),
            "name patches only; the base is v7.0, --variant names another",
        ),
        (("--series", "percpu-v2", "review-min", "--walk", "5"), "--walk = 5: does not go with"),
        (("--series", "percpu-v2", "review-min", "--mail"), "--mail: does not go with --series"),
        (("--revisions", "percpu-v2", "percpu-v5", "--base", "v7.0"), "--base = 'v7.0': does not"),
        (("--revisions", "percpu-v2", "percpu-v5", "--strict"), "--strict: does not go with"),
        (
            ("--revisions", "percpu-v2", "percpu-v5", "--series", "percpu-v2", "review-min"),
            "--revisions: does not go with --series; --series stacks the patches",
        ),
        (("--series",), "requires an argument"),
    ],
)
def test_a_mistake_is_reported_with_its_remedy(words: tuple[str, ...], expected: str) -> None:
    result = explored(*words, scenario="patch-race")
    assert (result.status, result.out) == (2, "")
    assert expected in result.err


def test_all_mistakes_are_reported() -> None:
    err = explored("--revisions", "none", "none.py:A", "percpu-v2", scenario="patch-race").err
    assert "'none' is not a patch" in err
    assert "none.py: there is no such file" in err


def test_a_base_that_has_one_of_the_revisions() -> None:
    answer = explored("--revisions", "percpu-v4", "percpu-v5", variant="v6.12+percpu-v2")
    assert answer.status == 2
    remedy = "the patches go on v6.12+percpu-v2: name another base, --variant v6.12"
    assert answer.err.count(remedy) == 2


def test_a_scenario_that_is_not_explored() -> None:
    answer = explored("--revisions", "percpu-v2", "percpu-v5", scenario="big-little")
    assert (answer.status, answer.out) == (2, "")
    assert "an explored scenario needs [[task]] tables" in answer.err


def test_the_scenario_comes_first() -> None:
    answer = hgeisim("explore", "--series", "percpu-v2", "review-min", "patch-race")
    assert answer.status == 2
    assert "'SCENARIO': name it before --series, which takes every word" in answer.err
    assert "name it before" not in hgeisim("explore", "--json").err


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("a --s b c --json", "a --s b --s c --json"),
        ("--s=b c -x d", "--s=b --s c -x d"),
        ("--s b -- a", "--s b -- a"),
        ("--s", "--s"),
        ("--t b c", "--t b c"),
    ],
)
def test_an_option_takes_every_word_up_to_the_next(words: str, spelled: str) -> None:
    assert " ".join(spread(words.split(), {"--s"})) == spelled


# How it is laid out


@pytest.mark.parametrize(
    ("form", "others", "heads"),
    [
        ("series", ["v7.0+a", "v7.0+a+b+c"], ["+a", "+b+c"]),
        ("series", ["v7.0+x/m.py:A", "v7.0+x/m.py:A+x/m.py:B"], ["+A", "+B"]),
        ("revisions", ["v7.0+a", "v7.0+b+c"], ["a", "b+c"]),
        ("revisions", ["v7.0+x/v2.py:A", "v7.0+x/v3.py:A"], ["v2.py:A", "v3.py:A"]),
        ("revisions", ["v7.0+2/m.py:A", "v7.0+3/m.py:A"], ["2/m.py:A", "3/m.py:A"]),
    ],
)
def test_kernels_have_short_names(form: str, others: list[str], heads: list[str]) -> None:
    assert heads_of(form, ["v7.0", *others]) == ["v7.0", *heads]


def test_a_label_that_is_too_long_has_a_line_of_its_own() -> None:
    said = list(columns("what", ["a" * 25, "b" * 25], [("short", ["1", "-"]), ("x" * 40, "23")]))
    assert said == [
        f"{'what':26}  {'a' * 25}  {'b' * 25}",
        "-" * 80,
        f"{'short':26}  {'1':>25}  {'-':>25}",
        "x" * 40,
        f"{'':26}  {'2':>25}  {'3':>25}",
    ]


def test_where_heads_take_too_much_room_numbers_stand_for_them() -> None:
    heads = ["v7.0", *(f"AVeryLongNameOfAPatch{number}" for number in range(4))]
    said = list(columns("what", heads, [("deaf:vcpu", ["-", "1", "2", "3", "4"])]))
    assert said[:2] == ["[0] v7.0", "[1] AVeryLongNameOfAPatch0"]
    assert said[5] == "what       [0]  [1]  [2]  [3]  [4]"
    assert said[7] == "deaf:vcpu    -    1    2    3    4"
