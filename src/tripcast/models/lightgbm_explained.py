"""Explanations of the model ``lightgbm``: what moved the logarithm of a forecast, turned into trips.

A booster's part is attributed along the path of each tree (Saabas 2014): a split changes the expected value, and its column
is what changed it. From logarithms to trips by the logarithmic mean (Ang 2004, LMDI): with ``u`` the usual level, ``f`` the
forecast and ``c`` a contribution to ``log(f / u)``, it is ``c (f - u) / log(f / u)`` trips. Both are additive: usual level
and contributions add up to the forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tripcast.models.lightgbm_levels import LEVEL
from tripcast.models.lightgbm_panel import Floats

if TYPE_CHECKING:
    import lightgbm

USUAL_LEVEL = "usual level"
_DECIMALS = 3


def leaf_contributions(
    booster: lightgbm.Booster, matrix: Floats, columns: Mapping[str, str], threads: int
) -> dict[str, Floats]:
    """What each group of columns adds to the forecast of a booster.

    Args:
        booster: its columns are the keys of ``columns``.
        matrix: (rows, columns).
        columns: column -> group; what no column explains, the expected value, is of the group LEVEL.
        threads: of LightGBM.
    """
    groups = list(dict.fromkeys((LEVEL, *columns.values())))
    of_column = [groups.index(group) for group in columns.values()]
    leaves = np.asarray(booster.predict(matrix, pred_leaf=True, num_threads=threads), np.int32)
    leaves = leaves.reshape(len(matrix), -1)
    found = np.zeros((len(matrix), len(groups)))
    for tree, described in enumerate(booster.dump_model()["tree_info"]):
        table = np.zeros((described["num_leaves"], len(groups)))
        root = described["tree_structure"]
        expected, _ = _expect(root)
        _walk(root, expected, np.zeros(len(groups)), of_column, table)
        table[:, 0] += expected
        found += table[leaves[:, tree]]
    return {group: found[:, place] for place, group in enumerate(groups)}


def _expect(node: dict[str, Any]) -> tuple[float, int]:
    """The mean of the leaves below a node, kept in it, and the rows that they had.

    LightGBM's own values of inner nodes are regularised each for itself, and so are not the means of their leaves.
    """
    if "split_feature" not in node:
        value, count = float(node["leaf_value"]), int(node.get("leaf_count", 1))
    else:
        (left, few), (right, many) = _expect(node["left_child"]), _expect(node["right_child"])
        count = few + many
        value = (left * few + right * many) / max(count, 1)
    node["expected"] = value
    return value, count


def _walk(node: dict[str, Any], value: float, so_far: Floats, of_column: list[int], table: Floats) -> None:
    """Fills the table (leaves, groups) with how much the splits on the way to each leaf change the expected value."""
    if "split_feature" not in node:
        table[node.get("leaf_index", 0)] = so_far
        return
    for child in (node["left_child"], node["right_child"]):
        changed = so_far.copy()
        changed[of_column[node["split_feature"]]] += child["expected"] - value
        _walk(child, child["expected"], changed, of_column, table)


def logarithmic_mean(one: Floats, other: Floats) -> Floats:
    """``(one - other) / log(one / other)``; where both are the same, that is the limit."""
    apart = np.log(one / other)
    return np.divide(one - other, apart, out=np.array(other, np.float64), where=np.abs(apart) > 1e-9)


def additive(forecast: Floats, parts: Mapping[str, Floats]) -> list[dict[str, float]]:
    """Contributions in trips for each row, which add up to the forecast.

    Args:
        forecast: trips, above 0.
        parts: group -> contributions to the logarithm; LEVEL is the logarithm of the usual level.
    """
    mean = logarithmic_mean(np.maximum(forecast, 1e-9), np.exp(parts[LEVEL]))
    groups = [group for group in parts if group != LEVEL]
    trips = np.round(np.stack([parts[group] * mean for group in groups], axis=1), _DECIMALS)
    rest = forecast - trips.sum(axis=1)
    return [
        {USUAL_LEVEL: level, **dict(zip(groups, row, strict=True))}
        for level, row in zip(rest.tolist(), trips.tolist(), strict=True)
    ]
