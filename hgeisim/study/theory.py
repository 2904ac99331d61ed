"""Exact results of queueing theory, for the simulator to be measured against.

Rates and times are in any unit, as long as it is the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LARGE = 1e100
"""Weights are divided before they are beyond what a float can hold."""


def erlang_b(lines: int, offered: float) -> float:
    """The share of requests that find all lines taken, and are lost (Erlang B).

    `offered` is the load in Erlang: mean hold over mean time between requests.  Requests are
    Poisson; only the mean of holds matters.  Source: A. K. Erlang (1917), by the recursion
    B(n) = a B(n-1) / (n + a B(n-1)).
    """
    blocked = 1.0
    for n in range(1, lines + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


class Engset(NamedTuple):
    """Shares of time and of requests with all lines taken, and the mean number of lines taken."""

    all_taken: float
    blocked: float
    taken: float


def engset(sources: int, lines: int, alpha: float) -> Engset:
    """Some sources; each asks for a line after a while, and again some time after the end.

    `alpha` is mean hold over mean time between the end of a hold, or a refusal, and the next
    request.  Source: T. Engset (1918); P(n) goes as C(sources, n) alpha**n for n <= lines, and a
    request sees the state without its own source.
    """
    seen = _engset_states(sources - 1, lines, alpha)
    states = _engset_states(sources, lines, alpha)
    blocked = seen[lines] if lines < len(seen) else 0.0
    all_taken = states[lines] if lines < len(states) else 0.0
    return Engset(all_taken, blocked, sum(n * p for n, p in enumerate(states)))


def _engset_states(sources: int, lines: int, alpha: float) -> list[float]:
    """The probability of each number of taken lines."""
    upto = min(sources, lines)
    return _shares([(sources - n) / (n + 1) * alpha for n in range(upto)])


def _shares(ratios: Sequence[float]) -> list[float]:
    """Probabilities from the ratio of each to the one before it."""
    weights = [1.0]
    for ratio in ratios:
        weights.append(weights[-1] * ratio)
        if weights[-1] > LARGE:
            weights = [weight / weights[-1] for weight in weights]
    return [weight / sum(weights) for weight in weights]


def mean_wait(holds: Sequence[tuple[float, float]], interarrival: float) -> float:
    """The mean wait for a lock with Poisson takers, first come first served (M/G/1).

    `holds` are times with their shares, which add up to 1.  The lock is in use for a share rho of
    the time, and is free for a share 1 - rho of the takers.  Source: the formula of Pollaczek and
    Khinchine, W = E[S**2] / (2 (1 - rho) interarrival).
    """
    square = sum(share * hold**2 for hold, share in holds)
    return square / (2 * (interarrival - mean_hold(holds)))


def mean_hold(holds: Sequence[tuple[float, float]]) -> float:
    """The mean of holds with their shares."""
    return sum(share * hold for hold, share in holds)


class Repair(NamedTuple):
    """Holds per unit of time, mean time from asking to giving the lock back, mean number of
    threads between the two."""

    rate: float
    response: float
    inside: float


def machine_repair(threads: int, think: float, hold: float) -> Repair:
    """Some threads that share a lock; each thinks, waits for the lock, and holds it.

    Thinking and holding are exponential.  Source: the machine-repair model in product form (Palm,
    1947), P(n) goes as threads! / (threads - n)! (hold / think)**n; the response by Little's law.
    """
    states = _shares([(threads - n) * hold / think for n in range(threads)])
    rate = (1 - states[0]) / hold
    inside = sum(n * p for n, p in enumerate(states))
    return Repair(rate, inside / rate, inside)


def round_robin(threads: int, hold: float, hand_over: float) -> tuple[float, float]:
    """The time from one turn of a thread to its next one, and how long of it is without the lock,
    where all threads always ask for a fair lock."""
    period = threads * (hold + hand_over)
    return period, period - hold


def availability(online: float, offline: float) -> float:
    """The share of time that something is there which is there and away in turn.

    Only the means matter.  Source: the renewal-reward theorem.
    """
    return online / (online + offline)


def stretched(work: float, every: float, steals: float) -> float:
    """The mean time that work takes while interrupts arrive as a Poisson process and steal time.

    Interrupts arrive while others are served, too, so a stretch grows by 1 / (1 - steals / every):
    the delay cycle of M/G/1 (Conway, Maxwell and Miller, 1967).
    """
    return work / (1 - steals / every)
