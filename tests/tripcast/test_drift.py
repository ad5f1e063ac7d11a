"""The drift chart: what it computes, and how often it is wrong."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake.snowpark import Session

from tripcast.monitoring.drift import ALLOWANCE, FALL, MIN_REFERENCE_DAYS, RISE, THRESHOLD, watch

Floats = npt.NDArray[np.float64]
DAYS = 30
NEW = date(2020, 3, 1)
FORECAST = 1000.0


def residuals(errors: Floats, carry: Floats) -> Floats:
    """Errors (runs x ... x days) without what carries over from the day before."""
    share = carry.reshape(carry.shape + (1,) * (errors.ndim - 1))
    first = errors[..., :1] * np.sqrt(1 - share**2)
    return np.concatenate([first, errors[..., 1:] - share * errors[..., :-1]], axis=-1)


def charts(reference: Floats, new: Floats) -> Floats:
    """The oracle, by loops over days, for many runs at once.

    Args:
        reference: errors, runs x windows x days.
        new: errors, runs x days.

    Returns:
        sums of rises and falls: 2 x runs x days.
    """
    runs = len(reference)
    level = reference.mean(axis=(1, 2))
    known, errors = reference - level[:, None, None], new - level[:, None]
    pairs = zip(known[:, :, 1:].reshape(runs, -1), known[:, :, :-1].reshape(runs, -1), strict=True)
    carry = np.clip([np.corrcoef(now, before)[0, 1] for now, before in pairs], 0, 0.9)
    ordered = np.sort(residuals(known, carry).reshape(runs, -1), axis=1)
    fresh = residuals(errors, carry)
    below = np.array([np.searchsorted(ordered[i], fresh[i], side="left") for i in range(runs)])
    share = (below + 0.5) / (ordered.shape[1] + 1)
    scores = np.log(share / (1 - share)) * np.sqrt(3) / np.pi
    sums = np.zeros((2, runs, new.shape[1]))
    up, down = np.zeros(runs), np.zeros(runs)
    for day in range(new.shape[1]):
        up = np.maximum(0, up + scores[:, day] - ALLOWANCE)
        down = np.maximum(0, down - scores[:, day] - ALLOWANCE)
        sums[:, :, day] = up, down
    return sums


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], carry: float, heavy: bool) -> Floats:
    """Unit-variance errors along the last axis, each window on its own."""
    shocks = rng.standard_t(3, shape) / np.sqrt(3) if heavy else rng.standard_normal(shape)
    errors = np.empty(shape)
    errors[..., 0] = shocks[..., 0]
    for day in range(1, shape[-1]):
        errors[..., day] = carry * errors[..., day - 1] + np.sqrt(1 - carry**2) * shocks[..., day]
    return errors


# --- how often it is wrong, by simulation -----------------------------------------------------------------------------


@pytest.mark.parametrize(("windows", "allowed"), [(6, 0.010), (3, 0.025)])
@pytest.mark.parametrize(("carry", "heavy"), [(0.0, False), (0.5, False), (0.7, False), (0.5, True)])
def test_false_alarms_are_as_rare_as_stated(windows: int, allowed: float, carry: float, heavy: bool) -> None:
    rng = np.random.default_rng(5)
    runs = 5_000
    reference = autoregressive(rng, (runs, windows, DAYS), carry, heavy)
    highest = charts(reference, autoregressive(rng, (runs, DAYS), carry, heavy)).max(axis=(0, 2))
    share = (highest > THRESHOLD).mean()
    assert share < allowed + 2 * np.sqrt(allowed / runs)


@pytest.mark.parametrize(("deviation", "carry"), [(0.25, 0.0), (0.2, 0.4)])
@pytest.mark.parametrize("begins", [0, 10])
def test_a_fall_by_half_is_raised_within_a_week(deviation: float, carry: float, begins: int) -> None:
    rng = np.random.default_rng(6)
    runs = 2_000
    reference = deviation * autoregressive(rng, (runs, 6, DAYS), carry, False)
    ratio = np.exp(deviation * autoregressive(rng, (runs, DAYS), carry, False))
    ratio[:, begins:] *= 0.5
    falls = charts(reference, 2 * (ratio - 1) / (ratio + 1))[1]
    assert (falls[:, begins : begins + 7].max(axis=1) > THRESHOLD).mean() > 0.9


# --- what the warehouse computes --------------------------------------------------------------------------------------


def rows_of(errors: Floats, first: date, cutoff: date) -> list[tuple[date, str, date, float, float]]:
    """Two stations whose trips together have these errors: CUTOFF, STATION_ID, DAY, FORECAST, ACTUAL."""
    rows = []
    for number, error in enumerate(errors):
        came = float(FORECAST * (2 + error) / (2 - error))
        day = first + timedelta(days=number)
        rows += [(cutoff, "A", day, 400.0, came * 0.75), (cutoff, "B", day, 600.0, came * 0.25)]
    return rows


def watched(session: Session, reference: Floats, new: Floats) -> list[dict[str, object]]:
    schema = ["CUTOFF", "STATION_ID", "DAY", "FORECAST", "ACTUAL"]
    known = []
    for number, window in enumerate(reference):
        first = NEW - timedelta(days=DAYS * (len(reference) - number))
        known += rows_of(window, first, first - timedelta(days=1))
    chart = watch(
        session.create_dataframe(known, schema=schema),
        session.create_dataframe(rows_of(new, NEW, NEW - timedelta(days=1)), schema=schema),
    )
    return [row.as_dict() for row in chart.sort("DAY").collect()]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), carry=st.sampled_from([0.0, 0.6]), shift=st.sampled_from([-0.5, 0.0, 0.4]))
def test_the_warehouse_computes_the_chart(shared_session: Session, seed: int, carry: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    reference = np.clip(0.25 * autoregressive(rng, (4, DAYS), carry, False) + 0.1, -1.5, 1.5)
    new = np.clip(0.25 * autoregressive(rng, (DAYS,), carry, False) + shift, -1.5, 1.5)
    rows = watched(shared_session, reference, new)
    up, down = charts(reference[None], new[None])[:, 0]
    assert [row["STATISTIC"] for row in rows] == pytest.approx(np.maximum(up, down), abs=1e-6)
    assert [row["ALARM"] for row in rows] == list(np.maximum(up, down) > THRESHOLD)
    told = [(row["DIRECTION"], float(up[i]), float(down[i])) for i, row in enumerate(rows) if row["STATISTIC"] > 1e-6]
    assert all(name == (RISE if more > less else FALL) for name, more, less in told)
    assert [row["ACTUAL"] for row in rows] == pytest.approx(FORECAST * (2 + new) / (2 - new))


def test_without_reference_nothing_is_raised(shared_session: Session) -> None:
    window = np.full((1, MIN_REFERENCE_DAYS - 1), 0.01)
    rows = watched(shared_session, window, np.full(DAYS, -1.0))
    assert {(row["STATISTIC"], row["ALARM"], row["DIRECTION"]) for row in rows} == {(None, False, None)}


def test_a_day_without_any_trip_is_no_alarm_by_itself(shared_session: Session) -> None:
    rng = np.random.default_rng(1)
    new = 0.1 * rng.standard_normal(DAYS)
    new[4] = -1.999
    rows = watched(shared_session, 0.1 * rng.standard_normal((6, DAYS)), new)
    assert not any(row["ALARM"] for row in rows)
