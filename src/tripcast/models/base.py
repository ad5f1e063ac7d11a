"""What every model offers. Learners run inside the warehouse: pandas in, pandas out, no Snowpark."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import pandas as pd

Scope = Literal["station", "all"]

WEATHER = ("TEMP", "TEMP_MIN", "TEMP_MAX", "PRECIPITATION", "SNOWFALL", "SNOW_DEPTH", "WIND")
ANSWER = ("STATION_ID", "DAY", "H", "FORECAST", "FALLBACK", "EXPLANATION")


class Fitted(Protocol):
    """A learner after it has seen the days up to a cutoff."""

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """Forecasts the rows of ``future``.

        Args:
            known: as for ``Learner.fit``, up to the day before the first of ``future``; may go on beyond the days that
                were fitted on.
            future: STATION_ID, DAY, H (1, 2, ...) and those of the learner's columns that describe a day; sorted by
                STATION_ID, H. Weather is NaN where it is unknown; ``future.attrs["weather"]`` is 'actual' or 'usual'.
            explain: whether EXPLANATION is asked for.

        Returns:
            the columns ANSWER in the order of ``future``: FORECAST in trips, at least 0; FALLBACK text where the model
            itself did not speak, else None; EXPLANATION dict name -> trips that it adds or takes, or None.
        """
        ...

    def dump(self) -> bytes:
        """What ``Learner.load`` makes the same fitted model from."""
        ...


class Learner(Protocol):
    """A way to forecast trips of many stations. Implementations are frozen dataclasses; their fields are its parameters.

    Args:
        name: under which its forecasts and figures are stored.
        scope: 'station': each station on its own, so they may be spread over processes; 'all': one model of them all.
        packages: names in Snowflake's channel, of what it imports.
        columns: of FEATURES and DAYS that it reads, beside STATION_ID, DAY and TRIPS.
        history: days up to the cutoff that it reads; None for all.
    """

    name: ClassVar[str]
    scope: ClassVar[Scope]
    packages: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[str, ...]]
    history: ClassVar[int | None]

    def fit(self, known: pd.DataFrame, seed: int) -> Fitted:
        """Learns from the days up to a cutoff.

        Args:
            known: STATION_ID (str), DAY (datetime64), TRIPS and ``columns`` (float32; texts as str), a row for each day of
                each station, sorted by STATION_ID, DAY.
            seed: of whatever is random.
        """
        ...

    def load(self, payload: bytes) -> Fitted:
        """A fitted model from what its ``dump`` wrote."""
        ...


_L = TypeVar("_L", bound=Learner)


def parameters_of(learner: Learner) -> dict[str, Any]:
    """A learner's parameters, as JSON has them."""
    return asdict(learner)  # type: ignore[call-overload, no-any-return]


def with_parameters(learner: _L, parameters: dict[str, Any]) -> _L:
    """The same learner with other parameters.

    Raises:
        ValueError: it has no such parameter.
    """
    unknown = set(parameters) - set(parameters_of(learner))
    if unknown:
        known = ", ".join(sorted(parameters_of(learner))) or "none"
        raise ValueError(f"{learner.name} has no parameter {', '.join(sorted(unknown))}; it has {known}")
    made = {key: tuple(value) if isinstance(value, list) else value for key, value in parameters.items()}
    return replace(learner, **made)  # type: ignore[type-var]
