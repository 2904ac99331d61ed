"""Random machines with a load on them, brought to time 0."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.scenario.load import scenario_from

HEALTHY = ("v6.12", "v6.12+percpu-v5")


def lasting(low_us: int, high_us: int) -> st.SearchStrategy[dict[str, str]]:
    """Distributions of times with a mean in this range."""
    mean = st.integers(low_us, high_us)
    return mean.map(lambda us: {"distribution": "exponential", "mean": f"{us}us"})


def vms() -> st.SearchStrategy[list[dict[str, Any]]]:
    vm = st.fixed_dictionaries(
        {
            "vcpus": st.integers(1, 5),
            "mode": st.sampled_from(["auto", "hwaccel"]),
            "arrives": st.integers(0, 800).map(lambda us: f"{us}us"),
            "run": lasting(10, 90),
            "msi": lasting(30, 300),
        },
        optional={"destroyed": st.integers(900, 2500).map(lambda us: f"{us}us")},
    )
    return st.lists(vm, min_size=1, max_size=3).map(
        lambda found: [{"name": f"vm{at}", **each} for at, each in enumerate(found)]
    )


@st.composite
def simulations(draw: st.DrawFn, variants: tuple[str, ...]) -> Simulation:
    """Draw a machine with a load on it, with or without hotplug; not yet run.

    Before percpu-v5 only machines of equal HARTs are healthy, so with v6.12 they are.
    """
    variant = draw(st.sampled_from(variants))
    lines = draw(st.lists(st.integers(0, 5), min_size=2, max_size=4))
    if variant == "v6.12":
        lines = [lines[0]] * len(lines)
    hotplug = draw(st.lists(st.integers(0, len(lines) - 1), max_size=1))
    return simulate(
        scenario_from(
            {
                "machine": {"harts": [{"guest_files": count} for count in lines]},
                "kernel": {"variant": variant, "preemption": "full"},
                "run": {"seed": draw(st.integers(0, 1000))},
                "vcpu": [{"name": f"early{hart}", "hart": hart} for hart in range(len(lines))],
                "vm": draw(vms()),
                "balance": {"every": draw(lasting(10, 200))},
                "hotplug": [{"hart": h, "offline": "400us", "online": "1800us"} for h in hotplug],
            }
        )
    )
