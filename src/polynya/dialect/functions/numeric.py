"""Numeric functions: rounding, exponents, trigonometry, remainders, buckets.

Source: docs.snowflake.com/en/sql-reference/functions-numeric
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext

from sqlglot import exp

from polynya.dialect import arithmetic, casts
from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, as_bigint, derive, null, once
from polynya.dialect.registry import FUNCTIONS, Call, scalar, template
from polynya.errors import SnowflakeError
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import FLOAT, INTEGER, SqlType, number


def numeric(call: Call, index: int) -> Expr:
    """An argument as NUMBER or FLOAT: strings and VARIANT are cast as operands of arithmetic are.

    Raises:
        SnowflakeError: 001044 for a type that is no number.
    """
    value = call.arg(index)
    if value.type.is_numeric:
        return value
    if value.type.name in ("NULL", "VARCHAR", "VARIANT", "BOOLEAN"):
        return casts.to_number_operand(value, call.context)
    raise call.wrong_types()


@python_function("sf_decimal_multiply", ["VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR")
def _decimal_multiply(left: str | None, right: str | None, scale: int) -> str | None:
    """The exact product of two decimals whose scales together exceed the engine's, rounded to a scale."""
    if left is None or right is None:
        return None
    with localcontext() as context:
        context.prec = 90
        return format((Decimal(left) * Decimal(right)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP), "f")


# --- sign, remainder, division ----------------------------------------------------------------------------------------


@scalar("ABS", args=1)
def abs_(call: Call) -> Expr:
    value = numeric(call, 0)
    return derive(f"abs({value.sql})", value.type, value)


@scalar("SIGN", args=1)
def sign(call: Call) -> Expr:
    value = numeric(call, 0)
    result = FLOAT if value.type == FLOAT else number(1, 0)
    return derive(f"CAST(sign({value.sql}) AS {result.duckdb})", result, value)


@scalar("MOD", args=2)
def mod(call: Call) -> Expr:
    return arithmetic.modulo(numeric(call, 0), numeric(call, 1))


@scalar("DIV0", "DIV0NULL", args=2)
def div0(call: Call) -> Expr:
    """Division that gives 0 where the divisor is 0, or NULL too for DIV0NULL."""
    divisor = numeric(call, 1)
    if call.name == "DIV0NULL":
        divisor = derive(f"coalesce({divisor.sql}, 0)", divisor.type, divisor, nullable=False)
    return arithmetic.divide(numeric(call, 0), divisor, zero_by_zero=True)


# --- rounding ---------------------------------------------------------------------------------------------------------


def _arguments(call: Call, *names: str) -> None:
    """Puts named arguments (``EXPR => x``) in their places."""
    for name in names[len(call.nodes) :]:
        if name in call.named:
            call.nodes.append(call.named[name])


def _rounded_type(source: SqlType, scale: int | None, extra: int) -> SqlType:
    """The NUMBER that rounding to a scale gives; ``extra`` digits for a carry."""
    kept = source.scale if scale is None else min(max(scale, 0), source.scale)
    return number(min(source.precision + extra, 38), kept)


def _round(call: Call, value: Expr, to_scale: Callable[[str, int, SqlType], str], to_float: str, extra: int) -> Expr:
    """A rounding function.

    Args:
        call: its second argument is the scale.
        value: NUMBER or FLOAT.
        to_scale: SQL of a NUMBER rounded to a constant scale below its own, given its text, scale and type.
        to_float: SQL of a rounded FLOAT, with ``{0}`` for it and ``{1}`` for the scale.
        extra: digits of the result beyond the argument's.
    """
    scale = call.arg(1, INTEGER) if len(call) > 1 else None
    if scale is not None and scale.is_constant and scale.constant is None:
        return null(value.type)
    constant = 0 if scale is None else int(scale.constant) if scale.is_constant else None
    sources = [value] if scale is None else [value, scale]
    if value.type == FLOAT:
        digits = str(constant) if constant is not None else f"CAST({as_bigint(scale)} AS INTEGER)"  # type: ignore[arg-type]
        return derive(once(lambda text: to_float.format(text, digits), value), FLOAT, *sources, simple=False)
    result = _rounded_type(value.type, constant, extra)
    if constant is not None:
        return derive(_to_scale(value, constant, result, to_scale), result, *sources)
    lowest = value.type.scale - value.type.precision
    assert scale is not None

    def choices(text: str, wanted: str) -> str:
        operand = Expr(text, value.type)
        whens = [
            f"WHEN {wanted} = {digits} THEN {_to_scale(operand, digits, result, to_scale)}"
            for digits in range(value.type.scale - 1, lowest - 1, -1)
        ]
        below = _to_scale(operand, lowest - 1, result, to_scale)
        return (
            f"CASE WHEN {wanted} >= {value.type.scale} THEN CAST({text} AS {result.duckdb}) {' '.join(whens)} "
            f"WHEN {wanted} < {lowest} THEN {below} END"
        )

    return derive(once(choices, value, as_bigint(scale)), result, *sources)


def _to_scale(value: Expr, scale: int, result: SqlType, to_scale: Callable[[str, int, SqlType], str]) -> str:
    if scale >= value.type.scale and scale >= 0:
        return value.sql if value.type == result else f"CAST({value.sql} AS {result.duckdb})"
    operand = value.atom
    if scale < 0 and value.type.precision < 38:  # a carry may need a digit more than the engine's result has
        operand = f"CAST({value.sql} AS DECIMAL({value.type.precision + 1},{value.type.scale}))"
    return f"CAST({to_scale(operand, scale, value.type)} AS {result.duckdb})"


@scalar("ROUND", args=(0, 3))
def round_(call: Call) -> Expr:
    """Rounds half away from zero, or half to even if the third argument says so."""
    _arguments(call, "EXPR", "SCALE", "ROUNDING_MODE")
    value = numeric(call, 0)
    mode = str(call.constant(2, "HALF_AWAY_FROM_ZERO")).upper()
    if mode == "HALF_TO_EVEN":
        return _round(call, value, _half_to_even, "round_even({0}, {1})", 1)
    if mode != "HALF_AWAY_FROM_ZERO":
        raise SnowflakeError(
            1027, "22023", f"SQL compilation error:\nInvalid value ['{mode}'] for parameter 'ROUNDING_MODE'"
        )
    return _round(call, value, lambda text, scale, _: f"round({text}, {scale})", "round({0}, {1})", 1)


def _half_to_even(text: str, scale: int, source: SqlType) -> str:
    unit = _unit(scale)

    def rounded(value: str) -> str:
        down = f"trunc({value}, {scale})"
        return (
            f"CASE WHEN abs({value} - {down}) * 2 = {unit} AND ({down} % ({unit} * 2)) = 0 "
            f"THEN {down} ELSE round({value}, {scale}) END"
        )

    return once(rounded, text)


@scalar("TRUNC", "TRUNCATE", args=(1, 2))
def trunc(call: Call) -> Expr:
    """Cuts digits off; of a date or timestamp it is DATE_TRUNC with the arguments reversed."""
    value = call.arg(0)
    if value.type.name in ("DATE", "TIME") or value.type.is_timestamp:
        call.nodes = [call.nodes[1], call.nodes[0]] if len(call) > 1 else [exp.Literal.string("day"), call.nodes[0]]
        call._bound.clear()
        return FUNCTIONS["DATE_TRUNC"].bind(call)
    return _round(call, numeric(call, 0), lambda text, scale, _: f"trunc({text}, {scale})", "trunc({0}, {1})", 0)


@scalar("CEIL", "FLOOR", args=(1, 2))
def ceil_or_floor(call: Call) -> Expr:
    function = call.name.lower()

    def to_scale(text: str, scale: int, source: SqlType) -> str:
        if scale == 0:
            return f"{function}({text})"
        comparison, operator = ("<", "+") if function == "ceil" else (">", "-")
        return once(
            lambda value: (
                f"CASE WHEN trunc({value}, {scale}) {comparison} {value} "
                f"THEN trunc({value}, {scale}) {operator} {_unit(scale)} ELSE trunc({value}, {scale}) END"
            ),
            text,
        )

    if len(call) == 1:
        return _round(call, numeric(call, 0), to_scale, f"{function}({{0}})", 1)
    return _round(call, numeric(call, 0), to_scale, f"{function}({{0}} * pow(10, {{1}})) / pow(10, {{1}})", 1)


def _unit(scale: int) -> str:
    """The last digit's unit at a scale, as a decimal literal."""
    return f"{Decimal(1).scaleb(-scale):f}"


# --- exponents, logarithms, trigonometry: all FLOAT -------------------------------------------------------------------


def _within(outside: str, function: str) -> str:
    """SQL of a function with an error where its argument has no result.

    Args:
        outside: the condition, with ``{0}`` for the argument.
        function: the engine's.
    """
    message = f"'Invalid floating point operation: {function}(' || regexp_replace({{0}}::VARCHAR, '\\.0$', '') || ')'"
    return f"CASE WHEN {outside} THEN {raise_sql(100164, '22003', message)} ELSE {function}({{0}}) END"


_FLOAT_FUNCTIONS = {
    "SQRT": _within("{0} < 0", "sqrt"), "EXP": "exp({0})", "LN": _within("{0} <= 0", "ln"), "SQUARE": "({0} * {0})",
    "SIN": "sin({0})", "COS": "cos({0})", "TAN": "tan({0})", "COT": "cot({0})",
    "ASIN": _within("abs({0}) > 1", "asin"), "ACOS": _within("abs({0}) > 1", "acos"), "ATAN": "atan({0})",
    "SINH": "sinh({0})", "COSH": "cosh({0})", "TANH": "tanh({0})",
    "ASINH": "asinh({0})", "ACOSH": "acosh({0})", "ATANH": "atanh({0})",
    "RADIANS": "radians({0})", "DEGREES": "degrees({0})",
    # One step of Newton's method: the engine's cube root of 27 is 3.0000000000000004.
    "CBRT": "CASE WHEN {0} = 0 THEN 0 ELSE cbrt({0}) - (pow(cbrt({0}), 3) - {0}) / (3 * pow(cbrt({0}), 2)) END",
}  # fmt: skip


def _float_function(name: str, text: str) -> None:
    @scalar(name, args=1)
    def bind(call: Call) -> Expr:
        value = as_float(call, 0)
        return derive(once(text.format, value), FLOAT, value, simple=not text.startswith("CASE"))


def as_float(call: Call, index: int) -> Expr:
    """An argument as FLOAT."""
    value = numeric(call, index)
    return value if value.type == FLOAT else derive(f"CAST({value.sql} AS DOUBLE)", FLOAT, value)


for _name, _text in _FLOAT_FUNCTIONS.items():
    _float_function(_name, _text)

template("PI", "pi()", [], FLOAT, nullable=False)


@scalar("POWER", "POW", "ATAN2", args=2)
def power(call: Call) -> Expr:
    first, second = as_float(call, 0), as_float(call, 1)
    return derive(f"{'atan2' if call.name == 'ATAN2' else 'pow'}({first.sql}, {second.sql})", FLOAT, first, second)


@scalar("LOG", args=2)
def log(call: Call) -> Expr:
    base, value = as_float(call, 0), as_float(call, 1)
    message = "'Invalid floating point operation: log(' || {0} || ',' || {1} || ')'"
    wrong = raise_sql(100164, "22003", message)
    sql = once(
        lambda b, x: f"CASE WHEN {b} <= 0 OR {x} <= 0 THEN {wrong.format(b, x)} ELSE log({b}, {x}) END", base, value
    )
    return derive(sql, FLOAT, base, value)


@scalar("FACTORIAL", args=1)
def factorial(call: Call) -> Expr:
    value = call.arg(0, INTEGER)
    wrong = raise_sql(100167, "22023", "'Invalid argument for function FACTORIAL: ' || {0} || ' is not in 0 to 33'")
    sql = once(
        lambda n: (
            f"CASE WHEN {n} BETWEEN 0 AND 33 THEN CAST(factorial({n}::INTEGER) AS DECIMAL(38,0)) "
            f"WHEN {n} IS NOT NULL THEN {wrong.format(n)} END"
        ),
        as_bigint(value),
    )
    return derive(sql, INTEGER, value)


@scalar("HAVERSINE", args=4)
def haversine(call: Call) -> Expr:
    """Great-circle distance in kilometres between two points given in degrees."""
    points = [as_float(call, index) for index in range(4)]
    sql = once(
        lambda lat1, lon1, lat2, lon2: (
            f"2 * 6371 * asin(sqrt(pow(sin(radians({lat2} - {lat1}) / 2), 2) + "
            f"cos(radians({lat1})) * cos(radians({lat2})) * pow(sin(radians({lon2} - {lon1}) / 2), 2)))"
        ),
        *points,
    )
    return derive(sql, FLOAT, *points, simple=False)


@scalar("WIDTH_BUCKET", args=4)
def width_bucket(call: Call) -> Expr:
    """Which of n equally wide buckets holds a value: 0 below the first, n + 1 above the last."""
    values = [as_float(call, index) for index in range(3)]
    count = call.arg(3, INTEGER)
    wrong = raise_sql(100151, "22023", "'Invalid number of buckets ' || {0} || ' for function WIDTH_BUCKET'")
    sql = once(
        lambda value, low, high, buckets: (
            f"CASE WHEN {buckets} <= 0 THEN {wrong.format(buckets)} "
            f"WHEN {value} < {low} THEN 0 WHEN {value} >= {high} THEN {buckets} + 1 "
            f"ELSE CAST(floor(({value} - {low}) * {buckets} / ({high} - {low})) AS BIGINT) + 1 END"
        ),
        *values,
        as_bigint(count),
    )
    return derive(f"CAST({sql} AS {INTEGER.duckdb})", INTEGER, *values, count)
