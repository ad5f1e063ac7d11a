"""Type names as they are written -> ``SqlType``."""

from __future__ import annotations

from sqlglot import exp

from polynya.dialect.parse import parse_expression
from polynya.dialect.tokens import TokenStream
from polynya.dialect.type_syntax import NOT_NULL
from polynya.errors import compilation_error, unsupported
from polynya.types import sqltype
from polynya.types.sqltype import SqlType

_SYNONYMS = {
    "NUMBER": sqltype.INTEGER, "DECIMAL": sqltype.INTEGER, "NUMERIC": sqltype.INTEGER, "DEC": sqltype.INTEGER,
    "INT": sqltype.INTEGER, "INTEGER": sqltype.INTEGER, "BIGINT": sqltype.INTEGER, "SMALLINT": sqltype.INTEGER,
    "TINYINT": sqltype.INTEGER, "BYTEINT": sqltype.INTEGER, "INT128": sqltype.INTEGER, "UTINYINT": sqltype.INTEGER,
    "FLOAT": sqltype.FLOAT, "FLOAT4": sqltype.FLOAT, "FLOAT8": sqltype.FLOAT, "DOUBLE": sqltype.FLOAT,
    "DOUBLE PRECISION": sqltype.FLOAT, "REAL": sqltype.FLOAT,
    "VARCHAR": sqltype.VARCHAR, "STRING": sqltype.VARCHAR, "TEXT": sqltype.VARCHAR, "NVARCHAR": sqltype.VARCHAR,
    "NVARCHAR2": sqltype.VARCHAR, "CHAR VARYING": sqltype.VARCHAR, "NCHAR VARYING": sqltype.VARCHAR,
    "CHAR": sqltype.varchar(1), "CHARACTER": sqltype.varchar(1), "NCHAR": sqltype.varchar(1),
    "BINARY": sqltype.BINARY, "VARBINARY": sqltype.BINARY,
    "BOOLEAN": sqltype.BOOLEAN, "BOOL": sqltype.BOOLEAN,
    "DATE": sqltype.DATE, "DATE32": sqltype.DATE, "TIME": sqltype.TIME,
    "DATETIME": sqltype.TIMESTAMP_NTZ, "TIMESTAMP_NTZ": sqltype.TIMESTAMP_NTZ, "TIMESTAMPNTZ": sqltype.TIMESTAMP_NTZ,
    "TIMESTAMP_LTZ": sqltype.TIMESTAMP_LTZ, "TIMESTAMPLTZ": sqltype.TIMESTAMP_LTZ,
    "TIMESTAMP_TZ": sqltype.TIMESTAMP_TZ, "TIMESTAMPTZ": sqltype.TIMESTAMP_TZ,
    "VARIANT": sqltype.VARIANT, "OBJECT": sqltype.OBJECT, "STRUCT": sqltype.OBJECT, "ARRAY": sqltype.ARRAY,
    "LIST": sqltype.ARRAY, "GEOGRAPHY": SqlType("GEOGRAPHY"), "GEOMETRY": SqlType("GEOMETRY"), "FILE": SqlType("FILE"),
    "NULL": sqltype.NULL,
}  # fmt: skip
# Their length and precision may be given: NUMBER(10,2), VARCHAR(5), TIME(3).
_WITH_PARAMETERS = {"NUMBER", "VARCHAR", "BINARY", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"}


def from_tree(node: exp.DataType | exp.Expr, timestamp_mapping: str = "TIMESTAMP_NTZ") -> SqlType:
    """A parsed type.

    Args:
        node: as it stands in CAST or a column definition.
        timestamp_mapping: what plain TIMESTAMP means (session parameter TIMESTAMP_TYPE_MAPPING).

    Raises:
        SnowflakeError: for a type Snowflake does not have, or parameters out of range.
    """
    if isinstance(node, exp.Interval | exp.DataType) and isinstance(node.this, exp.Interval):
        raise unsupported("INTERVAL data type")
    kind = node.this if isinstance(node, exp.DataType) else node
    name = (kind.value if isinstance(kind, exp.DataType.Type) else str(node.args.get("kind") or kind)).upper()
    arguments = list(node.expressions) if isinstance(node, exp.DataType) else []
    if name == "USERDEFINED":
        name = str(node.args.get("kind") or node.sql("snowflake")).upper()
    return _build(name, arguments, timestamp_mapping)


def _build(name: str, arguments: list[exp.Expr], timestamp_mapping: str) -> SqlType:
    if name in ("TIMESTAMP",):
        name = timestamp_mapping
    if name == "MAP" and len(arguments) == 2:
        value, nullable = _nested(arguments[1], timestamp_mapping)
        key, _ = _nested(arguments[0], timestamp_mapping)
        return SqlType("MAP", key=key, element=value, element_nullable=nullable)
    if name in ("ARRAY", "LIST") and arguments:
        element, nullable = _nested(arguments[0], timestamp_mapping)
        return SqlType("ARRAY", element=element, element_nullable=nullable)
    if name in ("OBJECT", "STRUCT") and arguments:
        fields = tuple(
            # Keys keep their case, quoted or not: {'city': ...}::OBJECT(city VARCHAR).
            (field.this.name, _nested(field.args["kind"], timestamp_mapping)[0])
            for field in arguments
            if isinstance(field, exp.ColumnDef)
        )
        return SqlType("OBJECT", fields=fields)
    if name == "VECTOR" and len(arguments) == 2:
        element, _ = _nested(arguments[0], timestamp_mapping)
        return SqlType("VECTOR", element=element, length=_parameter(arguments[1], "VECTOR", 1, 4096))
    base = _SYNONYMS.get(name)
    if base is None:
        raise compilation_error(2040, "42601", f"Unsupported data type '{name}'.")
    if not arguments or base.name not in _WITH_PARAMETERS:
        return base
    if base.name == "NUMBER":
        precision = _parameter(arguments[0], "NUMBER precision", 0, 38) or 38  # 0 stands for the default
        scale = _parameter(arguments[1], "NUMBER scale", 0, min(precision, 37)) if len(arguments) > 1 else 0
        return sqltype.number(precision, scale)
    if base.name == "VARCHAR":
        return sqltype.varchar(_parameter(arguments[0], "VARCHAR length", 1, 134_217_728))
    if base.name == "BINARY":
        return sqltype.binary(_parameter(arguments[0], "BINARY length", 1, 67_108_864))
    return SqlType(base.name, precision=_parameter(arguments[0], f"{base.name} precision", 0, 9))


def _nested(node: exp.Expr, timestamp_mapping: str) -> tuple[SqlType, bool]:
    inner = node.expressions[0] if isinstance(node, exp.DataType) and len(node.expressions) == 1 else None
    if isinstance(inner, exp.ColumnDef) and inner.this.name == NOT_NULL:  # INT NOT NULL inside ARRAY(...) or MAP(...)
        return from_tree(inner.args["kind"], timestamp_mapping), False
    return from_tree(node, timestamp_mapping), True


def _parameter(node: exp.Expr, what: str, least: int, most: int) -> int:
    text = node.name if isinstance(node, exp.DataTypeParam) else node.sql()
    if not text.isdigit() or not least <= int(text) <= most:
        raise compilation_error(2042, "42601", f"Invalid {what} {text}: it must be between {least} and {most}.")
    return int(text)


def read_type(stream: TokenStream, timestamp_mapping: str = "TIMESTAMP_NTZ") -> SqlType:
    """Reads a type at the stream's position and steps over it.

    Raises:
        SnowflakeError: if no type stands there.
    """
    start = stream.index
    stream.next()
    for second in ("PRECISION", "VARYING"):
        stream.accept(second)
    if stream.at("("):
        stream.skip_parenthesis()
    return type_from_text(stream.source(start, stream.index), timestamp_mapping)


def type_from_text(text: str, timestamp_mapping: str = "TIMESTAMP_NTZ") -> SqlType:
    """The type that a text names, e.g. ``number(10, 2)``."""
    tree = parse_expression(f"CAST(NULL AS {text})")
    return from_tree(tree.args["to"], timestamp_mapping)
