"""A replication is a pure function, and its metrics are those of the run of the command."""

from __future__ import annotations

import gc
import json
from dataclasses import replace

import pytest

import hgeisim
from hgeisim.errors import InputError
from hgeisim.study.comparison import facts_of
from hgeisim.study.metrics import MAIN, METRICS
from hgeisim.study.replication import Job, job_of, nth, replicate, scenario_of
from tests.support.commands import hgeisim as command

MODES = """
[machine]
harts = [{ count = 2, guest_files = 1 }]
[run]
until = "2ms"
[[vm]]
name = "vm"
vcpus = 4
mode = "MODE"
run = { distribution = "exponential", mean = "40us" }
msi = { distribution = "exponential", mean = "80us" }
"""


def small(**changes: str) -> Job:
    return job_of(hgeisim.load("big-little", until="2ms", **changes))


def test_it_is_the_run_of_the_command() -> None:
    record = replicate(small())
    summary = command("run", "big-little", "--until", "2ms", "--json").document()
    harts, vcpus = summary["harts"], summary["vcpus"]
    values = record.values
    guest_ns = vcpus["vsfile_ns"] + vcpus["swfile_ns"]
    assert values["sw_file_time"] == pytest.approx(vcpus["swfile_ns"] / guest_ns)
    assert values["guest_time"] == pytest.approx(guest_ns / vcpus["life_ns"])
    assert values["blocked_time"] == pytest.approx(vcpus["blocked_ns"] / vcpus["life_ns"])
    assert values["lines_in_use"] == pytest.approx(sum(h["busy_mean"] for h in harts), abs=1e-5)
    assert record.harts["exhausted_time"] == pytest.approx(
        [h["exhausted"] for h in harts], abs=1e-6
    )
    assert values["fails"] == sum(h["fail"] for h in harts)
    assert values["requests"] == sum(h["fail"] + h["alloc"] for h in harts)
    assert values["allocs"] == pytest.approx(sum(h["alloc"] for h in harts) / 2)
    spans = {(s["kind"], s["met"]): s for s in summary["spans"]}
    assert values["msi_wfi_p99"] == spans["msi-vsfile", "wfi"]["p99_ns"]
    assert set(record.findings) <= {each["id"] for each in summary["findings"]}


def test_a_replication_is_that_seed_of_the_command() -> None:
    record = replicate(nth(small(), 4))
    harts = command("run", "big-little", "--until", "2ms", "--seed", "5", "--json").document()[
        "harts"
    ]
    assert record.values["fails"] == sum(h["fail"] for h in harts)


def test_the_same_job_gives_the_same_record() -> None:
    job = small()
    assert replicate(job) == replicate(nth(nth(job, 3), -3))
    assert replicate(job) != replicate(nth(job, 1))


def test_two_kernels_see_the_same_arrivals() -> None:
    """The kernel is not part of any stream: where no HART runs out of lines, nothing differs."""
    scenario = hgeisim.load("big-little", until="2ms", set={"vm.web.vcpus": 3})
    one, other = (replicate(job_of(scenario, each)) for each in ("v7.0", "v7.0+percpu-v5"))
    assert one.values["requests"]
    usable = one.values.pop("line_use"), other.values.pop("line_use")  # v7.0 withholds some lines
    assert usable[0] != usable[1]
    assert one == other


@pytest.mark.parametrize("mode", ["auto", "hwaccel", "emul"])
def test_metrics_of_each_mode(mode: str, tmp_path: object) -> None:
    path = f"{tmp_path}/one.toml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(MODES.replace("MODE", mode))
    values = replicate(job_of(hgeisim.load(path))).values
    assert list(values) == list(METRICS)
    assert values["guest_time"]
    has_value = {name for name in MAIN if values[name] is not None}
    assert ("sw_file_time" in has_value) == (mode != "emul")
    assert ("fail_entry" in has_value) == (mode == "hwaccel")
    assert ("no_line" in has_value) == (mode != "emul")
    assert values["exhausted_time"] is not None
    if mode == "hwaccel":
        assert (values["sw_file_time"], values["refusals"]) == (0, values["fails"])
        assert values["fail_entry"] == values["no_line"]
        assert values["failed_time"]


def test_the_warm_up_is_left_out() -> None:
    whole, late = (replicate(replace(small(), warm_up_ns=ns)).values for ns in (0, 1_000_000))
    early = replicate(small_until("1ms")).values
    for name in ("requests", "fails"):
        assert late[name] == (whole[name] or 0) - (early[name] or 0)
    mean = ((early["lines_in_use"] or 0) + (late["lines_in_use"] or 0)) / 2
    assert whole["lines_in_use"] == pytest.approx(mean)


def small_until(until: str) -> Job:
    return job_of(hgeisim.load("big-little", until=until))


def test_nobody_looks_on_at_a_price() -> None:
    """The note of the warm-up is a process of its own: nothing else may depend on it."""
    one, other = (replicate(replace(small(), warm_up_ns=ns)) for ns in (0, 1))
    assert one.findings == other.findings
    assert one.values["requests"] == other.values["requests"]


def test_a_patch_that_ends_the_run_leaves_its_finding(tmp_path: object) -> None:
    text = "from hgeisim.patch import *\nclass Dies(Aia):\n"
    text += "    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):\n"
    text += "        yield STEP\n        raise RuntimeError('no')\n"
    path = f"{tmp_path}/dies.py"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    scenario = hgeisim.load("big-little", until="2ms", variant=f"v7.3+{path}:Dies")
    record = replicate(replace(job_of(scenario), warm_up_ns=1_900_000))
    assert any(each.startswith("exception:") for each in record.findings)
    assert set(record.values.values()) == {None}


def test_a_worker_with_other_code_or_another_patch_refuses(tmp_path: object) -> None:
    with pytest.raises(InputError, match="other code"):
        scenario_of(replace(small(), code="other"))
    path = f"{tmp_path}/mine.py"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("from hgeisim.patch import *\nclass Mine(Imsic):\n    pass\n")
    job = job_of(hgeisim.load("big-little", until="2ms", variant=f"v7.3+{path}:Mine"))
    with pytest.raises(InputError, match="another text"):
        scenario_of(replace(job, own="0000"))


def test_a_job_is_small_and_plain() -> None:
    job = small()
    assert len(job.scenario) < 10_000
    assert json.loads(job.scenario)["run"]["until"] == "2ms"


def test_every_metric_has_its_denominator_and_its_meaning() -> None:
    for name in METRICS:
        assert all(facts_of(name).values())
    for metric in METRICS.values():
        assert {metric.events, metric.trials} <= {"", *METRICS}


@pytest.mark.slow
def test_replications_do_not_pile_up() -> None:
    job, counts = small(), []
    for number in range(12):
        replicate(nth(job, number))
        if number in (2, 11):
            gc.collect()
            counts.append(len(gc.get_objects()))
    assert counts[1] - counts[0] < 50
