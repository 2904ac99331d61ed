"""The effect of a scenario's [[vm]], [balance] and [random_hotplug] tables on the machine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.drivers.timed.workload.closed_load import ClosedLoad
from hgeisim.drivers.timed.workload.host import Host
from hgeisim.errors import InputError
from hgeisim.kernel.script import IID
from hgeisim.runs.timeline import ALLOC, FAIL, OFFLINE, ONLINE, SGEI
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

MS = 1_000_000
NEVER = "100s"


def exponential(mean: str) -> dict[str, str]:
    return {"distribution": "exponential", "mean": mean}


def constant(value: str) -> dict[str, str]:
    return {"distribution": "constant", "value": value}


def vm(name: str = "vm", vcpus: int = 4, **more: Any) -> dict[str, Any]:
    times = {"run": exponential("50us"), "msi": exponential("300us")}
    return {"name": name, "vcpus": vcpus, **times, **more}


WEAK = {"variant": "v7.0+percpu-v2", "init_hart": 1}
"""A kernel in which a HART 0 without any line takes nothing from the others."""


def scenario(lines: tuple[int, ...], *vms: dict[str, Any], **tables: Any) -> Scenario:
    harts = [{"guest_files": max(lines), "geilen": count} for count in lines]
    kernel = {"variant": "v7.0+percpu-v5", "preemption": "full"} | tables.pop("kernel", {})
    raw = {"machine": {"harts": harts}, "kernel": kernel, "vm": list(vms), **tables}
    return scenario_from(raw)


def ran(lines: tuple[int, ...], *vms: dict[str, Any], ms: int = 5, **tables: Any) -> Simulation:
    """Run for `ms` ms; there must be no findings."""
    simulation = simulate(scenario(lines, *vms, **tables))
    simulation.run(ms * MS)
    assert new_findings(simulation.causes, simulation.k.name) == []
    return simulation


def events(simulation: Simulation, *kinds: int) -> list[tuple[int, int, int]]:
    """Kind, HART and time in ns."""
    timeline = simulation.timeline
    columns = zip(timeline.event_kind, timeline.event_hart, timeline.event_time_ns, strict=True)
    return [event for event in columns if event[0] in kinds]


def harts_of(simulation: Simulation, *kinds: int) -> set[int]:
    return {hart for _, hart, _ in events(simulation, *kinds)}


BALANCE = {"every": exponential("20us")}


def test_vcpus_stay_on_their_harts() -> None:
    """No balancer, no idle HART and no wake-up takes them elsewhere."""
    run = ran((3,) * 4, vm(vcpus=6, harts=[1, 2]), balance=BALANCE)
    assert harts_of(run, ALLOC, FAIL) == {1, 2}
    assert len(events(run, ALLOC)) > 20, "they do move between the two"


def test_vcpus_whose_harts_are_offline_run_anywhere_and_come_back() -> None:
    """select_fallback_rq."""
    window = {"hart": 1, "offline": "2ms", "online": "6ms"}
    run = ran((5,) * 3, vm(harts=[1]), hotplug=[window], ms=12)
    (_, _, up) = events(run, ONLINE)[0]
    down = 2 * MS  # tasks leave long before KVM does
    before, meanwhile, after = (
        {hart for _, hart, at in events(run, ALLOC) if first <= at < last}
        for first, last in ((0, down), (down, up), (up, 12 * MS))
    )
    assert (before, after) == ({1}, {1})
    assert meanwhile
    assert 1 not in meanwhile


def hwaccel(fail_entry: str) -> dict[str, Any]:
    """Four vCPUs that start on the HART with one line."""
    return vm(mode="hwaccel", fail_entry=fail_entry, run=constant("20us"), msi=constant("900us"))


def owners(simulation: Simulation) -> list[int]:
    """The number of lines of each HART that have an owner."""
    return [len(hgctrl.owners) - hgctrl.owners.count(0) for hgctrl in simulation.k.hgei]


def test_the_monitor_moves_a_vcpu_that_finds_no_line() -> None:
    """KVM_EXIT_FAIL_ENTRY sooner or later leads to the HART that has one left."""
    run = ran((1, 1, 2), hwaccel("move"))
    assert owners(run) == [1, 1, 2]
    last_ns = events(run, FAIL)[-1][2]
    assert last_ns < 2 * MS, "then everybody has one"


def test_the_monitor_may_just_ask_again() -> None:
    run = ran((0, 3), vm(vcpus=1, harts=[0], mode="hwaccel"), kernel=WEAK)
    assert harts_of(run, FAIL) == {0}
    assert len(events(run, FAIL)) > 500
    assert owners(run) == [0, 0]


def test_vms_come_and_go_at_random() -> None:
    function = vm("f", 2, every=exponential("500us"), lives=exponential("1ms"))
    run = ran((3, 3), function, ms=10)
    names = [each.name for each in run.k.vms]
    assert names == [f"f#{number}" for number in range(1, len(names) + 1)]
    assert 12 <= len(names) <= 30
    gone = [each for each in run.k.vms if all(vcpu.freed for vcpu in each.vcpus)]
    assert len(names) - 8 <= len(gone) < len(names)
    for vcpu in (vcpu for each in gone for vcpu in each.vcpus):
        assert vcpu.vsfile_cpu == -1
        assert all(not hgctrl.owners.count(vcpu.id) for hgctrl in run.k.hgei)


def test_as_many_vms_arrive_as_the_scenario_says() -> None:
    run = ran((3, 3), vm("a", 1, count=3), vm("b", 1, count=2, every=constant("4ms")))
    assert [each.name for each in run.k.vms] == ["a#1", "a#2", "a#3", "b#1", "b#2"]
    late = ran((3, 3), vm("b", 1, count=2, every=constant("4ms")), ms=3)
    assert [each.name for each in late.k.vms] == ["b#1"]


def test_virtualization_is_on_only_while_there_is_a_vm() -> None:
    """kvm_create_vm and kvm_destroy_vm enable and disable it, again and again."""
    lives = vm("f", 1, every=constant("3ms"), lives=constant("1ms"))
    run = ran((3, 3), lives, ms=10, kernel={"enable_virt_at_load": False})
    starts = [at for kind, hart, at in events(run, ONLINE, OFFLINE) if hart == 0]
    assert len(starts) >= 6
    kinds = [kind for kind, hart, _ in events(run, ONLINE, OFFLINE) if hart == 0]
    assert kinds == [ONLINE, OFFLINE] * (len(kinds) // 2) + [ONLINE] * (len(kinds) % 2)


def test_ipis_of_guests_wake_others_without_any_device() -> None:
    """Guests send again soon after they have slept; devices are silent."""
    quiet: dict[str, Any] = {
        "msi": constant(NEVER),
        "run": constant("40us"),
        "stagger": "10us",
    }
    kernel = {"halt_poll_max": "0ns"}
    silent = ran((3, 3), vm(**quiet), kernel=kernel)
    assert events(silent, SGEI) == []
    # One that hardly ever sleeps keeps the others awake.
    talks = vm(**quiet | {"run": constant("10ms")}, ipi=constant("100us"))
    run = ran((3, 3), talks | {"vcpus": 2}, vm("x", 2, **quiet), kernel=kernel)
    assert events(run, SGEI) == [], "nobody of its VM sleeps, and it sends to no other VM"
    busy = ran((3, 3), vm(**quiet, ipi=constant("15us")), kernel=kernel)
    assert len(events(busy, SGEI)) > 10


def test_an_ipi_to_a_guest_without_vsfile_is_injected() -> None:
    """Its page traps, so KVM delivers to the SW-file and wakes it up."""
    talks = vm(vcpus=3, harts=[0], msi=constant(NEVER), run=constant("40us"), ipi=constant("15us"))
    run = ran((1, 1), talks, kernel={"halt_poll_max": "0ns"})
    without = [vcpu for vcpu in run.k.vcpus[1:] if vcpu is not None and vcpu.vsfile_cpu < 0]
    assert without
    ran_ns = run.driver.scheduler.runtime_ns
    assert all(ran_ns[vcpu.thread] > MS // 2 for vcpu in without), "they are woken again and again"
    in_hardirq = [i for i in run.findings if i.startswith("wait-context") and "hardirq" in i]
    assert in_hardirq == [], "it is the sender's thread that injects"
    assert not any(vcpu.mmio for vcpu in run.k.vcpus[1:] if vcpu is not None and vcpu.loaded)


RANDOM = {"every": exponential("300us"), "offline_for": exponential("500us")}


def test_harts_go_offline_at_random_one_at_a_time() -> None:
    run = ran((5, 5, 5), vm(), random_hotplug=RANDOM, ms=30)
    changes = events(run, OFFLINE, ONLINE)
    kinds, harts = [kind for kind, _, _ in changes], [hart for _, hart, _ in changes]
    assert kinds == [OFFLINE, ONLINE] * (len(kinds) // 2) + [OFFLINE] * (len(kinds) % 2)
    assert len(kinds) > 12
    assert harts[0::2][: len(harts) // 2] == harts[1::2], "the one that went comes back"
    assert set(harts) == {0, 1, 2}


def test_random_hotplug_keeps_off_other_harts() -> None:
    listed = ran((5, 5, 5), vm(), random_hotplug=RANDOM | {"harts": [2]}, ms=8)
    assert harts_of(listed, OFFLINE) == {2}
    window = {"hart": 1, "offline": "1ms", "online": "30ms"}
    rest = ran((5, 5, 5), vm(), random_hotplug=RANDOM, hotplug=[window], ms=20)
    assert [hart for _, hart, _ in events(rest, OFFLINE)].count(1) == 1
    assert harts_of(rest, OFFLINE) == {0, 1, 2}


def test_two_kernels_meet_the_same_arrivals() -> None:
    """Streams depend on the seed and their name only: the kernel does not change any arrival."""
    function = vm("f", 2, every=exponential("300us"), lives=exponential("900us"))
    names = []
    for variant in ("v6.18", "v7.0+percpu-v5"):
        run = ran((5, 1), function, ms=8, kernel={"variant": variant}, machine=EQUAL)
        names.append([each.name for each in run.k.vms])
    assert names[0] == names[1]


EQUAL = {"harts": [{"count": 2, "guest_files": 2}]}


@pytest.mark.parametrize("variant", ["v7.0", "v7.0+percpu-v5"])
def test_everything_together_loses_nothing(variant: str) -> None:
    """VM churn, IPIs, affinity, balancing and random hotplug, on one machine, with every check."""
    vms = (
        vm("f", 2, every=exponential("700us"), lives=exponential("2ms"), ipi=exponential("200us")),
        vm("p", 3, harts=[0, 2], ipi=exponential("100us")),
        vm("h", 4, mode="hwaccel", fail_entry="move"),
    )
    tables = {"balance": BALANCE, "random_hotplug": RANDOM, "kernel": {"variant": variant}}
    run = simulate(scenario((3, 3, 3), *vms, **tables))
    run.run(20 * MS)
    assert new_findings(run.causes, variant) == []
    assert all(lines <= 3 for lines in owners(run))


def test_the_monitor_may_sleep_before_it_asks_again() -> None:
    without = vm(vcpus=1, harts=[0], mode="hwaccel", fail_wait="500us")
    run = ran((0, 3), without, kernel=WEAK)
    times = [at for _, _, at in events(run, FAIL)]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(gaps) > 5
    assert all(500_000 <= gap < 520_000 for gap in gaps)


def test_a_tick_wakes_a_vcpu_that_has_no_other_interrupt() -> None:
    """Without a VS-file it asks for a line each time that its guest is entered: once for the tick,
    and once more after the SBI call with which the guest sets its timer anew."""
    asleep = vm(vcpus=1, harts=[0], run=constant("20us"), msi=constant(NEVER))
    still = len(events(ran((0, 1), asleep, kernel=WEAK), FAIL))
    ticking = ran((0, 1), asleep | {"tick": constant("500us")}, kernel=WEAK)
    assert len(events(ticking, FAIL)) == still + 2 * 9
    assert ticking.k.vcpu(1).irqs_pending == 0


def taken(simulation: Simulation) -> int:
    """How many MSIs guests have taken."""
    return int(simulation.msis()["all"]["delivered"])


def closed(vcpus: int, **more: Any) -> dict[str, Any]:
    """Guests that work for 20 us, ask, and are answered after 60 us."""
    load = vm("db", vcpus, run=constant("20us"), replies=constant("60us"), **more)
    del load["msi"]
    return load


def test_a_guest_that_is_answered_late_does_less_work() -> None:
    """One that has a HART to itself does nothing but work and wait, so it takes an interrupt every
    80 us at most; if it gets no answer it does not ask again."""
    run = ran((1, 1), closed(1))
    assert 40 <= taken(run) <= 5_000 // 80
    late = ran((1, 1), closed(1) | {"replies": constant("380us")})
    assert 9 <= taken(late) <= 5_000 // 400
    never = ran((1, 1), closed(1) | {"replies": constant(NEVER)})
    assert never.msis()["all"]["sent"] == 0


def test_only_one_answer_is_on_its_way() -> None:
    """Also where other interrupts wake a guest that waits."""
    run = ran((3, 3), closed(4, tick=constant("10us")))
    msis = run.msis()["all"]
    assert (msis["merged"], msis["lost"]) == (0, 0)
    assert msis["delivered"] + msis["pending"] == msis["sent"] <= 4 * 5_000 // 60
    assert msis["sent"] > 4 * 30


def test_a_guest_that_is_woken_before_the_answer_does_not_ask_again() -> None:
    """By a tick in the middle of each wait: then there are no more answers than without."""
    without, ticking = ran((1, 1), closed(1)), ran((1, 1), closed(1, tick=constant("45us")))
    sent = [run.msis()["all"]["sent"] for run in (without, ticking)]
    assert 20 < sent[1] <= sent[0]
    assert ticking.msis()["all"]["merged"] == 0


def test_a_guest_that_has_not_taken_the_last_answer_does_not_ask() -> None:
    """As where its kernel has forgotten that something is pending."""
    loaded = scenario((1, 1), closed(1))
    simulation = simulate(loaded)
    simulation.run(MS // 100)
    load = ClosedLoad(Host(simulation.driver, Streams(1), loaded.run))
    vcpu = simulation.k.vcpu(1)
    load.add(vcpu, loaded.vm[0].run)
    vcpu.ledger.send(IID)
    load.halts(vcpu.thread, vcpu)
    assert load.waiting == {}
    vcpu.ledger.take(1 << IID)
    load.halts(vcpu.thread, vcpu)
    assert load.waiting == {1: None}


def test_a_line_buys_throughput() -> None:
    """Where guests are answered quickly and poll, an MSI in a SW-file costs two exits more."""
    load = closed(4) | {"replies": constant("2us"), "run": constant("2us")}
    done = [taken(ran((lines, lines), load)) for lines in (2, 1)]
    assert done[0] > 1.02 * done[1]


def test_a_vm_comes_back_after_a_while() -> None:
    """A closed source: never two of it together."""
    function = vm("f", 1, lives=constant("400us"), returns=constant("600us"))
    run = ran((3, 3), function, ms=10)
    names = [each.name for each in run.k.vms]
    assert names == [f"f#{number}" for number in range(1, len(names) + 1)]
    assert 9 <= len(names) <= 10
    assert all(vcpu.freed for each in run.k.vms[:-1] for vcpu in each.vcpus)
    three = ran((3, 3), function | {"count": 3}, ms=2)
    assert sorted(each.name for each in three.k.vms) == [
        *("f#1.1", "f#1.2", "f#2.1", "f#2.2", "f#3.1", "f#3.2")
    ]


def test_a_monitor_that_gives_up_ends_its_vm() -> None:
    """Two vCPUs on one line; without `lives` the VM would stay for ever."""
    load = hwaccel("give_up") | {"vcpus": 2, "harts": [0]}
    run = ran((1, 1), load)
    assert all(vcpu.freed for vcpu in run.k.vms[0].vcpus)
    assert len(events(run, FAIL)) in {1, 2}
    assert owners(run) == [0, 0]
    back = ran((1, 1), load | {"returns": constant("500us")})
    assert 5 <= len(back.k.vms) <= 10
    alone = ran((1, 1), load | {"vcpus": 1, "returns": constant("500us")})
    assert len(alone.k.vms) == 1, "nothing fails"


def test_a_monitor_may_sleep_for_a_time_that_is_drawn() -> None:
    wait = {"distribution": "uniform", "low": "100us", "high": "900us"}
    without = vm(vcpus=1, harts=[0], mode="hwaccel", fail_wait=wait)
    times = [at for _, _, at in events(ran((0, 3), without, kernel=WEAK, ms=20), FAIL)]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(gaps) > 20
    assert all(100_000 <= gap < 920_000 for gap in gaps)
    assert len({gap // 1_000 for gap in gaps}) > 15


def quiet(name: str = "vm", vcpus: int = 4, **more: Any) -> dict[str, Any]:
    """A VM without devices of its own."""
    return vm(name, vcpus, msi=constant(NEVER), **more)


def nic(**more: Any) -> dict[str, Any]:
    return {"name": "nic", "vm": "web", "every": constant("100us"), **more}


def test_a_device_sends_a_burst_to_vcpus_of_its_vm() -> None:
    run = ran((3, 3), quiet("web"), quiet("other"), device=[nic(burst=3)])
    by_vm = {name: row["sent"] for name, row in run.msis()["vms"].items()}
    assert by_vm.get("other", 0) == 0
    assert 3 * 48 <= by_vm["web"] <= 3 * 50
    reached = {vcpu.name for vcpu in run.k.vcpus[1:] if vcpu and vcpu.ledger.sent}
    assert reached == {f"web/{n}" for n in range(4)}


def test_a_device_of_many_vms_is_silent_while_there_is_none() -> None:
    load = quiet("web", 1, lives=constant("500us"), returns=constant("500us"))
    run = ran((3, 3), load, device=[nic()])
    assert 20 <= run.msis()["all"]["sent"] <= 30
    never = ran((3, 3), quiet("web", arrives="4s"), quiet("other"), device=[nic()])
    assert never.msis()["all"]["sent"] == 0


def test_a_lock_load_makes_others_wait() -> None:
    """It holds the lock of HART 1 for a fifth of the time, and no other."""
    hog = {"name": "hog", "hart": 0, "lines_of": 1, "every": constant("20us")}
    run = ran((3, 3), vm(vcpus=8), lock_load=[hog | {"holds": constant("20us")}], balance=BALANCE)
    rows = {row["lock"]: row for row in run.tables["locks"]}
    assert rows["hgei1.lock"]["hold_ns_total"] > MS
    assert rows["hgei1.lock"]["wait_ns_total"] > 20 * rows["hgei0.lock"]["wait_ns_total"]
    assert rows["hgei1.lock"]["wait_ns_max"] > 10_000
    others = ran((3, 3), vm(vcpus=8), balance=BALANCE).tables["locks"]
    assert all(row["wait_ns_max"] < 10_000 for row in others if row["lock"] == "hgei1.lock")


def test_devices_and_lock_loads_name_what_there_is() -> None:
    hog = {"name": "hog", "hart": 5, "lines_of": 7, "every": constant("1us")}
    load = hog | {"holds": constant("1us")}
    with pytest.raises(InputError) as error:
        scenario((3, 3), vm("web"), device=[nic(vm="wbe", hart=9), nic()], lock_load=[load])
    assert [str(each).partition(": ")[2] for each in error.value.problems] == [
        "device[0].hart = 9: must be a HART of this machine, 0..1",
        "lock_load[0].hart = 5: must be a HART of this machine, 0..1",
        "lock_load[0].lines_of = 7: must be a HART of this machine, 0..1",
        'device[1].name = "nic": must be unique; device[0] has the same name',
        'device[0].vm = "wbe": must be the name of a [[vm]]: web; did you mean "web"?',
    ]
