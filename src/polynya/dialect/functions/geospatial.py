"""The basics of GEOGRAPHY and GEOMETRY, whose values are GeoJSON.

Source: docs.snowflake.com/en/sql-reference/functions-geospatial.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from polynya.dialect import casts, semistructured, variant_text
from polynya.dialect.conversions import place_sql
from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, derive, once
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError, unsupported
from polynya.types import variant
from polynya.types.sqltype import BOOLEAN, FLOAT, OBJECT, VARCHAR, SqlType

GEOGRAPHY, GEOMETRY = SqlType("GEOGRAPHY"), SqlType("GEOMETRY")
_EARTH_RADIUS = 6_371_008.8  # metres, mean

# --- places -----------------------------------------------------------------------------------------------------------


@scalar(
    "TO_GEOGRAPHY", "TRY_TO_GEOGRAPHY", "ST_GEOGRAPHYFROMTEXT", "ST_GEOGRAPHYFROMWKT", "ST_GEOGFROMTEXT", args=(1, 2)
)
def to_geography(call: Call) -> Expr:
    return _place(call, GEOGRAPHY)


@scalar("TO_GEOMETRY", "TRY_TO_GEOMETRY", "ST_GEOMETRYFROMTEXT", "ST_GEOMETRYFROMWKT", "ST_GEOMFROMTEXT", args=(1, 3))
def to_geometry(call: Call) -> Expr:
    return _place(call, GEOMETRY)


def _place(call: Call, kind: SqlType) -> Expr:
    value = call.arg(0)
    if value.type.name in ("GEOGRAPHY", "GEOMETRY"):
        return value.typed(kind)
    if value.type.name in ("OBJECT", "VARIANT"):
        value = derive(variant_text.json_sql(value.sql, call.context), VARCHAR, value)
    text = casts.coerce(value, VARCHAR, call.context)
    if text is None or value.type.name not in ("VARCHAR", "NULL"):
        raise call.wrong_types()
    return derive(place_sql(text.sql, kind, call.name.startswith("TRY_")), kind, text, nullable=True)


@scalar("ST_MAKEPOINT", "ST_POINT", "ST_MAKEGEOMPOINT", "ST_GEOM_POINT", args=2)
def st_makepoint(call: Call) -> Expr:
    x, y = call.arg(0, FLOAT), call.arg(1, FLOAT)
    kind = GEOMETRY if "GEOM" in call.name else GEOGRAPHY
    number = (lambda v: semistructured.value_sql(v, FLOAT)) if kind == GEOMETRY else (lambda v: f"json({v})")
    sql = once(
        lambda a, b: (
            f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN"
            f" json_object('coordinates', json_array({number(a)}, {number(b)}), 'type', 'Point') END"
        ),
        x,
        y,
    )
    return derive(sql, kind, x, y)


def _geo(call: Call, index: int) -> Expr:
    bound = call.arg(index)
    if bound.type.name not in ("GEOGRAPHY", "GEOMETRY"):
        raise call.wrong_types()
    return bound


@scalar("ST_X", "ST_Y", args=1)
def coordinate(call: Call) -> Expr:
    place = _geo(call, 0)
    return derive(_coordinate(place.sql, 0 if call.name == "ST_X" else 1), FLOAT, place, nullable=True)


def _coordinate(sql: str, index: int) -> str:
    """SQL of a point's coordinate; NULL for what is no point."""
    return f"TRY_CAST(sf_numeric_text(json_extract({sql}, '$.coordinates[{index}]')) AS DOUBLE)"


@scalar("ST_ASGEOJSON", args=1)
def st_asgeojson(call: Call) -> Expr:
    return _geo(call, 0).typed(OBJECT)


@scalar("ST_ASTEXT", "ST_ASWKT", args=1)
def st_astext(call: Call) -> Expr:
    place = _geo(call, 0)
    return derive(f"sf_place_text({place.sql}::VARCHAR)", VARCHAR, place)


@scalar("ST_DISTANCE", args=2)
def st_distance(call: Call) -> Expr:
    """Between points: metres on a sphere for GEOGRAPHY, in the plane for GEOMETRY."""
    left, right = _geo(call, 0), _geo(call, 1)
    return derive(_distance(left, right), FLOAT, left, right, nullable=True)


@scalar("ST_DWITHIN", args=3)
def st_dwithin(call: Call) -> Expr:
    left, right, limit = _geo(call, 0), _geo(call, 1), call.arg(2, FLOAT)
    return derive(f"{_distance(left, right)} <= {limit.atom}", BOOLEAN, left, right, limit, nullable=True, simple=False)


def _distance(left: Expr, right: Expr) -> str:
    names = ("x1", "y1", "x2", "y2")
    values = [_coordinate(expr.sql, index) for expr in (left, right) for index in (0, 1)]
    held = "{" + ", ".join(f"'{name}': {value}" for name, value in zip(names, values, strict=True)) + "}"
    if left.type == GEOMETRY:
        formula = "sqrt((sf_p.x1 - sf_p.x2) ** 2 + (sf_p.y1 - sf_p.y2) ** 2)"
    else:
        half = "sin(radians(sf_p.y2 - sf_p.y1) / 2) ** 2 + cos(radians(sf_p.y1)) * cos(radians(sf_p.y2)) * sin(radians(sf_p.x2 - sf_p.x1) / 2) ** 2"
        formula = f"2 * {_EARTH_RADIUS} * asin(sqrt(least({half}, 1)))"
    for expr in (left, right):
        point = f"json_extract_string({expr.sql}, '$.type') = 'Point'"
        formula = f"CASE WHEN {expr.sql} IS NULL OR {point} THEN {formula} ELSE error('ST_DISTANCE of shapes other than points is not supported') END"
    return f"list_transform([{held}], lambda sf_p: {formula})[1]"


@scalar("ST_CONTAINS", "ST_WITHIN", "ST_INTERSECTS", "ST_AREA", "ST_LENGTH", "ST_BUFFER", "ST_CENTROID", "ST_UNION",
        "ST_COVERS", "ST_COVEREDBY", "ST_ASWKB", "ST_MAKELINE", "ST_MAKEPOLYGON", "H3_LATLNG_TO_CELL", args=(0, None))  # fmt: skip
def shapes(call: Call) -> Expr:
    """Geometry of shapes is not there."""
    raise unsupported(call.name)


@python_function("sf_place", ["VARCHAR", "VARCHAR", "BOOLEAN"], "VARCHAR", vectorized=True)
def _read_place(texts: pa.Array, kinds: pa.Array, attempts: pa.Array) -> pa.Array:
    rows = zip(texts.to_pylist(), kinds.to_pylist(), attempts.to_pylist(), strict=True)
    return pa.array([None if row[0] is None else _geojson(*row) for row in rows], pa.string())


def _geojson(text: str, kind: str, attempt: bool) -> str | None:
    """GeoJSON or WKT as canonical GeoJSON."""
    try:
        variant.check_depth(text)
        shape = json.loads(text, parse_float=Decimal) if text.lstrip().startswith("{") else _from_wkt(text)
        if not isinstance(shape, dict) or "type" not in shape:
            raise ValueError(text)
    except (ValueError, IndexError, RecursionError):
        if attempt:
            return None
        raise SnowflakeError(
            100205,
            "22023",
            f"Error parsing Geo input: {text[:100]}. Did not recognize valid GeoJSON, (E)WKT or (E)WKB.",
        ) from None
    return variant.encode(_as_floats(shape) if kind == "GEOMETRY" else shape)


def _as_floats(value: Any) -> Any:
    """GEOMETRY's coordinates are FLOAT."""
    if isinstance(value, dict):
        return {key: _as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


_SHAPES = {
    "POINT": "Point", "LINESTRING": "LineString", "POLYGON": "Polygon", "MULTIPOINT": "MultiPoint",
    "MULTILINESTRING": "MultiLineString", "MULTIPOLYGON": "MultiPolygon",
}  # fmt: skip


def _from_wkt(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"\s*(?:SRID\s*=\s*\d+\s*;)?\s*([A-Z]+)\s*(\(.*\))\s*", text, re.IGNORECASE | re.DOTALL)
    if found is None or found[1].upper() not in _SHAPES:
        raise ValueError(text)
    name = found[1].upper()
    nested = re.sub(r"[^(),]+", lambda part: "[" + ",".join(part[0].split()) + "]" if part[0].strip() else "", found[2])
    coordinates = json.loads(nested.replace("(", "[").replace(")", "]"), parse_float=Decimal)
    if name == "POINT":
        coordinates = coordinates[0]
    elif name == "MULTIPOINT":
        coordinates = [point[0] if isinstance(point[0], list) else point for point in coordinates]
    return {"type": _SHAPES[name], "coordinates": coordinates}


@python_function("sf_place_text", ["VARCHAR"], "VARCHAR", vectorized=True)
def _place_text(texts: pa.Array) -> pa.Array:
    def nested(value: Any) -> str:
        if value and isinstance(value[0], list):
            return ",".join(nested(item) if not isinstance(item[0], list) else f"({nested(item)})" for item in value)
        return " ".join(f"{float(item):.10g}" for item in value)

    def write(text: str) -> str:
        shape = variant.decode(text)
        return f"{str(shape['type']).upper()}({nested(shape['coordinates'])})"

    return pa.array([None if text is None else write(text) for text in texts.to_pylist()], pa.string())
