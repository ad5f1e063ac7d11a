"""Aggregate functions over numbers, strings and rows.

An aggregate whose SQL is more than one call places OVER behind each of them with ``call.windowed_call``.

Sources: docs.snowflake.com/en/sql-reference/functions-aggregation and the function pages it lists.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sqlglot import exp

from polynya.dialect import arithmetic, casts, semistructured
from polynya.dialect.expression import Expr, derive, null, once
from polynya.dialect.registry import Call, aggregate
from polynya.errors import compilation_error, unsupported
from polynya.types.sqltype import ARRAY, BOOLEAN, FLOAT, INTEGER, NULL, VARCHAR, SqlType, number

COUNT = number(18, 0)
_KURTOSIS_SCALE = 12
_MEDIAN_DIGITS = 3  # fractional digits that MEDIAN and PERCENTILE_CONT add


def numeric(call: Call, index: int = 0) -> Expr:
    """An argument that must be a number: strings and VARIANT are read as FLOAT.

    Raises:
        SnowflakeError: 001044 for other types.
    """
    bound = call.arg(index)
    if bound.type.is_numeric:
        return bound
    if bound.type == NULL:
        return null(INTEGER)
    if bound.type.name in ("VARCHAR", "VARIANT"):
        return casts.cast(bound, FLOAT, call.context)
    raise call.wrong_types()


def as_double(expr: Expr) -> str:
    """SQL of a number as DOUBLE."""
    return expr.sql if expr.type == FLOAT else f"CAST({expr.sql} AS DOUBLE)"


def whole_constant(call: Call, index: int, default: int = 0) -> int:
    """An argument that must be a constant whole number.

    Raises:
        SnowflakeError: 001015 if it is not.
    """
    value = call.constant(index, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise compilation_error(
            1015, "22023", f"Invalid value [{value}] for argument {index + 1} of {call.name}", call.position
        )
    return value


def fraction_constant(call: Call, index: int) -> float:
    """An argument that must be a constant from 0 to 1.

    Raises:
        SnowflakeError: 001015 if it is not.
    """
    value = call.constant(index)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value <= 1:
        shown = float(value) if isinstance(value, int | float | Decimal) else value
        raise compilation_error(1015, "22023", f"Invalid value [{shown}] for function '{call.name}'", call.position)
    return float(value)


def _distinct(call: Call) -> str:
    return "DISTINCT " if call.distinct else ""


def is_star(node: exp.Expr) -> bool:
    """Whether an argument is ``*`` or ``t.*``."""
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


# --- counting ---------------------------------------------------------------------------------------------------------


@aggregate("COUNT", args=(0, None))
def count(call: Call) -> Expr:
    """COUNT(*), COUNT(x), COUNT(x, y) (rows where none is NULL), COUNT(t.*) (rows without any NULL)."""
    values: list[Expr] = []
    if not call.nodes or isinstance(call.nodes[0], exp.Star):
        sql = "count(*)"
    else:
        for index, node in enumerate(call.nodes):
            values += [expr for _, expr in call.binder.star_columns(node)] if is_star(node) else [call.arg(index)]
        keys = [casts.groupable(value).sql for value in values]
        if len(keys) == 1:
            sql = f"count({_distinct(call)}{keys[0]})"
        else:
            present = " AND ".join(f"{value.atom} IS NOT NULL" for value in values)
            counted = f"DISTINCT ({', '.join(keys)})" if call.distinct else "*"
            sql = f"count({counted}) FILTER (WHERE {present})"
    return derive(call.windowed_call(sql), COUNT, *values, nullable=False)


@aggregate("COUNT_IF", args=1)
def count_if(call: Call) -> Expr:
    condition = call.arg(0, BOOLEAN)
    return derive(call.windowed_call(f"count(*) FILTER (WHERE {condition.sql})"), COUNT, condition, nullable=False)


@aggregate("APPROX_COUNT_DISTINCT", "HLL", args=(1, None))
def approx_count_distinct(call: Call) -> Expr:
    """Exact: an estimate may be."""
    call.distinct = True
    return count(call)


# --- sums and means ---------------------------------------------------------------------------------------------------


def _sum_type(kind: SqlType) -> SqlType:
    return FLOAT if kind == FLOAT else number(38, kind.scale)


@aggregate("SUM", args=1)
def sum_(call: Call) -> Expr:
    value = numeric(call)
    return derive(call.windowed_call(f"sum({_distinct(call)}{value.sql})"), _sum_type(value.type), value, nullable=True)


@aggregate("AVG", "MEAN", args=1)
def avg(call: Call) -> Expr:
    """Exact for NUMBER: the sum divided by the count, with the scale that a division has.

    Over a window that is not cumulative, Snowflake keeps three more digits than the argument has and cuts the rest
    off (docs.snowflake.com/en/sql-reference/functions/avg, last example).
    """
    value = numeric(call)
    if value.type == FLOAT:
        return derive(call.windowed_call(f"avg({_distinct(call)}{value.sql})"), FLOAT, value, nullable=True)
    total = Expr(call.windowed_call(f"sum({_distinct(call)}{value.sql})"), _sum_type(value.type))
    rows = Expr(f"CAST({call.windowed_call(f'count({_distinct(call)}{value.sql})')} AS DECIMAL(18,0))", COUNT, False)
    mean = arithmetic.divide(total, rows)
    if call.windowed and not _is_cumulative(call):
        mean = _cut(mean, min(value.type.scale + 3, mean.type.scale))
    return derive(mean.sql, mean.type, value, nullable=True, simple=mean.simple)


def _is_cumulative(call: Call) -> bool:
    """Whether the window's frame grows from the partition's start to the current row."""
    explicit = " BETWEEN " in call.over
    return call.window_order and (not explicit or call.over.endswith("BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"))


def _cut(value: Expr, scale: int) -> Expr:
    """A NUMBER with fewer fractional digits, the others cut off."""
    if scale == value.type.scale:
        return value
    kind = number(38, scale)
    return replace(value, sql=f"CAST(trunc({value.sql}, {scale}) AS {kind.duckdb})", type=kind, simple=True)


# --- extremes ---------------------------------------------------------------------------------------------------------


@aggregate("MIN", "MAX", args=1)
def extreme(call: Call) -> Expr:
    value = call.arg(0)
    function = call.name.lower()
    match value.type.name:
        case "TIMESTAMP_TZ":
            sql = f"arg_{function}({value.sql}, {value.atom}.instant)"
        case "VARIANT" | "OBJECT" | "ARRAY" | "MAP":
            return derive(
                f"({call.windowed_call(f'{function}(sf_sort_key({value.sql}))')}).v", value.type, value, nullable=True
            )
        case _:
            sql = f"{function}({value.sql})"
    return derive(call.windowed_call(sql), value.type if value.type != NULL else VARCHAR, value, nullable=True)


@aggregate("MIN_BY", "MAX_BY", args=(2, 3))
def extreme_by(call: Call) -> Expr:
    value, key = call.arg(0), casts.sortable(call.arg(1))
    function = "arg_min" if call.name == "MIN_BY" else "arg_max"
    if len(call) < 3:
        sql = call.windowed_call(f"{function}_null({value.sql}, {key.sql})")
        return derive(sql, value.type, value, key, nullable=True)
    most = whole_constant(call, 2)
    sql = call.windowed_call(f"{function}({value.sql}, {key.sql}, {most})")
    return derive(f"to_json({variants(sql, value.type)})", ARRAY, value, key, nullable=True)


def variants(listed: str, kind: SqlType) -> str:
    """SQL of a list of values as a list of VARIANT items."""
    return f"list_transform({listed}, lambda e: coalesce({semistructured.value_sql('e', kind)}, {semistructured.UNDEFINED}))"


@aggregate("ANY_VALUE", args=1)
def any_value(call: Call) -> Expr:
    value = call.arg(0)
    return derive(call.windowed_call(f"any_value({value.sql})"), value.type, value, nullable=True)


@aggregate("MODE", args=1)
def mode(call: Call) -> Expr:
    value = call.arg(0)
    return derive(call.windowed_call(f"mode({value.sql})"), value.type, value, nullable=True)


# --- order statistics -------------------------------------------------------------------------------------------------


def _continuous(call: Call, value: Expr, fraction: str) -> Expr:
    if value.type == FLOAT:
        return derive(call.windowed_call(f"quantile_cont({value.sql}, {fraction})"), FLOAT, value, nullable=True)
    kind = number(value.type.precision + _MEDIAN_DIGITS, value.type.scale + _MEDIAN_DIGITS)
    sql = f"quantile_cont(CAST({value.sql} AS {kind.duckdb}), {fraction})"
    return derive(call.windowed_call(sql), kind, value, nullable=True)


@aggregate("MEDIAN", args=1)
def median(call: Call) -> Expr:
    return _continuous(call, numeric(call), "0.5")


@aggregate("PERCENTILE_CONT", "PERCENTILE_DISC", args=1)
def percentile(call: Call) -> Expr:
    if len(call.order_exprs) != 1:
        raise compilation_error(2078, "42601", f"{call.name} requires WITHIN GROUP (ORDER BY ...).", call.position)
    fraction = call.constant(0)
    if not isinstance(fraction, int | float | Decimal) or not 0 <= fraction <= 1:
        raise compilation_error(1015, "22023", f"Percentile value should be between 0 and 1: {fraction}", call.position)
    value = call.order_exprs[0]
    descending = f"{value.sql} DESC" in call.order_by
    if call.name == "PERCENTILE_DISC":
        sql = f"quantile_disc({value.sql}, {-float(fraction) if descending and fraction else float(fraction)!r})"
        if descending and not fraction:
            sql = f"max({value.sql})"
        return derive(call.windowed_call(sql), value.type, value, nullable=True)
    if value.type.name in ("VARCHAR", "VARIANT"):
        value = casts.cast(value, FLOAT, call.context)
    if not value.type.is_numeric:
        raise call.wrong_types()
    return _continuous(call, value, repr(1 - float(fraction) if descending else float(fraction)))


@aggregate("APPROX_PERCENTILE", args=2)
def approx_percentile(call: Call) -> Expr:
    """Exact: an estimate may be."""
    value, fraction = numeric(call), fraction_constant(call, 1)
    return derive(call.windowed_call(f"quantile_cont({as_double(value)}, {fraction!r})"), FLOAT, value, nullable=True)


@aggregate("APPROX_TOP_K", args=(1, 3))
def approx_top_k(call: Call) -> Expr:
    """The most frequent values with their exact counts."""
    value, most = call.arg(0), whole_constant(call, 1, 1)
    counted = call.windowed_call(f"histogram({value.sql}) FILTER (WHERE {value.atom} IS NOT NULL)")
    pairs = f"list_sort(list_transform(map_entries({counted}), lambda sf_e: {{'c': -CAST(sf_e.value AS BIGINT), 'k': sf_e.key}}))[1:{most}]"
    item = f"json_array({semistructured.value_sql('sf_e.k', value.type)}, -sf_e.c)"
    return derive(f"to_json(list_transform({pairs}, lambda sf_e: {item}))", ARRAY, value, nullable=True)


# --- spread and relation ----------------------------------------------------------------------------------------------


def _finite(call: Call, template: str, *values: str) -> str:
    """SQL of a statistic of DOUBLE values that DuckDB refuses for infinite ones: NaN where there are such.

    Args:
        template: the call, with ``{0}``, ``{1}`` for the values.
    """
    # 0 for numbers, NaN where one is infinite, NULL where one is missing
    finite = f"isfinite({' + '.join(f'({value}) * 0' for value in reversed(values))})"
    statistic = call.windowed_call(f"{template.format(*values)} FILTER (WHERE {finite})")
    if call.name == "CORR":  # of a constant: none
        statistic = f"nullif({statistic}, 'NaN'::DOUBLE)"
    strange = call.windowed_call(f"bool_or(NOT {finite})")
    return f"CASE WHEN {strange} THEN 'NaN'::DOUBLE ELSE {statistic} END"


_VARIANCES = {
    "VARIANCE": "var_samp", "VAR_SAMP": "var_samp", "VARIANCE_SAMP": "var_samp",
    "VAR_POP": "var_pop", "VARIANCE_POP": "var_pop",
    "STDDEV": "var_samp", "STDDEV_SAMP": "var_samp", "STDDEV_POP": "var_pop",
}  # fmt: skip


@aggregate(*_VARIANCES, args=1)
def spread(call: Call) -> Expr:
    """Variance and standard deviation. Of NUMBER, the variance is a NUMBER with the scale of a quotient of squares,
    and the standard deviation the root of that."""
    value = numeric(call)
    template = f"{_VARIANCES[call.name]}({_distinct(call)}{{0}})"
    if value.type == FLOAT:
        sql = _finite(call, template, value.atom)
        return derive(f"sqrt({sql})" if call.name.startswith("STDDEV") else sql, FLOAT, value, nullable=True)
    squares = number(38, 2 * value.type.scale)
    kind = number(38, arithmetic.quotient_type(squares, squares).scale)
    variance = f"CAST({call.windowed_call(template.format(as_double(value)))} AS {kind.duckdb})"
    if call.name.startswith("STDDEV"):
        return derive(f"sqrt(CAST({variance} AS DOUBLE))", FLOAT, value, nullable=True)
    return derive(variance, kind, value, nullable=True)


@aggregate("KURTOSIS", "SKEW", args=1)
def moments(call: Call) -> Expr:
    value = numeric(call)
    template = "kurtosis({0})" if call.name == "KURTOSIS" else "skewness({0})"
    if value.type == FLOAT or call.name == "SKEW":
        sql = _finite(call, template, as_double(value))
        return derive(sql, FLOAT, value, nullable=True)
    kind = number(38, _KURTOSIS_SCALE)
    sql = call.windowed_call(template.format(as_double(value)))
    # equal values have no kurtosis: DuckDB says NaN
    return derive(
        once(lambda v: f"CASE WHEN isfinite({v}) THEN CAST({v} AS {kind.duckdb}) END", sql), kind, value, nullable=True
    )


_PAIRS = {
    "CORR": "corr", "COVAR_POP": "covar_pop", "COVAR_SAMP": "covar_samp", "REGR_AVGX": "regr_avgx",
    "REGR_AVGY": "regr_avgy", "REGR_INTERCEPT": "regr_intercept", "REGR_R2": "regr_r2", "REGR_SLOPE": "regr_slope",
    "REGR_SXX": "regr_sxx", "REGR_SXY": "regr_sxy", "REGR_SYY": "regr_syy",
}  # fmt: skip


@aggregate(*_PAIRS, args=2)
def relation(call: Call) -> Expr:
    """Statistics of pairs (y, x)."""
    y, x = numeric(call), numeric(call, 1)
    sql = _finite(call, f"{_PAIRS[call.name]}({{0}}, {{1}})", as_double(y), as_double(x))
    return derive(sql, FLOAT, y, x, nullable=True)


@aggregate("REGR_COUNT", args=2)
def regr_count(call: Call) -> Expr:
    y, x = numeric(call), numeric(call, 1)
    return derive(call.windowed_call(f"regr_count({as_double(y)}, {as_double(x)})"), COUNT, y, x, nullable=False)


# --- bits, truth, hashes ----------------------------------------------------------------------------------------------

_BITS = {
    f"{prefix}{separator}AGG": f"bit_{word}"
    for word in ("and", "or", "xor")
    for prefix, separator in (
        (f"BIT{word.upper()}", "_"), (f"BIT{word.upper()}", ""), (f"BIT_{word.upper()}", "_"), (f"BIT_{word.upper()}", ""),
    )
}  # fmt: skip


@aggregate(*_BITS, args=1)
def bits(call: Call) -> Expr:
    value = numeric(call)
    return derive(
        call.windowed_call(f"{_BITS[call.name]}(CAST({value.sql} AS HUGEINT))"), INTEGER, value, nullable=True
    )


@aggregate("BOOLAND_AGG", "BOOLOR_AGG", "BOOLXOR_AGG", args=1)
def truth(call: Call) -> Expr:
    value = call.arg(0, BOOLEAN)
    if call.name == "BOOLXOR_AGG":  # exactly one is true
        true, known = (call.windowed_call(f"{f}({value.sql})") for f in ("count_if", "count"))
        return derive(f"CASE WHEN {known} > 0 THEN {true} = 1 END", BOOLEAN, value, nullable=True)
    function = "bool_and" if call.name == "BOOLAND_AGG" else "bool_or"
    return derive(call.windowed_call(f"{function}({value.sql})"), BOOLEAN, value, nullable=True)


@aggregate("HASH_AGG", args=(0, None))
def hash_agg(call: Call) -> Expr:
    """A signed 64-bit number that does not depend on the rows' order."""
    values: list[Expr] = []
    for index, node in enumerate(call.nodes):
        values += [expr for _, expr in call.binder.star_columns(node)] if is_star(node) else [call.arg(index)]
    total = call.windowed_call(f"sum({_distinct(call)}hash({', '.join(value.sql for value in values)}))")
    signed = f"coalesce({total}, 0) % 18446744073709551616::HUGEINT - 9223372036854775808::HUGEINT"
    return derive(f"CAST({signed} AS DECIMAL(19,0))", number(19, 0), *values, nullable=False)


@aggregate("GROUPING", "GROUPING_ID", args=(1, None))
def grouping(call: Call) -> Expr:
    """Which of the columns a row of GROUPING SETS is not grouped by, as bits."""
    if call.binder.scope.group_keys is None:
        raise compilation_error(2079, "42601", f"{call.name} function without a GROUP BY", call.position)
    values = call.args()
    return derive(f"grouping({', '.join(value.sql for value in values)})", COUNT, *values, nullable=False)


# --- text -------------------------------------------------------------------------------------------------------------


@aggregate("LISTAGG", args=(1, 2))
def listagg(call: Call) -> Expr:
    """Strings joined; "" where there are none."""
    value = call.arg(0, VARCHAR) if call.arg(0).type.name == "VARCHAR" else casts.as_text(call.arg(0), call.context)
    separator = call.arg(1, VARCHAR).sql if len(call) > 1 else "''"
    order = f" ORDER BY {call.order_by}" if call.order_by else ""
    if order and call.distinct and any(expr.sql != value.sql for expr in call.order_exprs):
        if call.order_exprs[0].sql != call.arg(0).sql:
            raise compilation_error(
                2079, "42601", "LISTAGG(DISTINCT ...) can be ordered by its argument only.", call.position
            )
        order = order.replace(call.arg(0).sql, value.sql)
    joined = call.windowed_call(f"string_agg({_distinct(call)}{value.sql}, {separator}{order})")
    return derive(f"coalesce({joined}, '')", VARCHAR, value, nullable=False)


@aggregate("HLL_ACCUMULATE", "HLL_COMBINE", "HLL_ESTIMATE", "HLL_EXPORT", "HLL_IMPORT", "MINHASH", "MINHASH_COMBINE",
           "APPROXIMATE_SIMILARITY", "APPROXIMATE_JACCARD_INDEX", "APPROX_TOP_K_ACCUMULATE", "APPROX_TOP_K_COMBINE",
           "APPROX_TOP_K_ESTIMATE", "BITMAP_CONSTRUCT_AGG", "BITMAP_OR_AGG", args=(0, None))  # fmt: skip
def sketch(call: Call) -> Expr:
    """States of sketches, which have a form of their own in Snowflake."""
    raise unsupported(call.name)
