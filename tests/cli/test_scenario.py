"""`hgeisim topology` and `hgeisim scenario`: what they print, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hgeisim.cli.main import main
from hgeisim.scenario.load import load_scenario
from tests.support.golden import check_golden

DATA = Path(__file__).parent.parent / "data"

BIG_LITTLE = """\
Topology of virt-big-little-4x7-4x3.dtb

HARTs   count   hart ids   guest files   HGEIE bits
---------------------------------------------------
0-3         4   0-3                  7   ?
4-7         4   4-7                  3   ?

8 HARTs, 40 guest files in all.
Fewest on a HART, the kernel's global count: 3
Guest index bits: 3 (a HART every 8 pages)

?  Unknown.  A devicetree (QEMU's blobs too) gives the stride of the pages, not
   GEILEN: a run takes one bit for each guest file, or what the scenario's
   machine.geilen says.
"""

MINE = """
[machine]
harts = [{ guest_files = 7, geilen = 5 }, { count = 2, guest_files = 3, geilen = 3 }]
[[task]]
name = "t"
hart = 1
does = ["offline 1"]
"""

MINE_TOPOLOGY = """\
Topology of scenario

HARTs   count   guest files   HGEIE bits
----------------------------------------
0           1             7            5
1-2         2             3            3

3 HARTs, 13 guest files in all.
Fewest on a HART, the kernel's global count: 3
Guest index bits: 3 (a HART every 8 pages)
"""


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "bad.toml").write_text(
        MINE.replace("offline 1", "offline 9") + "x = 1\n", encoding="utf-8"
    )


def test_topology_of_a_scenario_with_a_devicetree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", "big-little"]) == 0
    assert capsys.readouterr().out == BIG_LITTLE


def test_topology_of_a_scenario_that_gives_geilen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", "mine.toml"]) == 0
    assert capsys.readouterr().out == MINE_TOPOLOGY


@pytest.mark.parametrize("path", sorted(DATA.glob("*.dtb")), ids=lambda path: path.name)
def test_topology_of_blobs(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    assert main(["topology", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["source"] == str(path)
    assert all(group["hgeie_bits"] is None for group in document["harts"])
    assert document["nr_guest_files"] == min(group["guest_files"] for group in document["harts"])


NO_IDS: dict[str, object] = {"hart_ids": [], "imsic": True}


def test_topology_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", "mine.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "source": "scenario",
        "guest_index_bits": 3,
        "nr_guest_files": 3,
        "no_kvm": "",
        "warnings": [],
        "harts": [
            {"first": 0, "count": 1, "guest_files": 7, "hgeie_bits": 5} | NO_IDS,
            {"first": 1, "count": 2, "guest_files": 3, "hgeie_bits": 3} | NO_IDS,
        ],
    }


@pytest.mark.parametrize("name", ["gone.dtb", "mine.dtb", "gone", "gone.toml", "bad.toml"])
def test_topology_of_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "mine.dtb").write_text("no blob", encoding="utf-8")
    assert main(["topology", name, "--json"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"hgeisim: error: {name}: ")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "list"]) == 0
    said = capsys.readouterr().out
    check_golden("scenario-list", said)
    assert max(map(len, said.splitlines())) <= 80
    assert main(["scenario", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["scenarios"]
    names = [entry["name"] for entry in listed]
    assert names == sorted(names)
    for entry in listed:
        assert entry["for"] == ("explore" if load_scenario(entry["name"]).task else "run")
        assert f"\n{entry['name']} " in said
        assert entry["look_at"] == load_scenario(entry["name"]).look_at


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = load_scenario("patch-race").digest
    assert main(["scenario", "show", "patch-race"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"# patch-race.toml with all defaults; digest {digest}\ntitle = ")
    (tmp_path / "again.toml").write_text(text, encoding="utf-8")
    assert main(["scenario", "show", "again.toml", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["file"], document["digest"]) == ("again.toml", digest)
    assert document["scenario"]["vcpu"][0] == {"name": "v1", "hart": 0, "mode": "auto"}


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "check", "big-little", "mine.toml"]) == 0
    assert capsys.readouterr().out == (
        "ok: big-little: 8 HARTs, 2 VMs, 40 vCPUs\nok: mine.toml: 3 HARTs, 1 task\n"
    )


def test_check_reports_everything_about_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "check", "gone.toml", "mine.toml", "bad.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == "ok: mine.toml: 3 HARTs, 1 task\n"
    assert err.splitlines() == [
        "hgeisim: error: gone.toml: cannot be read: No such file or directory",
        "hgeisim: error: bad.toml: task[0].x = 1: is not a key here; "
        "the keys are name, hart, vcpu, does",
        'hgeisim: error: bad.toml: task[0].does[0] = "offline 9": '
        "must be a HART of this machine, 0..2",
    ]


def test_check_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "check", "mine.toml", "bad.toml", "--json"]) == 2
    out, err = capsys.readouterr()
    assert not err
    good, bad = json.loads(out)["checked"]
    assert good == {"file": "mine.toml", "ok": True, "problems": []}
    assert (bad["file"], bad["ok"]) == ("bad.toml", False)
    assert bad["problems"][0] == {
        "file": "bad.toml",
        "where": "task[0].x",
        "value": "1",
        "allowed": "is not a key here; the keys are name, hart, vcpu, does",
        "remedy": "",
    }


@pytest.mark.parametrize(
    "words", [["topology"], ["scenario"], *(["scenario", w] for w in ("list", "show", "check"))]
)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example:\n  hgeisim {' '.join(words)}".replace("  ", "    ") in text
    assert max(map(len, text.splitlines())) <= 80
