"""Every picture can be read: nothing lies on anything else, nothing is cut off, no two things look
alike to a colour-blind reader; and it is the same picture every time."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from hgeisim.cli.main import main
from hgeisim.plot.drawing import Picture
from hgeisim.plot.exhaustion import BINS, HEAT, heat
from hgeisim.plot.latency import PANELS
from hgeisim.plot.style import picture_of, save
from hgeisim.plot.summary import STATES
from hgeisim.plot.vcpu_styles import FILLS, OTHERS, VcpuStyles, vcpu_styles
from hgeisim.runs.occupancy_steps import steps_of_harts
from hgeisim.runs.picture_kinds import KINDS, is_picture
from hgeisim.runs.recording import Recording
from hgeisim.runs.timeline import Timeline
from hgeisim.runs.units import short_time
from tests.support.recordings import bare, recorded, recording, scenario_of, write_folder
from tests.support.timelines import busy_timeline, topology

MACHINES = {
    4: (3, 3, 1, 1),
    8: (7, 7, 7, 7, 3, 3, 3, 3),
    64: (7,) * 16 + (3,) * 48,
}
PICTURES = [Picture(name, 0 if kind.of_hart else None) for name, kind in KINDS.items()]


def stem(picture: object) -> str:
    return picture.stem if isinstance(picture, Picture) else str(picture)


def texts(figure: Figure) -> list[Text]:
    """The texts of a figure, without the labels of ticks outside of the axes, not drawn."""
    outside: list[Text] = []
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
            outside += [label for tick in ticks for label in (tick.label1, tick.label2)]
    found = [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]
    return [each for each in found if each not in outside]


def words(figure: Figure) -> str:
    return "\n".join(each.get_text() for each in texts(figure))


def check_readable(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="png")
    page = figure.bbox
    boxes = [(each.get_text(), each.get_window_extent()) for each in texts(figure)]
    boxes = [(text, box) for text, box in boxes if box.width and box.height]
    for text, box in boxes:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, f"{text} is cut off"
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, f"{text} is cut off"
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        assert not box.shrunk(0.98, 0.9).overlaps(other_box.shrunk(0.98, 0.9)), (text, other)


@pytest.mark.slow
@pytest.mark.parametrize("harts", list(MACHINES))
@pytest.mark.parametrize("picture", PICTURES, ids=stem)
def test_no_text_lies_on_another(picture: Picture, harts: int) -> None:
    check_readable(picture.draw(recording(MACHINES[harts])))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["exhaustion", "lines", "summary"])
def test_a_kernel_that_hands_out_what_is_not_there_is_seen(kind: str) -> None:
    made = recording(MACHINES[4], "v6.12")
    hart = next(at for at, steps in enumerate(made.steps) if steps.beyond)
    figure = Picture(kind, hart if kind == "lines" else None).draw(made)
    check_readable(figure)
    assert ("do not exist" in words(figure)) == (kind != "summary")
    assert ("no-such-line:hgei" in words(figure)) == (kind == "summary")


MODES = ("auto", "hwaccel", "emul")


@pytest.mark.slow
def test_latencies_of_each_mode_are_apart_on_one_scale() -> None:
    """Two HARTs with a line each; the modes with most vCPUs come first."""
    run, msi = ({"distribution": "exponential", "mean": mean} for mean in ("90us", "300us"))
    vms = [
        {"name": mode, "vcpus": 3 - at, "mode": mode, "run": run, "msi": msi}
        for at, mode in enumerate(MODES)
    ]
    made = recorded(scenario_of((1, 1)) | {"vm": vms, "hotplug": []})
    figure = Picture("latency").draw(made)
    check_readable(figure)
    titles = [panel.get_title(loc="left").partition(":")[0] for panel in figure.axes]
    assert titles == [mode for mode in MODES for _ in PANELS]
    assert len({panel.get_xlim() for panel in figure.axes}) == 1
    said = words(figure)
    assert all(each in said for each in ("guest ran", "in WFI", "no line", "no HART"))
    summary = words(Picture("summary").draw(made))
    assert "MSI to a VS-file (auto)" in summary
    assert "(emul)" not in summary


def many_vms(*names: str, count: int = 1) -> Recording:
    """A run of small VMs that come and go, `count` of each name."""
    run, msi = ({"distribution": "exponential", "mean": mean} for mean in ("90us", "300us"))
    lives = {"distribution": "uniform", "low": "300us", "high": "700us"}
    common = {"vcpus": 2, "run": run, "msi": msi, "lives": lives}
    common |= {"count": count} if count > 1 else {}
    vms = [{"name": name, "arrives": f"{100 * at}us", **common} for at, name in enumerate(names, 1)]
    kernel = {"variant": "v7.0", "enable_virt_at_load": False}
    return recorded(scenario_of((3, 3)) | {"vm": vms, "kernel": kernel, "hotplug": []})


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES, ids=stem)
def test_many_vms_are_readable(picture: Picture) -> None:
    check_readable(picture.draw(many_vms("web", "database-of-the-web", count=12)))
    check_readable(
        picture.draw(many_vms(*(f"vm-with-a-name-as-long-as-may-be-{n}" for n in "abcdefgh")))
    )


@pytest.mark.parametrize(
    ("title", "drawn"),
    [
        ("from $5 to $6", "from $5 to $6"),
        (r"no $\such$ sign", r"no $\such$ sign"),
        ("日本語", "日本語"),
        ("two\nlines\x1b[1m\ud800", "two lines [1m"),
        (["wrong"], "['wrong']"),
    ],
)
def test_any_title_can_be_drawn(title: object, drawn: str) -> None:
    """In letters, without a word about letters that the font lacks: warnings are errors here."""
    made = bare(busy_timeline((3,)), title=title)
    made = replace(made, manifest={**made.manifest, "variant": "v7.0\ud800"})
    figure = Picture("occupancy").draw(made)
    assert picture_of(figure, "svg")
    assert picture_of(figure, "png")
    assert f"{drawn}\nv7.0 , preemption none, seed 1" in words(figure)


@pytest.mark.slow
def test_locks_that_nobody_took_are_drawn() -> None:
    made = recording(MACHINES[4])
    locks = made.tables["locks"].copy()
    locks["acquisitions"] = 0
    check_readable(Picture("locks").draw(replace(made, tables={**made.tables, "locks": locks})))


def legend(figure: Figure) -> set[str]:
    return {text.get_text() for each in figure.legends for text in each.get_texts()}


@pytest.mark.slow
def test_every_look_is_in_the_legend_once() -> None:
    """With more VMs than looks, VMs of one kind share theirs, and the legend says so."""
    few, kinds, others = many_vms("a", "b"), many_vms("a", "b", count=9), many_vms(*"abcdefgh")
    for made, said in [
        (few, ["a", "b"]),
        (kinds, ["a#N", "b#N"]),
        (others, ["a", "b", "c", "d", "e", OTHERS]),
    ]:
        fills = vcpu_styles(made.tables)
        assert list(fills.fills) == said
        assert len(set(fills.fills.values())) == len(said)
        assert set(fills.groups.values()) == set(said)
        owned = {f"owned by {'' if name == OTHERS else 'VM '}{name}" for name in said}
        shown = legend(Picture("lines", 0).draw(made))
        assert owned >= {name for name in shown if name.startswith("owned by")}
        assert "virtualization off: no VM, or HART offline" in shown


@pytest.mark.slow
def test_the_page_counts_every_vcpu() -> None:
    """Of many VMs those of one kind are one bar: none is left out."""
    said = words(Picture("summary").draw(many_vms("a", "b", count=9)))
    assert "a#N (18)" in said
    assert "b#N (18)" in said
    said = words(Picture("summary").draw(many_vms(*"abcdefgh")))
    assert "e (2)" in said
    assert f"{OTHERS} (6)" in said
    assert "offline windows" in said


@pytest.mark.slow
def test_the_page_shows_findings_in_full_or_says_that_it_does_not() -> None:
    made = recording(MACHINES[4], "v6.12")
    lines = words(Picture("summary").draw(made)).splitlines()
    assert made.summary["findings"]
    for finding in made.summary["findings"][:4]:
        line = next(each for each in lines if each.startswith(f"finding {finding['id']}"))
        assert f", first at {finding['time_ns'] / 1e6:.3f} ms" in line
        assert line.endswith((" ...", finding["text"].split()[-1]))


def test_a_bar_is_named_by_what_its_look_leaves_open() -> None:
    for vm, group, said in [
        ("a", "a", ("a/3", "3")),
        ("a#7", "a#N", ("a#7/3", "#7/3")),
        ("z", OTHERS, ("z/3",)),
    ]:
        assert VcpuStyles({1: group}, {}, {1: f"{vm}/3"}).labels(1) == said
    assert VcpuStyles({}, {}, {}).labels(5) == ("vCPU 5", "vCPU 5")


@pytest.mark.parametrize("picture", [p for p in PICTURES if not KINDS[p.kind].needs], ids=stem)
def test_a_trace_has_the_timeline_only(picture: Picture) -> None:
    made = bare(busy_timeline((3, 63, 0)), title="Trace of a kernel", trace="trace.txt")
    figure = picture.draw(made)
    check_readable(figure)
    assert not made.missing(picture.kind)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.needs])
def test_a_run_of_no_time_can_be_drawn(kind: str) -> None:
    check_readable(Picture(kind).draw(bare(Timeline(topology(0, 3)))))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("picture", PICTURES, ids=stem)
@pytest.mark.proof
def test_equal_runs_give_equal_pictures(tmp_path: Path, picture: Picture, form: str) -> None:
    made = recording(MACHINES[4])
    paths = [tmp_path / f"{name}.{form}" for name in "ab"]
    for path in paths:
        save(picture.draw(made), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert is_picture(f"{picture.stem}.{form}")


def test_heat_adds_up_to_the_share_of_time() -> None:
    for steps in steps_of_harts(busy_timeline((7, 3, 1, 0), steps=97)):
        bins = heat(steps, int(steps.edges_ns[-1]))
        assert len(bins) == BINS
        assert bins.mean() == pytest.approx(steps.exhausted_share)
        assert 0 <= bins.min() <= bins.max() <= 1


def test_heat_of_a_bin_is_its_own() -> None:
    timeline = Timeline(topology(1))
    timeline.end_ns = BINS * 10
    timeline.occupy(15, 0, 1)
    timeline.occupy(40, 0, 0)
    bins = heat(steps_of_harts(timeline)[0], timeline.end_ns)
    assert bins[:6].round(9).tolist() == [0, 0.5, 1, 1, 0, 0]


def test_the_fullest_hart_is_the_first_of_equals() -> None:
    timeline = Timeline(topology(1, 1, 1))
    timeline.end_ns = 100
    for hart, at in ((0, 60), (1, 50), (2, 50)):
        timeline.occupy(at, hart, 1)
    assert bare(timeline).fullest_hart == 1


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 ns"), (140, "140 ns"), (7_456, "7.46 µs"), (11_500, "11.5 µs"), (1.59e6, "1.59 ms")],
)
def test_a_time_has_three_digits(ns: float, text: str) -> None:
    assert short_time(ns) == text


# How a colour looks: Machado, Oliveira and Fernandes, "A physiologically-based model for simulation
# of color vision deficiency", IEEE TVCG 15(6), 2009, for full severity.
BLINDNESS = {
    "protanopia": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deuteranopia": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}
APART = 12
"""Distance in CIELAB at which two areas are told apart at a glance."""


def lab(color: str, blindness: str) -> NDArray[np.float64]:
    """CIELAB (D65) of a colour as it is seen."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1)
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = np.cbrt(np.array(to_xyz) @ seen / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("blindness", list(BLINDNESS))
@pytest.mark.parametrize(
    "looks",
    [
        [(color, hatch) for color, hatch in FILLS],
        [(color, hatch) for _, _, color, hatch in STATES],
        *[[(curve.color, str(curve.dashes)) for curve in curves] for _, curves in PANELS],
    ],
    ids=["owners", "states", "msi", "msi-swfile", "sgei", "updates"],
)
def test_looks_are_distinct_twice(looks: list[tuple[str, str]], blindness: str) -> None:
    """By colour, and by hatching or dashes too, for most; always by one of them."""
    for (one, mark), (other, other_mark) in itertools.combinations(looks, 2):
        distance = float(np.linalg.norm(lab(one, blindness) - lab(other, blindness)))
        assert distance >= APART or mark != other_mark, (one, other, round(distance))


@pytest.mark.parametrize("blindness", list(BLINDNESS))
def test_heat_gets_darker_for_every_reader(blindness: str) -> None:
    light = [lab(to_hex(HEAT(share)), blindness)[0] for share in np.linspace(0, 1, 20)]
    assert all(before > after for before, after in itertools.pairwise(light))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder of four HARTs with all tables."""
    path = tmp_path_factory.mktemp("pictures") / "run"
    write_folder(path, MACHINES[4])
    return path


@pytest.mark.slow
def test_all_kinds_are_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(folder), "--kind", "all", "--json"]) == 0
    drawn = [Path(path).name for path in json.loads(capsys.readouterr().out)["pictures"]]
    lines = next(name for name in drawn if name.startswith("lines-hart"))
    stems = ["occupancy", "exhaustion", lines.removesuffix(".png"), "locks", "latency", "summary"]
    assert drawn == [f"{stem}.{form}" for stem in stems for form in ("png", "svg")]
    assert all((folder / name).stat().st_size > 1000 for name in drawn)


@pytest.mark.slow
def test_a_hart_alone_means_its_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(folder), "--hart", "2"]) == 0
    assert [Path(path).name for path in capsys.readouterr().out.split()] == [
        *("lines-hart2.png", "lines-hart2.svg")
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--kind", "locks", "--hart", "1"], "command line: --hart = 1: goes with --kind lines"),
        (["--hart", "4"], "command line: --hart = 4: must be 0..3"),
        (["-k", "all", "-o", "a.png"], "command line: --output: is for one picture, not for all"),
        (["-k", "pie"], "'pie' is not one of 'occupancy', 'exhaustion', 'lines', 'locks',"),
        (["--hart", "-1"], "-1 is not in the range x>=0"),
    ],
)
def test_wrong_options_are_reported(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert main(["plot", str(folder), *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_picture_needs_its_records(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    names = ["manifest.json", "summary.json", "occupancy.csv", "events.csv", "vcpus.csv"]
    for name in names:
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": names}))
    assert main(["plot", str(tmp_path), "-k", "latency"]) == 2
    assert capsys.readouterr().err.endswith(
        "--kind = latency: needs spans.csv, which this folder has not; a run with `--record all` "
        "has it; here you can draw occupancy, exhaustion, summary\n"
    )


def test_a_damaged_table_is_reported(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "owners.csv").write_text("start_ns,end\n1,2\n")
    (tmp_path / "spans.csv").unlink()
    assert main(["plot", str(tmp_path), "-k", "latency"]) == 2
    assert "spans.csv: cannot be read" in capsys.readouterr().err
    assert main(["plot", str(tmp_path), "-o", str(tmp_path / "a.svg")]) == 0, "needs no table"
