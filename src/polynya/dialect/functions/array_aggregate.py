"""Aggregates that make arrays and objects, and digests of percentiles.

Sources: docs.snowflake.com/en/sql-reference/functions/array_agg, .../object_agg, .../approx_percentile_accumulate.
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from polynya.dialect import casts
from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, derive, null, once
from polynya.dialect.functions.aggregate import as_double, fraction_constant, numeric, variants
from polynya.dialect.functions.semistructured import as_variant
from polynya.dialect.registry import Call, aggregate, scalar
from polynya.types import variant
from polynya.types.sqltype import ARRAY, FLOAT, NULL, OBJECT, VARCHAR, SqlType

_EMPTY_ARRAY = "'[]'::JSON"


@aggregate("ARRAY_AGG", "ARRAYAGG", args=1)
def array_agg(call: Call) -> Expr:
    """An array of the values that are not NULL."""
    value = call.arg(0)
    if value.type == NULL:
        return Expr(_EMPTY_ARRAY, ARRAY, False)
    order = f" ORDER BY {call.order_by}" if call.order_by else ""
    distinct = "DISTINCT " if call.distinct else ""
    listed = call.windowed_call(f"list({distinct}{value.sql}{order}) FILTER (WHERE {value.atom} IS NOT NULL)")
    return derive(_array_of_list(listed, value.type), ARRAY, value, nullable=False)


def _array_of_list(listed: str, kind: SqlType) -> str:
    items = listed if kind.is_semistructured else variants(listed, kind)
    return f"coalesce(to_json({items}), {_EMPTY_ARRAY})"


@aggregate("ARRAY_UNIQUE_AGG", args=1)
def array_unique_agg(call: Call) -> Expr:
    call.distinct = True
    return array_agg(call)


@aggregate("ARRAY_UNION_AGG", args=1)
def array_union_agg(call: Call) -> Expr:
    """The union of arrays, in which an item occurs as often as in that array which holds it most often."""
    value = call.arg(0, ARRAY)
    listed = call.windowed_call(f"list(sf_items({value.sql})) FILTER (WHERE {value.atom} IS NOT NULL)")
    return derive(
        f"coalesce(to_json(sf_union({listed}::VARCHAR[][])::JSON[]), {_EMPTY_ARRAY})", ARRAY, value, nullable=False
    )


@python_function("sf_union", ["VARCHAR[][]"], "VARCHAR[]", vectorized=True)
def _union(groups: pa.Array) -> pa.Array:
    """The union of bags: each item as often as in that bag which holds it most often."""

    def united(bags: list[list[str]]) -> list[str]:
        most: Counter[str] = Counter()
        for bag in bags:
            most |= Counter(bag)
        return list(most.elements())

    rows = [None if bags is None else united(bags) for bags in groups.to_pylist()]
    return pa.array(rows, pa.list_(pa.string()))


@aggregate("OBJECT_AGG", "OBJECTAGG", args=2)
def object_agg(call: Call) -> Expr:
    """An object of keys and values; pairs with a NULL are left out, a key that occurs twice is an error."""
    key, value = call.arg(0, VARCHAR), call.arg(1)
    content = as_variant(value if value.type != NULL else null(VARCHAR))
    pair = f"{{'k': {key.sql}, 'v': {content.sql}}}"
    present = f"{key.atom} IS NOT NULL AND {value.atom} IS NOT NULL"
    listed = call.windowed_call(f"list({pair}) FILTER (WHERE {present})")
    sql = once(
        lambda pairs: f"CASE WHEN {pairs} IS NULL THEN '{{}}'::JSON ELSE sf_distinct_object({pairs}) END", listed
    )
    return derive(sql, OBJECT, key, value, nullable=False)


# --- t-digests of APPROX_PERCENTILE_* ---------------------------------------------------------------------------------

_CENTROIDS = 500  # more values than that are merged into so many centroids


@aggregate("APPROX_PERCENTILE_ACCUMULATE", args=1)
def approx_percentile_accumulate(call: Call) -> Expr:
    value = numeric(call)
    listed = call.windowed_call(
        f"list({as_double(value)} ORDER BY {as_double(value)}) FILTER (WHERE {value.atom} IS NOT NULL)"
    )
    return derive(f"sf_digest({listed})::JSON", OBJECT, value, nullable=True)


@aggregate("APPROX_PERCENTILE_COMBINE", args=1)
def approx_percentile_combine(call: Call) -> Expr:
    state = _state(call)
    listed = call.windowed_call(f"list({state.sql}::VARCHAR) FILTER (WHERE {state.atom} IS NOT NULL)")
    return derive(f"sf_digest_combine({listed})::JSON", OBJECT, state, nullable=True)


@scalar("APPROX_PERCENTILE_ESTIMATE", args=2)
def approx_percentile_estimate(call: Call) -> Expr:
    state, fraction = _state(call), call.arg(1, FLOAT)
    if call.arg(1).is_constant:
        fraction_constant(call, 1)
    return derive(f"sf_digest_estimate({state.sql}::VARCHAR, {fraction.sql})", FLOAT, state, fraction, nullable=True)


def _state(call: Call) -> Expr:
    bound = call.arg(0)
    if bound.type.name not in ("OBJECT", "VARIANT"):
        raise call.wrong_types()
    return casts.cast(bound, OBJECT, call.context) if bound.type.name == "VARIANT" else bound


Centroids = list[tuple[float, float]]


def _digest_text(centroids: Centroids) -> str:
    state: list[float] = [number for centroid in _merged(centroids) for number in centroid]
    return variant.encode({"state": state, "type": "tdigest", "version": 1})


def _merged(centroids: Centroids) -> Centroids:
    """Sorted centroids, neighbours merged where there are too many: fewer towards both ends, as a t-digest has."""
    if len(centroids) <= _CENTROIDS:
        return centroids
    total = sum(weight for _, weight in centroids)
    merged: Centroids = []
    seen = 0.0
    mean, mass = centroids[0]
    for value, weight in centroids[1:]:
        quantile = (seen + (mass + weight) / 2) / total
        if mass + weight <= max(1.0, 4 * total * quantile * (1 - quantile) / _CENTROIDS):
            mean += (value - mean) * weight / (mass + weight)
            mass += weight
        else:
            merged.append((mean, mass))
            seen += mass
            mean, mass = value, weight
    merged.append((mean, mass))
    return merged


def _centroids(text: str) -> Centroids:
    state = [float(number) for number in variant.decode(text).get("state", [])]
    return list(zip(state[::2], state[1::2], strict=True))


@python_function("sf_digest", ["DOUBLE[]"], "VARCHAR", vectorized=True)
def _digest(lists: pa.Array) -> pa.Array:
    rows = [
        None if values is None else _digest_text([(value, 1.0) for value in values]) for values in lists.to_pylist()
    ]
    return pa.array(rows, pa.string())


@python_function("sf_digest_combine", ["VARCHAR[]"], "VARCHAR", vectorized=True)
def _digest_combine(lists: pa.Array) -> pa.Array:
    rows = [
        None if texts is None else _digest_text(sorted(centroid for text in texts for centroid in _centroids(text)))
        for texts in lists.to_pylist()
    ]
    return pa.array(rows, pa.string())


@python_function("sf_digest_estimate", ["VARCHAR", "DOUBLE"], "DOUBLE", vectorized=True)
def _digest_estimate(texts: pa.Array, fractions: pa.Array) -> pa.Array:
    rows = [
        None if text is None or fraction is None else _quantile(_centroids(text), fraction)
        for text, fraction in zip(texts.to_pylist(), fractions.to_pylist(), strict=True)
    ]
    return pa.array(rows, pa.float64())


def _quantile(centroids: Centroids, fraction: float) -> float | None:
    """The value at a fraction of the weight, interpolated between the centroids' middles."""
    if not centroids:
        return None
    wanted = fraction * (sum(weight for _, weight in centroids) - 1)
    position = -0.5
    previous: tuple[float, float] | None = None
    for value, weight in centroids:
        middle = position + weight / 2
        if middle >= wanted:
            if previous is None:
                return value
            before, at = previous
            return before + (value - before) * (wanted - at) / (middle - at)
        previous = value, middle
        position += weight
    return centroids[-1][0]
