"""Latency of networks that take turns, so that a disturbance of the machine meets all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Final

import jax

SECONDS_A_TURN: Final = 0.02
"""Shortest time of a turn. A turn of a fast network makes several calls."""


def latencies(
    networks: Mapping[str, Callable[[jax.Array], Any]], rows: jax.Array, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the time of a call of each network.

    Each network is called once before the first round. It is timed once a round.

    Args:
        networks: Compiled functions of rows by name.
        rows: Stored rows [B, D] of every call.
        rounds: Number of rounds, 1 or more.

    Returns:
        Median, minimum and maximum over rounds of each network, in microseconds a batch.
    """
    times = times_by_round(networks, rows, rounds)
    return {name: {"median": median(of), "min": min(of), "max": max(of)} for name, of in times.items()}


def times_by_round(
    networks: Mapping[str, Callable[[jax.Array], Any]], rows: jax.Array, rounds: int
) -> dict[str, list[float]]:
    """Return the time of a call of each network in each round.

    Args:
        networks: Compiled functions of rows by name.
        rows: Stored rows [B, D] of every call.
        rounds: Number of rounds, 1 or more.

    Returns:
        Microseconds a batch of each round by the name of the network.
    """
    calls = {name: _calls_a_turn(network, rows) for name, network in networks.items()}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds):
        for name, network in networks.items():
            times[name].append(_seconds(network, rows, calls[name]) / calls[name] * 1e6)
    return times


def _calls_a_turn(network: Callable[[jax.Array], Any], rows: jax.Array) -> int:
    """Return how many calls take SECONDS_A_TURN, after a call that warms up."""
    _seconds(network, rows, 1)
    return max(1, round(SECONDS_A_TURN / _seconds(network, rows, 1)))


def _seconds(network: Callable[[jax.Array], Any], rows: jax.Array, calls: int) -> float:
    """Return the seconds of some calls. Each call is waited for."""
    began = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(network(rows))
    return time.perf_counter() - began
