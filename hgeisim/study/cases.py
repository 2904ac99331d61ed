"""The cases of `hgeisim validate`: a scenario, its exact result, what a replication shows of it.

Scenarios are documents as in a file, of tables that any scenario may use.  The timing table is 0
but for what a case is about, and for a context switch of 1 ns, which may not be 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from hgeisim.library.arguments import wrong
from hgeisim.scenario.table import DURATION_NS_MAX, parse_duration
from hgeisim.scenario.timing import Timing
from hgeisim.study import observe, theory
from hgeisim.study.observe import TICKS, Numbers
from hgeisim.study.replication import Job

HOLD_NS = 10**9
"""The mean hold of a line; any will do, and the ns that a VM needs to begin are nothing beside it.
"""
VMS = 5_000
"""VMs that arrive in a replication."""
TAKERS = 5_000
"""Holds of a lock in a replication."""
ROUNDS = 20
"""Turns of each thread in a replication of `ticket`."""
CYCLES = 1_000
"""How often a HART goes offline in a replication."""
STRETCHES = 5_000
SETTLED = 0.05
"""The share of a replication that is left out, as it begins empty."""
NEVER = {"distribution": "constant", "value": f"{DURATION_NS_MAX}ns"}
LOAD_MAX = 0.9
"""Highest share of time that an open lock is held: beyond, most takers would have to wait behind
each other on their HARTs."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Quantity:
    """A number that theory gives exactly, with the source of its formula."""

    name: str
    unit: str
    exact: float
    source: str


@dataclass(frozen=True)
class Case:
    """A case with its parameters: `simulated` says in words what runs.

    `observe` returns what a replication shows of each quantity.  All replications of a case that is
    `alike` are the same.
    """

    simulated: str
    document: Document
    quantities: tuple[Quantity, ...]
    observe: Callable[[Job], Numbers]
    warm_up_ns: int
    alike: bool = False


def erlang(lines: int, offered: float) -> Case:
    """Poisson arrivals of VMs, and no place to wait (Erlang B).

    `lines` of the one HART, `offered` load in Erlang.
    """
    _whole("erlang", "lines", lines, 1, 63)
    _number("erlang", "offered", offered, 0.01, 1000)
    every_ns = round(HOLD_NS / offered)
    blocked = theory.erlang_b(lines, HOLD_NS / every_ns)
    taken = HOLD_NS / every_ns * (1 - blocked)
    source = "Erlang (1917)"
    return Case(
        f"one HART with {lines} lines; VMs of one HWACCEL vCPU arrive as a Poisson process, live "
        "for exponential times, and give up if no line is free",
        _lines(lines, VMS * every_ns, {"every": _exponential(every_ns)}),
        _line_quantities((blocked, blocked, taken), source),
        observe.lines,
        round(max(SETTLED * VMS * every_ns, 5 * HOLD_NS)),
    )


def engset(vcpus: int, lines: int, alpha: float) -> Case:
    """Closed sources of VMs, and no place to wait (Engset).

    `alpha` is the mean life of a VM over the mean time until its source sends another one.
    """
    _whole("engset", "vcpus", vcpus, 1, 1024)
    _whole("engset", "lines", lines, 1, 63)
    _number("engset", "alpha", alpha, 1e-4, 1000)
    returns_ns = round(HOLD_NS / alpha)
    found = theory.engset(vcpus, lines, HOLD_NS / returns_ns)
    rate = (vcpus - found.taken) / returns_ns
    until_ns = round(VMS / rate)
    return Case(
        f"one HART with {lines} lines and {vcpus} sources; a VM of one HWACCEL vCPU lives for an "
        "exponential time, or gives up if no line is free; an exponential time later its "
        "source sends the next one",
        _lines(lines, until_ns, {"count": vcpus, "returns": _exponential(returns_ns)}),
        _line_quantities((found.blocked, found.all_taken, found.taken), "Engset (1918)"),
        observe.lines,
        round(SETTLED * until_ns) + 5 * HOLD_NS,
    )


def _line_quantities(exact: tuple[float, float, float], source: str) -> tuple[Quantity, ...]:
    return (
        Quantity("refused requests", "share", exact[0], source),
        Quantity("time without a line", "share", exact[1], source),
        Quantity("lines taken", "lines", exact[2], source),
    )


def _lines(lines: int, until_ns: int, how: Document) -> Document:
    vm = {
        "name": "vm", "vcpus": 1, "mode": "hwaccel", "fail_entry": "give_up", "run": _constant(1),
        "msi": NEVER, "lives": _exponential(HOLD_NS),
    }  # fmt: skip
    harts = [{"guest_files": lines}]
    return _document(harts, until_ns, {}) | {"vm": [vm | how]}


def md1(hold: float, interarrival: float) -> Case:
    """Poisson takers of the HGEI lock who all hold it equally long (M/D/1); times in ns."""
    return _open_lock("md1", [(hold, 1.0)], interarrival)


def mg1(hold: str | Sequence[tuple[float, float]], interarrival: float) -> Case:
    """Poisson takers of the HGEI lock with several holds (M/G/1); times in ns.

    `hold` is "250:0.425,200:0.15,150:0.425", each time with its share, or pairs of these.
    """
    return _open_lock("mg1", _holds(hold) if isinstance(hold, str) else hold, interarrival)


def _holds(text: str) -> list[tuple[float, float]]:
    """Read times with their shares."""
    try:
        pairs = [each.split(":") for each in text.split(",")]
        return [(float(hold), float(share)) for hold, share in pairs]
    except ValueError:
        allowed = "must be times with their shares, such as 250:0.425,200:0.15,150:0.425"
        raise wrong(("mg1", "hold"), text, allowed) from None


def _open_lock(name: str, holds: Sequence[tuple[float, float]], interarrival: float) -> Case:
    for hold, share in holds:
        _number(name, "hold", hold, 1, 1e9)
        _number(name, "hold", share, 1e-3, 1)
    if not 1 <= len(holds) <= 8 or abs(sum(share for _, share in holds) - 1) > 1e-9:
        shares = ", ".join(f"{share:g}" for _, share in holds)
        raise wrong((name, "hold"), shares, "must be 1 to 8 holds whose shares add up to 1")
    _number(name, "interarrival", interarrival, 1, 1e9)
    # What is simulated: whole ticks, and a stream of takers for each hold.
    every = [round(interarrival * TICKS / share) for _, share in holds]
    rate = sum(1 / each for each in every)
    ticks = [(round(hold * TICKS), 1 / e / rate) for (hold, _), e in zip(holds, every, strict=True)]
    load = rate * theory.mean_hold(ticks)
    if load > LOAD_MAX:
        allowed = f"must leave the lock free for a tenth of the time; it would be held for {load:g}"
        raise wrong((name, "interarrival"), f"{interarrival:g}", allowed)
    until_ns = round(TAKERS / rate)
    each = _harts_for(load)
    loads = [
        {
            "name": f"takers-{at}", "harts": [*range(at * each, (at + 1) * each)],
            "lines_of": len(holds) * each, "every": _exponential(every[at]),
            "holds": _constant(hold),
        }
        for at, (hold, _) in enumerate(ticks)
    ]  # fmt: skip
    wait_ns = theory.mean_wait(ticks, 1 / rate) / TICKS
    return Case(
        "the HGEI lock of a HART; takers come from other HARTs as a Poisson process, turn "
        "interrupts off, wait for their turn, and hold the lock; holds are what is listed, and "
        "taking and releasing the lock takes no time",
        _idle(len(holds) * each + 1, until_ns, {}) | {"lock_load": loads},
        (
            Quantity("mean wait", "ns", wait_ns, "Pollaczek-Khinchine"),
            Quantity("no wait", "share", 1 - load, "Poisson takers see averages"),
            Quantity("time held", "share", load, "rate x mean hold"),
        ),
        observe.open_lock,
        round(SETTLED * until_ns),
    )


def _harts_for(load: float) -> int:
    """So many HARTs that hardly ever all have a taker: with equal holds n takers are there about
    exp(-2 n (1 - load) / load) of the time."""
    return max(16, round(12 * load / (1 - load)))


def repairman(harts: int, think: float, hold: float) -> Case:
    """A thread on each HART that thinks, and takes the HGEI lock (machine repair); times in ns."""
    _whole("repairman", "harts", harts, 1, 511)
    _number("repairman", "think", think, 1, 1e9)
    _number("repairman", "hold", hold, 1, 1e9)
    think_ticks, hold_ticks = round(think * TICKS), round(hold * TICKS)
    found = theory.machine_repair(harts, think_ticks, hold_ticks)
    until_ns = round(TAKERS / found.rate)
    source = "machine repair, product form"
    sleep_ticks = think_ticks - 1  # thinking ends with a context switch of 1
    return Case(
        f"{harts} HARTs with a thread each, which sleeps, takes the HGEI lock of another HART with "
        "interrupts off, and holds it; both times are exponential, and taking and releasing the "
        "lock takes no time",
        _closed(harts, until_ns, _exponential(sleep_ticks), _exponential(hold_ticks), {}),
        (
            Quantity("holds", "1/us", found.rate * TICKS * 1000, source),
            Quantity("mean response", "ns", found.response / TICKS, source),
            Quantity("at the lock", "threads", found.inside, source),
        ),
        observe.closed_lock,
        round(SETTLED * until_ns + harts * hold_ticks),
    )


def ticket(harts: int, hold: float, hand_over: float) -> Case:
    """A thread on each HART that always asks for the HGEI lock: a fair lock takes turns; times in
    ns."""
    _whole("ticket", "harts", harts, 2, 511)
    _number("ticket", "hold", hold, 1, 1e9)
    _number("ticket", "hand_over", hand_over, 0, 1e9)
    hold_ticks, over_ticks = round(hold * TICKS), round(hand_over * TICKS)
    period, away = theory.round_robin(harts, hold_ticks, over_ticks)
    cost = {"raw_spin_lock": f"{over_ticks}ns"}
    return Case(
        f"{harts} HARTs with a thread each, which takes the HGEI lock of another HART again 2 ps "
        "after it has given it back; taking the lock costs the hand-over, whoever waited",
        _closed(harts, round((ROUNDS + 2) * period), _constant(1), _constant(hold_ticks), cost),
        (
            Quantity("period, shortest", "ns", period / TICKS, "round robin"),
            Quantity("period, longest", "ns", period / TICKS, "round robin"),
            Quantity("wait, shortest", "ns", away / TICKS, "round robin"),
            Quantity("wait, longest", "ns", away / TICKS, "round robin"),
            Quantity("turns apart", "turns", 0.0, "round robin"),
        ),
        observe.turns,
        round(2 * period),
        alike=True,
    )


def _closed(
    harts: int, until_ns: int, every: Document, holds: Document, cost: Document
) -> Document:
    loads = [
        {"name": f"taker-{hart}", "hart": hart, "lines_of": harts, "every": every, "holds": holds}
        for hart in range(harts)
    ]
    return _idle(harts + 1, until_ns, cost) | {"lock_load": loads}


def hotplug(online: str, offline: str) -> Case:
    """A HART that is online for exponential times and offline for a fixed one (renewal)."""
    on_ns, off_ns = _time("hotplug", "online", online), _time("hotplug", "offline", offline)
    share = theory.availability(on_ns, off_ns)
    until_ns = CYCLES * (on_ns + off_ns)
    return Case(
        "a HART goes offline after an exponential time and comes online again after a fixed one, "
        "while another stays, through cpu_down and cpu_up, whose steps take no time",
        _document([{"count": 2, "guest_files": 1}], until_ns, {})
        | {
            "vm": [_nobody()],
            "random_hotplug": {
                "every": _exponential(on_ns), "offline_for": _constant(off_ns), "harts": [1],
            },
        },
        (
            Quantity("availability", "share", share, "renewal-reward"),
            Quantity("time offline", "share", 1 - share, "renewal-reward"),
        ),
        observe.online,
        round(SETTLED * until_ns),
    )  # fmt: skip


def stretch(run: str, every: str, steals: str) -> Case:
    """A guest whose work is stretched by the interrupts of its HART (delay cycle)."""
    run_ns, every_ns = _time("stretch", "run", run), _time("stretch", "every", every)
    steals_ns = _time("stretch", "steals", steals)
    if steals_ns > every_ns * LOAD_MAX:
        raise wrong(("stretch", "steals"), steals, f"must be less than nine tenths of {every}")
    mean_ns = theory.stretched(run_ns, every_ns, steals_ns)
    until_ns = round(STRETCHES * mean_ns)
    worker = {
        "name": "worker", "vcpus": 1, "harts": [0], "run": _exponential(run_ns),
        "replies": _constant(1),
    }  # fmt: skip
    sink = {
        "name": "sink", "vcpus": 1, "mode": "emul", "harts": [1], "run": _constant(1), "msi": NEVER,
    }  # fmt: skip
    device = {"name": "nic", "vm": "sink", "hart": 0, "every": _exponential(every_ns)}
    cost = {"interrupt_entry": f"{steals_ns}ns"}
    source = "delay cycle of M/G/1"
    return Case(
        "a guest works for exponential times on its HART, which a device of another VM interrupts "
        "as a Poisson process; a stretch is from entry to WFI, and each interrupt adds its handler",
        _document([{"count": 2, "guest_files": 2}], until_ns, cost)
        | {"vm": [worker, sink], "device": [device]},
        (
            Quantity("mean stretch", "ns", mean_ns, source),
            Quantity("in interrupts", "ns", mean_ns - run_ns, source),
        ),
        observe.stretches,
        round(SETTLED * until_ns),
    )


CASES: dict[str, Callable[..., Case]] = {
    made.__name__: made for made in (erlang, engset, md1, mg1, repairman, ticket, hotplug, stretch)
}
"""The cases by name; the parameters of each are those of its function."""


def _document(harts: list[Document], until_ns: int, cost: Mapping[str, str]) -> Document:
    timing = dict.fromkeys(Timing.model_fields, "0ns") | {"context_switch": "1ns"}
    return {
        "machine": {"harts": harts},
        "kernel": {"halt_poll_max": "0ns"},
        "run": {"until": f"{until_ns}ns", "seed": 1},
        "timing": {**timing, **cost},
    }


def _idle(harts: int, until_ns: int, cost: Mapping[str, str]) -> Document:
    """A machine on which no VM ever comes."""
    made = _document([{"count": harts, "guest_files": 1}], until_ns, cost)
    return made | {"vm": [_nobody()]}


def _nobody() -> Document:
    arrives = f"{DURATION_NS_MAX}ns"
    return {"name": "nobody", "vcpus": 1, "arrives": arrives, "run": _constant(1), "msi": NEVER}


def _exponential(mean_ns: int) -> Document:
    return {"distribution": "exponential", "mean": f"{mean_ns}ns"}


def _constant(value_ns: int) -> Document:
    return {"distribution": "constant", "value": f"{value_ns}ns"}


def _whole(case: str, name: str, value: int, low: int, high: int) -> None:
    if value % 1 or not low <= value <= high:
        raise wrong((case, name), str(value), f"must be a whole number, {low}..{high}")


def _number(case: str, name: str, value: float, low: float, high: float) -> None:
    if not isfinite(value) or not low <= value <= high:
        raise wrong((case, name), f"{value:g}", f"must be {low:g}..{high:g}")


def _time(case: str, name: str, text: str) -> int:
    """A time from 100 ns to 1 s, in ns."""
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise wrong((case, name), str(text), str(error)) from None
    if not 100 <= found <= 10**9:
        raise wrong((case, name), text, "must be 100ns..1s")
    return found
