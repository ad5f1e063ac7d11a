"""Bikes needed and moves: laws, and all possible moves of tiny cases as an oracle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tripcast.app import plan

bikes = st.integers(0, 30)


@st.composite
def cities(draw: st.DrawFn, most: int = 30, stations: int = 8) -> tuple[list[int], list[int], np.ndarray, float]:
    count = draw(st.integers(1, stations))
    amounts = st.lists(st.integers(0, most), min_size=count, max_size=count)
    degrees = st.lists(st.integers(-50, 50).map(lambda n: n / 1000), min_size=count, max_size=count)
    distances = plan.kilometres(np.array(draw(degrees)) + 40.7, np.array(draw(degrees)) - 74)
    return draw(amounts), draw(amounts), distances, draw(st.sampled_from([0.5, 2.0, 20.0]))


@settings(max_examples=60, deadline=None)
@given(cities())
def test_moves_take_only_what_a_station_can_spare_and_shortage_never_grows(
    city: tuple[list[int], list[int], np.ndarray, float],
) -> None:
    stock, needed, distances, within = city
    moves = plan.moves(stock, needed, distances, within)
    left = plan.after(stock, moves)
    for place, (had, wants, has) in enumerate(zip(stock, needed, left, strict=True)):
        given_away = sum(move.bikes for move in moves if move.origin == place)
        taken = sum(move.bikes for move in moves if move.target == place)
        assert given_away <= max(had - wants, 0)
        assert taken <= max(wants - had, 0)
        assert has >= 0
    assert left.sum() == sum(stock)
    moved = sum(move.bikes for move in moves)
    assert plan.shortage(left, needed) == plan.shortage(stock, needed) - moved
    assert all(move.bikes > 0 and move.km <= within for move in moves)


def best(stock: Sequence[int], needed: Sequence[int], distances: np.ndarray, within: float) -> tuple[int, float]:
    """Most bikes that can be moved, and the fewest bike-kilometres for that, by trying everything."""
    spare = np.array(stock) - np.array(needed)
    pairs = [(a, b) for a, b in itertools.product(range(len(spare)), repeat=2)
             if spare[a] > 0 > spare[b] and distances[a, b] <= within]  # fmt: skip
    found = (0, 0.0)
    for amounts in itertools.product(*(range(min(spare[a], -spare[b]) + 1) for a, b in pairs)):
        left = spare.copy()
        for (a, b), amount in zip(pairs, amounts, strict=True):
            left[a] -= amount
            left[b] += amount
        if (left[spare > 0] >= 0).all() and (left[spare < 0] <= 0).all():
            cost = sum(amount * distances[pair] for pair, amount in zip(pairs, amounts, strict=True))
            found = max(found, (sum(amounts), -cost))
    return found[0], -found[1]


@settings(max_examples=60, deadline=None)
@given(cities(most=3, stations=4))
def test_moves_cover_the_most_by_the_shortest_way(city: tuple[list[int], list[int], np.ndarray, float]) -> None:
    stock, needed, distances, within = city
    moves = plan.moves(stock, needed, distances, within)
    count, cost = best(stock, needed, distances, within)
    assert sum(move.bikes for move in moves) == count
    assert sum(move.bikes * move.km for move in moves) == pytest.approx(cost, abs=1e-6)


def test_a_station_without_a_place_is_left_alone() -> None:
    distances = plan.kilometres(np.array([40.7, np.nan]), np.array([-74.0, -74.0]))
    assert plan.moves([5, 0], [0, 5], distances, 100.0) == []


def test_distance_of_one_degree() -> None:
    assert plan.kilometres(np.array([40.0, 41.0]), np.array([-74.0, -74.0]))[0, 1] == pytest.approx(111.19, abs=0.01)


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=5, max_size=5).map(sorted), st.floats(0.01, 0.98), st.floats(0.001, 0.01))
def test_a_higher_level_needs_no_fewer_trips(bounds: list[float], level: float, more: float) -> None:
    row = np.array([bounds])
    assert plan.trips_at_level(level + more, row)[0] >= plan.trips_at_level(level, row)[0] - 1e-9


def test_levels_of_the_intervals_are_their_bounds() -> None:
    row = np.array([[2.0, 4.0, 10.0, 17.0, 25.0]])
    for share, trips in zip(plan.SHARES, row[0], strict=True):
        assert plan.trips_at_level(share, row)[0] == pytest.approx(trips)


def test_without_an_interval_trips_scatter_as_poisson_does() -> None:
    row = np.array([[np.nan, np.nan, 16.0, np.nan, np.nan]])
    assert plan.trips_at_level(0.5, row)[0] == 16
    assert plan.trips_at_level(0.9, row)[0] == pytest.approx(16 + 1.2816 * 4, abs=0.01)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan.trips_at_level(level, np.ones((1, 5)))


def test_bikes_are_whole_and_enough() -> None:
    assert plan.bikes_needed(np.array([0.0, 3.0, 3.1, 30.0]), 3.0).tolist() == [0, 1, 2, 10]
    with pytest.raises(ValueError, match="above 0"):
        plan.bikes_needed(np.ones(1), 0)


@given(st.integers(0, 1000), st.lists(st.floats(0, 50), max_size=20))
def test_a_fleet_is_spread_to_the_last_bike(fleet: int, weights: list[float]) -> None:
    made = plan.spread(fleet, np.array(weights))
    assert (made >= 0).all()
    assert made.sum() == (fleet if weights else 0)
