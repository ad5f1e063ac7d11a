"""Models of daily trips per station, behind one interface."""

from tripcast.models.base import Model
from tripcast.models.seasonal_naive import SeasonalNaive

MODELS: dict[str, Model] = {model.name: model for model in (SeasonalNaive(),)}

__all__ = ["MODELS", "Model", "SeasonalNaive"]
