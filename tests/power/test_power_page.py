"""docs/power.md: what all searches together notice, as `make power` has written it."""

from __future__ import annotations

import re
import tomllib

from benchmarks.power import BEST, PAGE, SURVIVORS, VARIANT, Library, Row, key_of, page
from hgeisim.drivers.power.planting import DROP, Fault, planted
from hgeisim.drivers.power.trials import NO_EFFECT, NOTICED, SURVIVED, Outcome
from hgeisim.kernel.variants import find_variant


def test_nine_of_ten_are_noticed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    ((noticed, effect),) = [
        (int(a), int(b)) for a, b in re.findall(r"noticed: (\d+) of (\d+)", text)
    ]
    assert effect > 150
    assert noticed / effect >= 0.9


def test_each_survivor_is_argued() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "not argued" not in text
    survivors = text.split("## What is not noticed")[1]
    assert len(re.findall(r"^\* ", survivors, re.MULTILINE)) > 10


def test_no_reason_is_for_what_is_not_planted() -> None:
    _, faults = planted(find_variant(VARIANT))
    reasons = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))
    assert reasons.keys() <= {key_of(fault) for fault in faults}


def test_the_best_outcome_of_a_fault_counts() -> None:
    fault = Fault(1, DROP, "f", "aia.py", 7, "x = 1")
    library = Library()
    library.faults = [fault]
    for word in (NO_EFFECT, SURVIVED, NO_EFFECT):
        library.keep(Outcome(fault, word))
    assert [each.word for each in library.outcomes(*BEST)] == [SURVIVED]
    library.rows.append(Row("one", 1_000, 3, 2, 1))
    text = page(library, {"f: drop x = 1": "it does nothing"})
    assert "**noticed: 0 of 1** with an effect, 0.0 %" in text
    assert "* aia.py, `f`, drop `x = 1`: it does nothing" in text
    assert "| one | 1,000 | 3 | 2 | 1 |" in text
    assert "| aia.py | 1 | 0 | 0 | 0 | 0 | 1 |" in text
    library.keep(Outcome(fault, NOTICED))
    assert "**noticed: 1 of 1** with an effect, 100.0 %" in page(library, {})
