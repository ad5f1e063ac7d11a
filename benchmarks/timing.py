"""Two ways of doing the same, timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(ours: Callable[[], float], peer: Callable[[], float], runs: int) -> tuple[list[float], list[float]]:
    """Times of both, one after the other and each first as often as second: whatever else the machine does hits both.

    Args:
        ours, peer: run once and answer their time.
        runs: of each.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(runs):
        both = ((ours, times[0]), (peer, times[1]))
        for work, taken in both if run % 2 == 0 else reversed(both):
            taken.append(work())
    return times


def median(times: list[float]) -> float:
    return statistics.median(times)
