"""pandas for vectorized handlers: argument columns as Series, results as Arrow columns.

Types follow docs.snowflake.com/en/developer-guide/udf/python/udf-python-batch (Type support): NUMBER without a fraction
is int16, int32 or int64 by its declared precision, the nullable dtype if the batch has NULLs; VARCHAR, BINARY and
semi-structured values are objects; BOOLEAN is the nullable dtype; DATE and TIMESTAMP_NTZ/_LTZ are datetime64, TIME is
timedelta64, TIMESTAMP_TZ objects.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from polynya.runtime import results, values
from polynya.runtime.narrow import integers
from polynya.types.sqltype import SqlType

_NS = "datetime64[ns]"


def series(column: pa.Array, kind: SqlType, zone: str) -> pd.Series:
    """A column of arguments; its memory is its own.

    Args:
        column: the engine's Arrow form, or int64 of unscaled values where that is decimal128.
        kind: the argument's type.
        zone: of the session.
    """
    match kind.name:
        case "NUMBER" | "FLOAT" if (plain := _plain(column, kind)) is not None:
            return pd.Series(plain, copy=False)
        case "NUMBER" if not kind.scale and column.type == pa.int64():
            mask = column.is_null().to_numpy(zero_copy_only=False)
            found = column.fill_null(0).to_numpy().astype(f"int{_width(kind)}", copy=True)
            return pd.Series(pd.arrays.IntegerArray(found, mask), copy=False)
        case "BOOLEAN":
            return column.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
        case "DATE" | "TIMESTAMP_NTZ":
            return pd.Series(_datetimes(column))
        case "TIMESTAMP_LTZ":
            local = pd.Series(_datetimes(column)).dt.tz_localize("UTC").dt.tz_convert(zone)
            return local.dt.tz_localize(None)
        case "TIME":
            return pd.Series(column.cast(pa.int64()).cast(pa.duration("us")).to_numpy(zero_copy_only=False)).astype(
                "timedelta64[ns]"
            )
    items = values.to_list(column, kind, zone)
    if kind.name == "TIMESTAMP_TZ":
        items = [pd.NaT if item is None else pd.Timestamp(item) for item in items]
    return pd.Series(_objects(items), dtype=object)


def _objects(items: list[Any]) -> np.ndarray:
    made = np.empty(len(items), object)
    made[:] = [None if item is values.SQL_NULL else item for item in items]
    return made


def _datetimes(column: pa.Array) -> np.ndarray:
    moments = column.to_numpy(zero_copy_only=False)
    found: np.ndarray = moments.astype(_NS)
    if (found.astype(moments.dtype) != moments)[~np.isnat(moments)].any():  # beyond 1677 to 2262
        found = moments.astype("datetime64[us]")
    return found


def frame(columns: list[pa.Array], kinds: list[SqlType], zone: str, names: list[str] | None = None) -> pd.DataFrame:
    """The DataFrame that a vectorized handler gets.

    Args:
        columns: of the arguments.
        kinds: their types.
        zone: of the session.
        names: of its columns; their numbers if None.
    """
    labels: Any = pd.RangeIndex(len(columns)) if names is None else names
    found = [_plain(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    plain = [array for array in found if array is not None]
    if columns and len(plain) == len(columns) and len({array.dtype for array in plain}) == 1:
        block = np.stack(plain) if len(plain) > 1 else plain[0].reshape(1, -1)
        return pd.DataFrame(block.T, columns=labels, copy=False)
    made = dict(enumerate(series(column, kind, zone) for column, kind in zip(columns, kinds, strict=True)))
    mixed = pd.DataFrame(made, copy=False)
    mixed.columns = pd.Index(labels) if columns else mixed.columns
    return mixed


def _plain(column: pa.Array, kind: SqlType) -> np.ndarray | None:
    """A copy of the column as numpy has it, if that is its Series' form."""
    if kind.name == "FLOAT":
        return np.array(column.to_numpy(zero_copy_only=False), np.float64, copy=True)
    if kind.name == "NUMBER" and not kind.scale and column.type == pa.int64() and not column.null_count:
        return column.to_numpy().astype(f"int{_width(kind)}", copy=True)
    return None


def _width(kind: SqlType) -> int:
    return 16 if kind.precision < 5 else 32 if kind.precision < 10 else 64


def to_column(result: Any, kind: SqlType, zone: str) -> pa.Array:
    """A result column, see ``results.column``; NaN, NaT and NA are NULL.

    Args:
        result: a Series, an Index, an array of numpy or pandas, a list or a tuple.
        kind: the declared type.
        zone: of the session.

    Raises:
        ResultError: if it is something else, or a value does not fit.
    """
    if isinstance(result, pd.DataFrame) and result.shape[1] == 1:
        result = result.iloc[:, 0]
    if isinstance(result, np.ndarray) and result.ndim == 2 and result.shape[1] == 1:
        result = result[:, 0]
    if isinstance(result, list | tuple):
        return results.column(_without_missing(list(result)), kind, zone)
    if isinstance(result, np.ndarray) and result.ndim == 1:
        result = pd.Series(result, copy=False)
    if not isinstance(result, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        raise results.ResultError(
            f"A vectorized function must return a pandas Series or array, or a numpy array of one dimension; "
            f"it returned {type(result).__name__}."
        )
    made = _fast(pd.Series(result, copy=False), kind, zone)
    if made is None:
        return results.column(_without_missing(pd.Series(result, copy=False).astype(object).tolist()), kind, zone)
    results.check(made, kind)
    return made


def _without_missing(items: list[Any]) -> list[Any]:
    """The items with None for NaN, NaT and NA."""
    if set(map(type, items)) <= {int, str, bool, bytes, dict, list, type(None)}:
        return items
    return [None if item is pd.NA or (isinstance(item, _MAY_BE_NOTHING) and item != item) else item for item in items]


_MAY_BE_NOTHING = (float, np.floating, date, np.datetime64, np.timedelta64, Decimal)


def _fast(result: pd.Series, kind: SqlType, zone: str) -> pa.Array | None:
    """The column without a Python object a value, or None."""
    dtype = result.dtype
    match kind.name, dtype.kind:
        case "NUMBER", "i" | "u" | "b":
            return _whole(result, kind)
        case "NUMBER", "f" if isinstance(dtype, np.dtype):
            return _rounded(result.to_numpy(), kind)
        case "FLOAT", "f" if dtype == np.float64:
            floats = np.ascontiguousarray(result.to_numpy())
            if not np.isnan(floats).any():
                return pa.Array.from_buffers(pa.float64(), len(floats), [None, pa.py_buffer(floats)])
            return pa.array(floats, pa.float64(), from_pandas=True)
        case "FLOAT", "f" | "i" | "u" | "b":
            return pa.array(result.astype("Float64" if pd.api.types.is_extension_array_dtype(dtype) else "float64"),
                            pa.float64(), from_pandas=True)  # fmt: skip
        case "BOOLEAN", "b":
            return pa.array(result, pa.bool_(), from_pandas=True)
        case "VARCHAR", "O":
            if pd.api.types.infer_dtype(result, skipna=True) == "string":
                return pa.array(result, pa.string(), from_pandas=True)
        case "DATE", "M" if isinstance(dtype, np.dtype):
            return pa.array(result.to_numpy().astype("datetime64[D]"), pa.date32())
        case "TIME", "m":
            return _clock(result)
        case "TIMESTAMP_NTZ", "M":
            naive = result if isinstance(dtype, np.dtype) else result.dt.tz_localize(None)
            return pa.array(naive.to_numpy().astype("datetime64[us]"), pa.timestamp("us"))
        case "TIMESTAMP_LTZ", "M":
            aware = result.dt.tz_localize(zone) if isinstance(dtype, np.dtype) else result
            utc = aware.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
            return pa.array(utc, pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    return None


def _whole(result: pd.Series, kind: SqlType) -> pa.Array | None:
    if isinstance(result.dtype, np.dtype):
        if result.dtype == np.uint64 or (kind.scale and kind.scale + 10 > 18):
            return None
        found = np.ascontiguousarray(result.to_numpy(), np.int64)
        if kind.scale:
            if len(found) and max(abs(int(found.max())), abs(int(found.min()))) >= 10 ** (18 - kind.scale):
                return None
            found = found * 10**kind.scale
        return integers(found)
    if kind.scale or result.dtype == pd.UInt64Dtype():
        return None
    return pa.array(result.astype("Int64"), pa.int64(), from_pandas=True)


def _rounded(floats: np.ndarray, kind: SqlType) -> pa.Array | None:
    if kind.scale:  # decimal rounding needs the digits of each
        return None
    missing = np.isnan(floats)
    magnitude = np.floor(np.abs(floats) + 0.5)
    # Halves are exact below 2^52, above all floats are whole.
    magnitude = np.where(np.abs(floats) >= 2.0**52, np.abs(floats), magnitude)
    if (magnitude[~missing] >= 2.0**63).any():
        return None
    whole = np.where(missing, 0, np.copysign(magnitude, floats)).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=missing) if missing.any() else integers(whole)


_DAY = 86_400_000_000


def _clock(result: pd.Series) -> pa.Array:
    micros = pa.array(result.to_numpy().astype("timedelta64[us]"), pa.duration("us")).cast(pa.int64())
    if pc.any(pc.or_(pc.less(micros, 0), pc.greater_equal(micros, _DAY))).as_py():
        raise results.ResultError("The function returned a timedelta outside of a day for TIME.")
    return micros.cast(pa.time64("us"))
