"""Levels of all riders, and of members and casual riders apart: a forecast is the mean of both views.

Casual riders answer to weekend and weather otherwise than members, and their share moves: with both counted as one, a spring in
which the members stay at home looks like other weather.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tripcast.models.lightgbm_explained import logarithmic_mean
from tripcast.models.lightgbm_levels import LEVEL, Design, Levels, levels_of
from tripcast.models.lightgbm_panel import Days, Floats, Ints, Panel

# a kind with a smaller part of the trips has no levels of its own
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class RiderLevels:
    """Levels of the same days and stations.

    Args:
        all: of all trips.
        kinds: of the trips of each kind of rider, which add up to all; none if the kinds are not known.
    """

    all: Levels
    kinds: tuple[Levels, ...]

    def designs(self, days: Days) -> tuple[Design, Design]:
        """Regressors of other days: the same for each kind, as they depend on days only."""
        return self.all.designs(days)

    def forecast(self, designs: tuple[Design, Design], station: Ints, origin: Ints, day: Ints) -> Floats:
        """See ``Levels.forecast``."""
        found = self.all.forecast(designs, station, origin, day)
        if not self.kinds:
            return found
        return (found + sum(kind.forecast(designs, station, origin, day) for kind in self.kinds)) / 2

    def contributions(
        self, designs: tuple[Design, Design], station: Ints, origin: Ints, day: Ints
    ) -> dict[str, Floats]:
        """See ``Levels.contributions``: in trips those of the views add up, and are made logarithms again."""
        views = (self.all, *self.kinds)
        if len(views) == 1:
            return self.all.contributions(designs, station, origin, day)
        usual, forecast = np.zeros(len(day)), np.zeros(len(day))
        trips: dict[str, Floats] = {}
        for view in views:
            parts = view.contributions(designs, station, origin, day)
            level, whole = np.exp(parts.pop(LEVEL)), np.exp(sum(parts.values()))
            usual += level / 2
            forecast += level * whole / 2
            mean = logarithmic_mean(level * whole, level) / 2
            for group, part in parts.items():
                trips[group] = trips.get(group, 0) + part * mean
        scale = logarithmic_mean(forecast, usual)
        return {LEVEL: np.log(usual), **{group: part / scale for group, part in trips.items()}}


def rider_levels_of(panel: Panel, sizes: Floats | None = None) -> RiderLevels:
    """Filters all trips of a panel, and those of members and of casual riders where they are known.

    Args:
        panel: see there.
        sizes: see ``levels_of``; the same for each kind.
    """
    every = levels_of(panel, sizes)
    if panel.casual is None:
        return RiderLevels(every, ())
    members = panel.trips - panel.casual
    total = np.nansum(panel.trips)
    if min(np.nansum(panel.casual), np.nansum(members)) < _LEAST_SHARE * total or total == 0:
        return RiderLevels(every, ())
    return RiderLevels(every, tuple(levels_of(replace(panel, trips=trips), sizes) for trips in (members, panel.casual)))
