"""Conformal intervals: against numpy, and their laws."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake.snowpark import Session

from tripcast.training.intervals import BOUNDS, GAMMA, HALF_LIFE_DAYS, LEVELS, TAILS, _tails, add_intervals

FIRST = date(2020, 1, 1)
H = 20


def windows(count: int, stations: int = 12, seed: int = 0, spread: float = 1.0) -> pd.DataFrame:
    """Forecasts of windows 30 days apart, whose errors are alike in units of sqrt(forecast + 1), and skew."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        cutoff = FIRST + timedelta(days=30 * number)
        for station in range(stations):
            for h in range(1, H + 1):
                forecast = 5.0 + 10 * station
                error = spread * (random.gamma(2.0, 1.0) - 2.0) * np.sqrt(forecast + 1)
                rows.append(
                    (
                        cutoff,
                        "usual",
                        f"S{station}",
                        cutoff + timedelta(days=h),
                        h,
                        forecast,
                        max(forecast + error, 0.0),
                    )
                )
    return pd.DataFrame(rows, columns=["CUTOFF", "WEATHER", "STATION_ID", "DAY", "H", "FORECAST", "ACTUAL"])


def bounded(session: Session, rows: pd.DataFrame) -> pd.DataFrame:
    source = session.write_pandas(
        rows, "WINDOWS", auto_create_table=True, overwrite=True, table_type="temporary", use_logical_type=True
    )
    found = add_intervals(source).to_pandas()
    return found.sort_values(["CUTOFF", "WEATHER", "STATION_ID", "H"]).reset_index(drop=True)


def oracle(rows: pd.DataFrame) -> pd.DataFrame:
    """The same by numpy, one window after the other."""
    rows = rows.sort_values(["CUTOFF", "STATION_ID", "H"]).reset_index(drop=True)
    scale = np.sqrt(rows["FORECAST"] + 1)
    score = ((rows["ACTUAL"] - rows["FORECAST"]) / scale).to_numpy()
    group = np.where(rows["H"] <= 7, 0, np.where(rows["H"] <= 14, 1, 2))
    cutoffs = sorted(set(rows["CUTOFF"]))
    excess = {(level, side): 0.0 for level in LEVELS for side in (0, 1)}
    made = {bound: np.full(len(rows), np.nan) for bound in BOUNDS}
    for number, cutoff in enumerate(cutoffs):
        seen = (rows["DAY"] <= cutoff).to_numpy()
        if not seen.any():
            continue
        age = np.array([(cutoff - one).days for one in rows["CUTOFF"]])
        weight = 0.5 ** (age / HALF_LIFE_DAYS)
        shares = 0.5 ** (np.arange(1, number + 1) * 30 / HALF_LIFE_DAYS)
        size = shares.sum() ** 2 / (shares**2).sum()
        now = (rows["CUTOFF"] == cutoff).to_numpy()
        inner = {0: rows["FORECAST"].to_numpy(), 1: rows["FORECAST"].to_numpy()}
        for level, tail in LEVELS.items():
            for side in (0, 1):
                wanted = tail * size / (size + 1) - np.clip(GAMMA * excess[level, side], -tail, 0.8 * tail)
                chosen = TAILS[int(np.argmin(np.abs(np.array(TAILS) - wanted)))]
                missed = []
                for one in (0, 1, 2):
                    own = seen & (group == one)
                    sign = 1 if side == 0 else -1
                    order = np.argsort(sign * score[own], kind="stable")
                    total = weight[own].sum() + weight[own].max()
                    inside = np.cumsum(weight[own][order]) / total <= chosen
                    values = score[own][order]
                    quantile = values[inside][-1] if inside.any() else values[0]
                    target = now & (group == one)
                    missed += (sign * score[target] < sign * quantile).tolist()
                    bound = rows["FORECAST"][target] + quantile * scale[target]
                    hold = np.minimum if side == 0 else np.maximum
                    held = np.maximum(hold(bound, inner[side][target]), 0)
                    made[f"{('LOW', 'HIGH')[side]}_{level}"][target] = held
                excess[level, side] += np.mean(missed) - tail
                inner[side] = np.where(now, made[f"{('LOW', 'HIGH')[side]}_{level}"], inner[side])
    return rows.assign(**made)


def test_bounds_are_those_of_numpy(shared_session: Session) -> None:
    rows = windows(6, stations=3)
    got, wanted = bounded(shared_session, rows), oracle(rows)
    assert got.loc[got["CUTOFF"] == FIRST, list(BOUNDS)].isna().all(axis=None)
    for bound in BOUNDS:
        assert got[bound].to_numpy() == pytest.approx(wanted[bound].to_numpy(), nan_ok=True, rel=1e-9), bound


def test_coverage_holds_for_errors_that_stay_alike_and_where_they_grow(shared_session: Session) -> None:
    calm = windows(16)
    wild = windows(16, seed=1, spread=2.0)
    wild = wild[wild["CUTOFF"] >= FIRST + timedelta(days=240)].assign(WEATHER="actual")
    grown = pd.concat([calm[calm["CUTOFF"] < FIRST + timedelta(days=240)].assign(WEATHER="actual"), wild])
    got = bounded(shared_session, pd.concat([calm, grown])).dropna(subset=["LOW_80"])
    for level in LEVELS:
        inside = got["ACTUAL"].between(got[f"LOW_{level}"], got[f"HIGH_{level}"])
        calm_share = inside[(got["WEATHER"] == "usual") & (got["CUTOFF"] > FIRST + timedelta(days=60))].mean()
        assert calm_share == pytest.approx(level / 100, abs=0.03)
        late = inside[(got["WEATHER"] == "actual") & (got["CUTOFF"] > FIRST + timedelta(days=330))].mean()
        assert late == pytest.approx(level / 100, abs=0.05)
    ordered = got[["LOW_95", "LOW_80", "FORECAST", "HIGH_80", "HIGH_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all() and (ordered >= 0).all()
    # skew errors: the upper side is the longer one
    assert (got["HIGH_80"] - got["FORECAST"]).mean() > 1.2 * (got["FORECAST"] - got["LOW_80"]).mean()


def test_bounds_know_nothing_of_days_after_the_cutoff(shared_session: Session) -> None:
    rows = windows(4, stations=3)
    last = rows["CUTOFF"].max()
    changed = rows.assign(ACTUAL=np.where([one > last for one in rows["DAY"]], rows["ACTUAL"] * 9, rows["ACTUAL"]))
    unknown = rows.assign(ACTUAL=np.where([one > last for one in rows["DAY"]], np.nan, rows["ACTUAL"]))
    first = bounded(shared_session, rows)[list(BOUNDS)]
    pd.testing.assert_frame_equal(bounded(shared_session, changed)[list(BOUNDS)], first)
    pd.testing.assert_frame_equal(bounded(shared_session, unknown)[list(BOUNDS)], first)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12))
def test_a_tail_widens_after_misses_and_narrows_without(shares: list[tuple[float, float]]) -> None:
    cutoffs = [FIRST + timedelta(days=30 * number) for number in range(len(shares))]
    known = {(cutoff, "usual"): cutoff + timedelta(days=30) for cutoff in cutoffs}
    misses = {
        (cutoff, "usual"): ([low] * len(TAILS), [high] * len(TAILS))
        for cutoff, (low, high) in zip(cutoffs, shares, strict=True)
    }
    tails = _tails(known, misses)
    calm = _tails(known, {key: ([0.1] * len(TAILS), [0.1] * len(TAILS)) for key in misses})
    last = (cutoffs[-1], "usual")
    for side in (0, 1):
        before = sum(share[side] - LEVELS[80] for share in shares[:-1])
        assert (
            (tails[last][80, side] <= calm[last][80, side])
            if before >= 0
            else (tails[last][80, side] >= calm[last][80, side])
        )
        assert TAILS[tails[last][95, side]] <= 2 * LEVELS[95]
