"""What the notebooks import for exploration: TabNet of one series, and pictures that refuse what they cannot show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tripcast.exploration_plots import plot_against_actuals, plot_autocorrelation, plot_daily_trips, plot_importance


def weekly(days: int) -> pd.DataFrame:
    """DATE, COUNT with a course over the week, and features as ``generate_features`` makes them."""
    dates = pd.date_range("2020-01-01", periods=days)
    random = np.random.default_rng(3)
    count = random.poisson(np.array([40, 42, 41, 40, 36, 14, 12])[dates.dayofweek])
    frame = pd.DataFrame({"DATE": dates, "COUNT": count})
    return frame.assign(LAG_1=frame["COUNT"].shift(1), LAG_7=frame["COUNT"].shift(7), HOLIDAY=0, TEMP=0.0).iloc[7:]


def test_tabnet_of_one_series_learns_its_week() -> None:
    pytest.importorskip("torch", reason="TabNet needs PyTorch")
    from tripcast.models.tabnet.one import train_predict

    given = weekly(420)
    before = given.copy()
    df, model, features = train_predict(given, held_out=60, max_epochs=40)
    pd.testing.assert_frame_equal(given, before)
    assert features == ["LAG_1", "LAG_7", "HOLIDAY", "TEMP"] and list(df) == [*given, "PRED"]
    held = df.iloc[-60:]
    error = (held["PRED"] - held["COUNT"]).abs().mean()
    assert error < 0.5 * (given["COUNT"].iloc[:-60].mean() - held["COUNT"]).abs().mean()
    assert model.importances is not None and model.importances.shape == (1, 4)
    assert model.importances.sum() == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ValueError, match="100 days less 60 held out are 40: batch_size 128"):
        train_predict(given.iloc[:100], held_out=60)


def test_pictures(tmp_path: Path) -> None:
    df = weekly(200)
    gaps = df[df["DATE"].dt.dayofweek != 6]  # days that are missing count as 0
    forecast = {"model": pd.DataFrame({"DATE": df["DATE"], "FORECAST": 30.0, "LOW_80": 20, "HIGH_80": 40})}
    made = [
        plot_daily_trips(gaps, tmp_path / "new" / "daily.png", "Daily"),
        plot_autocorrelation(gaps, tmp_path / "acf.png", "Station"),
        plot_against_actuals(df, forecast, tmp_path / "actuals.png", "Station", "2020-06-01"),
        plot_importance({"LAG_7": 0.75, "TEMP": 0.25}, tmp_path / "importance.png", "Station"),
    ]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in made)
    with pytest.raises(ValueError, match="50 days are too few for 42 lags: at most 24"):
        plot_autocorrelation(df.iloc[:50], tmp_path / "short.png", "Station")
