"""TabNet for one series in a data scientist's hands, by the name of the guide's function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tripcast.models.tabnet.config import TabNetConfig
from tripcast.models.tabnet.regressor import TabNetRegressors

DATE, TARGET, PREDICTED = "DATE", "COUNT", "PRED"


def train_predict(
    df: pd.DataFrame,
    cat_idxs: Sequence[int] = (-2,),
    cat_dims: Sequence[int] = (2,),
    *,
    held_out: int = 60,
    max_epochs: int = 60,
    batch_size: int = 128,
    seed: int = 1,
) -> tuple[pd.DataFrame, TabNetRegressors, list[str]]:
    """Trains on all but the last days and predicts all days from their own features, one day ahead.

    Another than in the guide: numbers are standardized and trips on a logarithm, so that few gradient steps suffice, and the
    last days are held out. They choose the best epoch, so their error is somewhat too good.

    Args:
        df: DATE, COUNT and features, as ``generate_features`` makes them, sorted by DATE.
        cat_idxs, cat_dims: features that hold a category, as pytorch-tabnet counts them, and how many each has.
        held_out: days.
        max_epochs, batch_size, seed: of training.

    Returns:
        ``df`` with PRED (trips); the model, whose ``importances`` is (1, features); the features' names.

    Raises:
        ValueError: fewer than ``batch_size`` days remain to train on.
    """
    features = [column for column in df if column not in (DATE, TARGET)]
    trained = len(df) - held_out
    if trained < batch_size:
        raise ValueError(
            f"{len(df)} days less {held_out} held out are {trained}: batch_size {batch_size} needs as many"
        )
    categories = {index % len(features) for index in cat_idxs}
    x = df[features].to_numpy(np.float32)
    for column in set(range(len(features))) - categories:
        spread = x[:trained, column].std()
        x[:, column] = (x[:, column] - x[:trained, column].mean()) / (spread or 1.0)
    y = np.log1p(df[TARGET].to_numpy(np.float32))
    mean, spread = float(y[:trained].mean()), float(y[:trained].std()) or 1.0
    scaled = (y - mean) / spread
    config = TabNetConfig(
        len(features),
        cat_idxs=tuple(cat_idxs),
        cat_dims=tuple(cat_dims),
        max_epochs=max_epochs,
        patience=max_epochs,
        batch_size=batch_size,
        virtual_batch_size=batch_size // 2,
        step_size=max(1, max_epochs // 4),
        step_gamma=0.6,
    )
    model = TabNetRegressors(config, [seed])
    judged = (x[None, trained:], scaled[None, trained:], None)
    model.fit(x[None, :trained], scaled[None, :trained], None, judged, want_importances=True)
    predicted = np.expm1(model.predict(x[None])[0] * spread + mean)
    return df.assign(**{PREDICTED: np.maximum(predicted, 0.0)}), model, features
