"""Whatever is done to a scenario file or to its blob: it is refused with words, or it runs."""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError
from hgeisim.kernel.variants import variant_problem
from hgeisim.scenario.find import BUILT_IN, built_in_names
from hgeisim.scenario.load import load_scenario, scenario_from

pytestmark = pytest.mark.slow

TEXTS = {name: (BUILT_IN / f"{name}.toml").read_text(encoding="utf-8") for name in built_in_names()}
BLOBS = sorted(path.name for path in BUILT_IN.glob("*.dtb"))
SHORT_NS = 200_000
"""So long an accepted scenario is simulated, at most."""
VALUES = st.one_of(
    st.integers(-2, 70),
    st.sampled_from(["0ns", "1ns", "5us", "1s", "auto", "hwaccel", "emul", "move", "full", "rt"]),
    st.sampled_from([True, [], {}, [0], [0, 1], "v6.12", "v7.0+percpu-v5", "web"]),
    st.sampled_from([{"distribution": "constant", "value": value} for value in ("0ns", "3us")]),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, as the keys that lead there."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in inside:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


def alike(value: Any) -> st.SearchStrategy[Any]:
    """A value that may stand in place of another."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(0, 9)
    if isinstance(value, list):
        return st.permutations(value)
    if isinstance(value, str) and re.fullmatch(r"\d+[num]?s", value):
        return st.integers(0, 10**5).map(lambda ns: f"{ns}ns")
    return st.just(value)


def mutate(raw: dict[str, Any], data: st.DataObject) -> None:
    """Change, drop, double or rename something."""
    *parents, last = data.draw(st.sampled_from(places(raw)))
    node: Any = raw
    for key in parents:
        node = node[key]
    how = data.draw(st.sampled_from(["vary", "vary", "vary", "change", "drop", "double", "rename"]))
    if how == "vary":
        node[last] = data.draw(alike(node[last]))
    elif how == "drop":
        del node[last]
    elif how == "change":
        node[last] = deepcopy(data.draw(VALUES))
    elif isinstance(node, list):
        node.append(deepcopy(node[last]))
    elif how == "rename":
        node[data.draw(st.sampled_from(["vcpus", "every", "hart", "harts", last + "x"]))] = node[
            last
        ]


@settings(max_examples=100)
@given(name=st.sampled_from(sorted(TEXTS)), data=st.data())
def test_a_mutated_scenario_is_refused_or_runs(name: str, data: st.DataObject) -> None:
    raw = tomllib.loads(TEXTS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        if raw:
            mutate(raw, data)
    try:
        scenario = scenario_from(raw, "mine", BUILT_IN, variant_problem)
    except InputError as error:
        assert all(problem.allowed for problem in error.problems)
    else:
        event("it runs")
        simulate(scenario).run(min(SHORT_NS, scenario.run.until))


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(TEXTS)), data=st.data())
def test_a_damaged_text_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    text = bytearray(TEXTS[name].encode())
    size = data.draw(st.integers(0, len(text)))
    for _ in range(data.draw(st.integers(0, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes(bytes(text[:size]))
    try:
        load_scenario(path)
    except InputError as error:
        assert str(path) in str(error)


@settings(max_examples=60)
@given(blob=st.sampled_from(BLOBS), data=st.data())
def test_a_truncated_blob_is_reported_by_key_and_file(
    tmp_path_factory: pytest.TempPathFactory, blob: str, data: st.DataObject
) -> None:
    whole = (BUILT_IN / blob).read_bytes()
    folder = tmp_path_factory.getbasetemp()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    Path(folder, "cut.dtb").write_bytes(cut)
    raw = {"machine": {"devicetree": "cut.dtb"}, "vm": tomllib.loads(TEXTS["homogeneous"])["vm"]}
    with pytest.raises(InputError) as caught:
        scenario_from(raw, "mine.toml", folder)
    assert str(caught.value).startswith('mine.toml: machine.devicetree = "cut.dtb": ')
