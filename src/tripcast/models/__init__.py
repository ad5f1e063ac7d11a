"""Models of daily trips per station, behind one interface; each is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tripcast.models.base import Fitted, Learner, with_parameters

# name -> module of this package, and class
_WHERE = {
    "seasonal_naive": ("naive", "SeasonalNaive"),
    "weekday_mean": ("naive", "WeekdayMean"),
    "arima": ("arima", "Arima"),
    "sarimax": ("arima", "Sarimax"),
    "tabnet_guide": ("tabnet", "TabNetGuide"),
    "tabnet_station": ("tabnet", "TabNetStation"),
    "tabnet": ("tabnet", "TabNet"),
    "lightgbm": ("lightgbm", "LightGBM"),
}


class _Registry(Mapping[str, Learner]):
    """Name -> learner with its usual parameters."""

    def __getitem__(self, name: str) -> Learner:
        if name not in _WHERE:
            raise KeyError(f"there is no model {name!r}; there are {', '.join(_WHERE)}")
        return _made(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_WHERE)

    def __len__(self) -> int:
        return len(_WHERE)


@cache
def _made(name: str) -> Learner:
    module, class_name = _WHERE[name]
    made: Learner = getattr(import_module(f"tripcast.models.{module}"), class_name)()
    return made


LEARNERS: Mapping[str, Learner] = _Registry()


def learner(name: str, **parameters: Any) -> Learner:
    """The learner of that name.

    Args:
        name: key of LEARNERS.
        parameters: in place of its usual ones.

    Raises:
        KeyError: there is none.
        ValueError: it has no such parameter.
    """
    return with_parameters(LEARNERS[name], parameters)


__all__ = ["LEARNERS", "Fitted", "Learner", "learner"]
