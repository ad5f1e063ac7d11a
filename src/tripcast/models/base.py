"""What every model offers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from snowflake.snowpark import DataFrame


class Model(Protocol):
    """A model of daily trips per station.

    Args:
        name: under which its forecasts and figures are stored.
    """

    name: str

    def forecast(self, station_days: DataFrame, cutoffs: Sequence[date], h: int) -> DataFrame:
        """Forecasts from each cutoff, from nothing but the days up to that cutoff.

        Args:
            station_days: STATION_ID, DAY, TRIPS; may go on beyond a cutoff.
            cutoffs: last days that the model may see.
            h: days to forecast after each cutoff.

        Returns:
            CUTOFF, STATION_ID, DAY, H (1 to ``h``), FORECAST, FALLBACK (text, NULL where the model itself spoke), for each
            station open at the cutoff; nothing is computed before the frame is.
        """
        ...
