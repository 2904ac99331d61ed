"""The picture says what the records say, keeps its texts apart, and is the same every time."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure
from matplotlib.text import Text

from hgeisim.cli.main import main
from hgeisim.plot.occupancy import occupancy_figure
from hgeisim.plot.page import line_ticks
from hgeisim.plot.style import save
from hgeisim.runs.folder import write_run
from hgeisim.runs.occupancy_steps import offline_windows, steps_of_harts
from hgeisim.runs.timeline import OFFLINE, ONLINE, Timeline
from hgeisim.runs.units import percent, time_unit
from tests.support.recordings import bare
from tests.support.timelines import busy_timeline, timelines, topology

BIG_LITTLE = (7, 7, 7, 7, 3, 3, 3, 3)
TITLE = "big.LITTLE: four HARTs with 7 HGEI lines beside four with 3"


def picture(timeline: Timeline, title: str = TITLE) -> Figure:
    return occupancy_figure(bare(timeline, title=title))


def texts(figure: Figure) -> list[Text]:
    return [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]


def words(figure: Figure) -> set[str]:
    return {each.get_text() for each in texts(figure)}


@given(timelines())
@settings(max_examples=50)
def test_exhausted_time_is_added_up_from_every_record(timeline: Timeline) -> None:
    for hart, steps in enumerate(steps_of_harts(timeline)):
        records = [*timeline.steps(hart), (int(steps.edges_ns[-1]), 0)]
        pairs = itertools.pairwise(records)
        spent = sum(b - a for (a, busy), (b, _) in pairs if busy >= steps.lines > 0)
        online = replace(steps, offline=())
        assert sum(end - start for start, end in online.exhausted) == spent
        assert sum(end - start for start, end in steps.exhausted) <= spent
        assert all(a[1] < b[0] for a, b in itertools.pairwise(steps.exhausted))


def test_neighbouring_steps_are_one_window() -> None:
    timeline = Timeline(topology(2))
    for at, busy in [(10, 2), (20, 3), (30, 2), (40, 1), (40, 2), (50, 0)]:
        timeline.occupy(at, 0, busy)
    timeline.end_ns = 100
    (steps,) = steps_of_harts(timeline)
    assert steps.exhausted == [(10, 50)]
    assert steps.exhausted_share == 0.4
    assert steps.busy_max == 3


def test_a_hart_that_stays_offline_is_so_to_the_end() -> None:
    timeline = Timeline(topology(1, 1))
    timeline.end_ns = 100
    for at, kind, hart in [(10, OFFLINE, 0), (20, ONLINE, 0), (30, OFFLINE, 1), (40, OFFLINE, 0)]:
        timeline.event(at, kind, hart)
    assert offline_windows(timeline) == [[(10, 20), (40, 100)], [(30, 100)]]


def test_every_hart_is_named_with_its_share() -> None:
    timeline = busy_timeline(BIG_LITTLE)
    said = words(picture(timeline))
    assert {f"HART {hart} · {lines} lines" for hart, lines in enumerate(BIG_LITTLE)} <= said
    shares = {f"exhausted {percent(each.exhausted_share)}" for each in steps_of_harts(timeline)}
    assert shares <= said
    assert {
        TITLE,
        "v7.0, preemption none, seed 1",
        "time, ms",
        "HGEI lines taken",
        "HART offline",
    } <= said


def test_the_legend_names_only_what_is_there() -> None:
    quiet = Timeline(topology(2))
    assert "lines that do not exist" not in words(picture(busy_timeline((7, 3))))
    assert "HART offline" not in words(picture(quiet))
    assert "lines that do not exist" in words(picture(busy_timeline((3,), beyond=1)))


@pytest.mark.parametrize(
    "lines",
    [
        (1,),
        (1, 1, 1),
        pytest.param(BIG_LITTLE, marks=pytest.mark.slow),
        pytest.param((63,) * 8 + (3,) * 8, marks=pytest.mark.slow),
        pytest.param((63,) * 64, marks=pytest.mark.slow),
    ],
)
def test_no_text_lies_on_another(lines: tuple[int, ...]) -> None:
    figure = picture(busy_timeline(lines, beyond=1), f"{'long title ' * 20}{TITLE}")
    figure.savefig(io.BytesIO(), format="png")
    page = figure.bbox
    boxes = [(each.get_text(), each.get_window_extent()) for each in texts(figure)]
    for text, box in boxes:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        assert not box.shrunk(0.98, 0.9).overlaps(other_box.shrunk(0.98, 0.9)), (text, other)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["png", "svg"])
def test_equal_runs_give_equal_pictures(tmp_path: Path, form: str) -> None:
    paths = [tmp_path / f"{name}.{form}" for name in "ab"]
    for path in paths:
        save(picture(busy_timeline((7, 3), beyond=1)), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def test_svg_is_well_formed_and_undated(tmp_path: Path) -> None:
    save(picture(busy_timeline((7, 3))), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text


def test_a_run_of_no_time_can_be_drawn() -> None:
    assert "exhausted 0%" in words(picture(Timeline(topology(0, 3))))


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (1e-9, "<0.1%"),
        (0.123, "12.3%"),
        (0.25, "25%"),
        (0.9999, ">99.9%"),
        (1.0, "100%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_an_axis_always_names_its_capacity() -> None:
    assert line_ticks(7, 7, 7, dense=False) == [0, 2, 4, 7]
    assert line_ticks(3, 3, 7, dense=False) == [0, 3, 6]
    assert line_ticks(3, 7, 7, dense=False) == [0, 3, 7]
    assert line_ticks(63, 64, 64, dense=True) == [0, 32, 63]
    assert line_ticks(0, 1, 1, dense=False) == [0, 1]


def test_time_has_the_largest_unit_that_fits() -> None:
    assert [time_unit(ns)[0] for ns in (0, 999, 1000, 10**6, 2 * 10**7, 10**9)] == [
        *("ns", "ns", "µs", "ms", "ms", "s")
    ]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder of one HART."""
    scenario = {"title": "One HART"}
    manifest = {"scenario": scenario, "variant": "v6.12", "preemption": "full", "seed": 1}
    write_run(tmp_path / "run", manifest | {"versions": {}}, {}, busy_timeline((1,)))
    return tmp_path / "run"


def test_the_command_draws_into_the_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(run)]) == 0
    paths = [run / "occupancy.png", run / "occupancy.svg"]
    assert capsys.readouterr().out == f"{paths[0]}\n{paths[1]}\n"
    assert all(path.stat().st_size > 1000 for path in paths)


def test_the_command_draws_where_it_is_asked_to(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = run.parent / "picture.svg"
    assert main(["plot", str(run), "-o", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pictures": [str(target)]}
    assert target.exists()
    assert not (run / "occupancy.png").exists()


def test_the_command_reports_every_wrong_output(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(run), "-o", "a.pdf", "-o", "b", "-o", "c.png"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "hgeisim: error: a.pdf: must end in .png or .svg",
        "hgeisim: error: b: must end in .png or .svg",
    ]


def test_the_command_reports_where_it_cannot_write(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(run), "-o", str(run / "no" / "a.png")]) == 2
    assert "a.png: cannot be written: No such file or directory" in capsys.readouterr().err
