"""Bikes needed at a service level, and the moves between neighbouring stations that bring them there: plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# where the bounds of the 95 % and 80 % intervals and the forecast lie, as shares of the days on which fewer trips come
SHARES = (0.025, 0.1, 0.5, 0.9, 0.975)
NEIGHBOURS = 8
_EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Move:
    """Bikes to bring from one station to another.

    Args:
        origin, target: positions of the stations.
        bikes: at least 1.
        km: between them, as the crow flies.
    """

    origin: int
    target: int
    bikes: int
    km: float


def trips_at_level(level: float, bounds: Floats) -> Floats:
    """The trips that are not exceeded on a share ``level`` of days.

    Between the bounds of the intervals it is interpolated in normal scores. Where a station has no interval, its trips are taken
    to scatter as a Poisson variable of the forecast's mean does.

    Args:
        level: above 0, below 1.
        bounds: (stations, 5): lower 95 %, lower 80 %, forecast, upper 80 %, upper 95 %, in trips; NaN where there is none.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a service level lies between 0 and 1, not {level}")
    normal = NormalDist()
    place = normal.inv_cdf(level)
    scores = np.array([normal.inv_cdf(share) for share in SHARES])
    forecast = bounds[:, 2]
    filled = forecast[:, None] + scores * np.sqrt(np.maximum(forecast, 0.0))[:, None]
    whole = ~np.isnan(bounds).any(axis=1)
    filled[whole] = bounds[whole]
    filled = np.maximum.accumulate(filled, axis=1)
    # the last piece goes on beyond the outer bounds
    piece = int(np.clip(np.searchsorted(scores, place) - 1, 0, len(scores) - 2))
    part = (place - scores[piece]) / (scores[piece + 1] - scores[piece])
    return np.maximum(filled[:, piece] + part * (filled[:, piece + 1] - filled[:, piece]), 0.0)


def bikes_needed(trips: Floats, trips_per_bike: float) -> Integers:
    """Bikes that must stand at a station in the morning for these trips to start there.

    Args:
        trips: that start there.
        trips_per_bike: how many of them one place in the fleet serves: bikes that arrive during the day leave again.

    Raises:
        ValueError: ``trips_per_bike`` is not above 0.
    """
    if trips_per_bike <= 0:
        raise ValueError(f"trips per bike must be above 0, not {trips_per_bike}")
    return np.ceil(np.round(trips / trips_per_bike, 9)).astype(np.int64)


def spread(fleet: int, weights: Floats) -> Integers:
    """Divides a fleet in proportion to weights, by largest remainders: whole bikes that add up to the fleet."""
    weights = np.nan_to_num(np.maximum(weights, 0.0))
    if not len(weights):
        return np.zeros(0, np.int64)
    if weights.sum() <= 0:
        weights = np.ones(len(weights))
    exact = fleet * (weights / weights.sum())
    whole = np.floor(exact).astype(np.int64)
    rest = fleet - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return whole


def kilometres(latitude: Floats, longitude: Floats) -> Floats:
    """Great-circle distances of all pairs; infinite where a place is unknown.

    Args:
        latitude, longitude: (stations,), in degrees.
    """
    north, east = np.radians(latitude), np.radians(longitude)
    places = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
    # half the chord through the earth, whose angle is half of that between the places
    half = np.sqrt(np.clip((1.0 - places @ places.T) / 2, 0.0, 1.0))
    return np.nan_to_num(2 * _EARTH_KM * np.arcsin(half), nan=np.inf)


def moves(stock: Sequence[int], needed: Sequence[int], distances: Floats, within: float) -> list[Move]:
    """The moves that cover as much of the shortage as neighbours can, by the fewest bike-kilometres.

    A station gives only what it does not need itself. Two linear programs over pairs of a station with bikes to spare and one
    that lacks some (a transportation problem, whose corners are whole numbers): the most bikes first, then the shortest way.

    Args:
        stock: bikes at each station.
        needed: bikes that each station needs.
        distances: (stations, stations), kilometres.
        within: only stations this near, in kilometres, and of these the NEIGHBOURS nearest ones that can give.

    Returns:
        largest first.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix, vstack

    spare = np.asarray(stock, np.int64) - np.asarray(needed, np.int64)
    givers, takers = np.flatnonzero(spare > 0), np.flatnonzero(spare < 0)
    pairs = [
        (giver, taker)
        for taker in takers
        for giver in givers[np.argsort(distances[givers, taker], kind="stable")[:NEIGHBOURS]]
        if distances[giver, taker] <= within
    ]
    if not pairs:
        return []
    origins, targets = (np.array(side) for side in zip(*pairs, strict=True))
    count, columns = len(pairs), np.arange(len(pairs))
    rows = [
        coo_matrix((np.ones(count), (side, columns)), shape=(len(spare), count)).tocsr()[places]
        for side, places in ((origins, givers), (targets, takers))
    ]
    limits = vstack(rows).tocsr()
    most = np.concatenate([spare[givers], -spare[takers]])
    reach = linprog(-np.ones(count), A_ub=limits, b_ub=most, method="highs-ds")
    covered = round(-reach.fun)
    kms = distances[origins, targets]
    found = linprog(
        kms, A_ub=limits, b_ub=most, A_eq=np.ones((1, count)), b_eq=[covered], method="highs-ds"
    )  # fmt: skip
    amounts = np.round((found if found.x is not None else reach).x).astype(int)
    made = [
        Move(int(origin), int(target), int(bikes), float(km))
        for origin, target, bikes, km in zip(origins, targets, amounts, kms, strict=True)
        if bikes > 0
    ]
    return sorted(made, key=lambda move: (-move.bikes, move.km, move.origin, move.target))


def after(stock: Sequence[int], made: Sequence[Move]) -> Integers:
    """The bikes at each station after the moves."""
    left = np.array(stock, np.int64)
    for move in made:
        left[move.origin] -= move.bikes
        left[move.target] += move.bikes
    return left


def shortage(stock: Sequence[int] | Integers, needed: Sequence[int] | Integers) -> int:
    """Bikes that are missing, over all stations."""
    return int(np.maximum(np.asarray(needed) - np.asarray(stock), 0).sum())
