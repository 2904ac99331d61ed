"""Loading scenarios: built-in ones, files, defaults, overrides and digests."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hgeisim.errors import InputError
from hgeisim.machine.topology import HartSpec
from hgeisim.scenario.action import Action
from hgeisim.scenario.find import BUILT_IN, built_in_names
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.timing import TIMING_NS, Constant, Exponential, Uniform

SMALL = """
[machine]
harts = [{ count = 2, guest_files = 7, geilen = 5 }, { guest_files = 3 }]

[[vm]]
name = "web"
vcpus = 2
run = { distribution = "uniform", low = "1us", high = "2us" }
msi = { distribution = "constant", value = "10us" }
"""


def load(tmp_path: Path, text: str, **overrides: Any) -> Scenario:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, overrides)


def error(tmp_path: Path, text: str, **overrides: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text, **overrides)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_big_little() -> None:
    scenario = load_scenario("big-little")
    assert scenario.file == "big-little.toml"
    assert [hart.guest_files for hart in scenario.topology.harts] == [7] * 4 + [3] * 4
    assert scenario.topology.source == "virt-big-little-4x7-4x3.dtb"
    web, batch = scenario.vm
    assert (web.vcpus, web.stagger, web.destroyed) == (24, 150_000, None)
    assert (batch.arrives, batch.destroyed) == (4_000_000, 15_000_000)
    assert isinstance(web.run, Exponential)
    assert web.run.mean == 120_000
    assert scenario.balance is not None
    assert [(w.hart, w.offline, w.online) for w in scenario.hotplug] == [(5, 8_000_000, 12_000_000)]


def test_patch_race() -> None:
    scenario = load_scenario("patch-race")
    assert scenario.kernel.variant == "v6.12+percpu-v2"
    assert [vcpu.hart for vcpu in scenario.vcpu] == [0, 1, 2]
    does = {task.name: task.does for task in scenario.task}
    assert does["destroy/v1"] == (Action("destroy", vcpu="v1"),)
    assert does["vcpu/v2"] == (Action("migrate", hart=0), Action("run"))
    assert does["cpuhp/0"] == (Action("offline", hart=0), Action("online", hart=0))


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_scenarios_say_what_they_are(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.title
    assert scenario.look_at
    assert scenario.digest == load_scenario(BUILT_IN / f"{name}.toml").digest


def test_defaults(tmp_path: Path) -> None:
    scenario = load(tmp_path, SMALL)
    assert (scenario.kernel.variant, scenario.kernel.preemption) == ("v7.3", "none")
    assert (scenario.kernel.init_hart, scenario.run.until, scenario.run.seed) == (0, 10_000_000, 1)
    assert scenario.topology.harts == (HartSpec(7, 5), HartSpec(7, 5), HartSpec(3, None))
    assert scenario.topology.guest_index_bits == 3
    assert scenario.topology.source == "scenario"
    (vm,) = scenario.vm
    assert (vm.mode, vm.arrives, vm.stagger) == ("auto", 0, 0)
    assert isinstance(vm.run, Uniform)
    assert {name: getattr(scenario.timing, name).value for name in TIMING_NS} == TIMING_NS
    assert TIMING_NS["raw_spin_lock"] == 40


@pytest.mark.parametrize(("files", "bits"), [(0, 0), (1, 1), (3, 2), (4, 3), (63, 6), (127, 7)])
def test_smallest_stride_that_holds_the_guest_files(tmp_path: Path, files: int, bits: int) -> None:
    text = SMALL.replace("guest_files = 3", f"guest_files = {files}").replace("= 7,", "= 0,")
    assert load(tmp_path, text).topology.guest_index_bits == bits


def test_geilen_goes_with_a_devicetree(tmp_path: Path) -> None:
    blob = BUILT_IN / "virt-big-little-4x7-4x3.dtb"
    (tmp_path / "machine.dtb").write_bytes(blob.read_bytes())
    geilen = [7, 7, 7, 7, 3, 3, 2, 63]
    machine = f'[machine]\ndevicetree = "machine.dtb"\ngeilen = {geilen}\n'
    text = machine + SMALL[SMALL.index("[[vm]]") :]
    assert [hart.geilen for hart in load(tmp_path, text).topology.harts] == geilen
    short = text.replace("[7, 7, ", "[")
    assert error(tmp_path, short) == (
        "mine.toml: machine.geilen = 6 numbers: must have one number for each of the 8 HARTs"
    )


def test_a_document_in_memory(tmp_path: Path) -> None:
    raw = tomllib.loads(SMALL)
    assert scenario_from(raw).digest == load(tmp_path, SMALL).digest
    with pytest.raises(InputError, match=r"^made up: vm\[0\].vcpus = 0: must be 1..1024$"):
        scenario_from(tomllib.loads(SMALL.replace("vcpus = 2", "vcpus = 0")), "made up")


def test_timing_takes_times_and_distributions(tmp_path: Path) -> None:
    table = '[timing]\nipi = "5us"\nwake_up = { distribution = "exponential", mean = "4us" }\n'
    timing = load(tmp_path, SMALL + table).timing
    assert timing.ipi == Constant.model_validate({"distribution": "constant", "value": "5us"})
    assert isinstance(timing.wake_up, Exponential)


def test_overrides(tmp_path: Path) -> None:
    scenario = load(tmp_path, SMALL, variant="v7", preemption="full", seed=9, until="5ms")
    assert (scenario.kernel.variant, scenario.kernel.preemption) == ("v7", "full")
    assert (scenario.run.seed, scenario.run.until) == (9, 5_000_000)
    assert load(tmp_path, SMALL, seed=None).run.seed == 1


def test_bad_overrides_are_reported_beside_the_mistakes_of_the_file(tmp_path: Path) -> None:
    text = SMALL.replace("vcpus = 2", "vcpus = 0")
    assert error(tmp_path, text, seed=-1, until="5", preemption="ful").splitlines() == [
        'command line: --preemption = "ful": must be "none", "voluntary", "full" or "rt"; '
        'did you mean "full"?',
        'command line: --until = "5": must have a unit, one of ns, us, ms and s, '
        'such as "800ns", "1.5us", "20ms" or "2s"',
        "command line: --seed = -1: must be a whole number, 0..2**63 - 1",
        "mine.toml: vm[0].vcpus = 0: must be 1..1024",
    ]


def test_an_override_heals_a_bad_value(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL + '[run]\nseed = "x"\n', seed=3).run.seed == 3


def test_variants_are_checked_by_whom_the_caller_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL, encoding="utf-8")
    with pytest.raises(InputError, match=r'kernel.variant = "v7.3": must be newer'):
        load_scenario(path, known_variant=lambda _: "must be newer")
    assert load_scenario(path, known_variant=lambda _: None).kernel.variant == "v7.3"


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    plain = load(tmp_path, SMALL).digest
    same = '# a comment\ntitle = "T"\n' + SMALL + "[run]\nseed = 1\n"
    written_out = SMALL.replace("count = 2,", "").replace("[{", "[{guest_files=7,geilen=5},{")
    assert [load(tmp_path, text).digest for text in (same, written_out)] == [plain, plain]
    assert load(tmp_path, SMALL, seed=2).digest != plain
    assert load(tmp_path, SMALL.replace("= 3 }", "= 2 }")).digest != plain
    assert load(tmp_path, SMALL + '[timing]\nipi = "1ns"\n').digest != plain


def test_toml_errors_name_the_line(tmp_path: Path) -> None:
    assert error(tmp_path, "title = 'a'\n[machine\n") == (
        "mine.toml: line 2, column 9: must be TOML: Expected ']' at the end of a table declaration"
    )
    assert error(tmp_path, "x = 'a") == ('mine.toml: end of document: must be TOML: Expected "\'"')


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x = " + b"9" * 5000, b"x = " + b"[" * 50_000])
def test_no_toml_at_all(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(InputError, match="must be"):
        load_scenario(path)


def test_files_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"^gone.toml: cannot be read: No such file or directory$"):
        load_scenario("gone.toml")
    with pytest.raises(InputError, match=r'^patch_race: is not a built-in .* mean "patch-race"\?$'):
        load_scenario("patch_race")


def test_devicetree_problems_name_the_key(tmp_path: Path) -> None:
    text = '[machine]\ndevicetree = "gone.dtb"\n' + SMALL[SMALL.index("[[vm]]") :]
    assert error(tmp_path, text) == (
        'mine.toml: machine.devicetree = "gone.dtb": cannot be read: No such file or directory'
    )
