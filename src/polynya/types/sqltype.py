"""Snowflake's data types: one immutable value per type, its SQL name and its DuckDB form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

MAX_VARCHAR = 16_777_216
MAX_BINARY = 8_388_608


@dataclass(frozen=True, slots=True)
class SqlType:
    """A Snowflake data type.

    Args:
        name: NUMBER, FLOAT, VARCHAR, BINARY, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ, TIMESTAMP_LTZ, TIMESTAMP_TZ,
            VARIANT, OBJECT, ARRAY, MAP, VECTOR, GEOGRAPHY, GEOMETRY, FILE or NULL (the type of a bare NULL).
        precision: digits of NUMBER; fractional digits of TIME and TIMESTAMP_*.
        scale: fractional digits of NUMBER.
        length: characters of VARCHAR, bytes of BINARY, dimension of VECTOR.
        element: item type of a structured ARRAY, value type of MAP, item type of VECTOR.
        key: key type of MAP.
        fields: (name, type) of a structured OBJECT.
        element_nullable: whether items of a structured ARRAY or values of a MAP may be NULL.
        collation: of VARCHAR, e.g. ``en-ci``, or ""; types that differ only in it are equal.
    """

    name: str
    precision: int = 0
    scale: int = 0
    length: int = 0
    element: SqlType | None = None
    key: SqlType | None = None
    fields: tuple[tuple[str, SqlType], ...] | None = None
    element_nullable: bool = True
    collation: str = field(default="", compare=False)

    @property
    def is_timestamp(self) -> bool:
        return self.name.startswith("TIMESTAMP")

    @property
    def is_semistructured(self) -> bool:
        """Whether the engine holds it as JSON text: VARIANT, OBJECT, ARRAY, MAP."""
        return self.name in ("VARIANT", "OBJECT", "ARRAY", "MAP")

    @property
    def is_numeric(self) -> bool:
        return self.name in ("NUMBER", "FLOAT")

    def __str__(self) -> str:
        """The type as DESCRIBE TABLE writes it, e.g. ``NUMBER(38,0)``."""
        if self.name == "NUMBER":
            return f"NUMBER({self.precision},{self.scale})"
        if self.name in ("VARCHAR", "BINARY"):
            return f"{self.name}({self.length})"
        if self.name == "TIME" or self.is_timestamp:
            return f"{self.name}({self.precision})"
        not_null = "" if self.element_nullable else " NOT NULL"
        if self.name == "ARRAY" and self.element:
            return f"ARRAY({self.element}{not_null})"
        if self.name == "MAP" and self.key:
            return f"MAP({self.key}, {self.element}{not_null})"
        if self.name == "OBJECT" and self.fields is not None:
            return "OBJECT(" + ", ".join(f"{name} {field}" for name, field in self.fields) + ")"
        if self.name == "VECTOR":
            return f"VECTOR({'INT' if self.element == INTEGER else self.element}, {self.length})"
        return self.name

    @property
    def duckdb(self) -> str:
        """The DuckDB type that holds it.

        TIMESTAMP_TZ is an instant and its offset in minutes; semi-structured values are JSON text, in which scalars
        that JSON lacks are tagged strings (see ``dialect.semistructured``).
        """
        match self.name:
            case "NUMBER":
                return f"DECIMAL({self.precision},{self.scale})"
            case "VECTOR":
                return f"{'INTEGER' if self.element == INTEGER else 'FLOAT'}[{self.length}]"
            case "TIMESTAMP_TZ":
                return 'STRUCT("instant" TIMESTAMPTZ, "offset" SMALLINT)'
        return _DUCKDB[self.name]

    def with_length(self, length: int) -> SqlType:
        return replace(self, length=length)


_DUCKDB = {
    "FLOAT": "DOUBLE",
    "VARCHAR": "VARCHAR",
    "BINARY": "BLOB",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
    "MAP": "JSON",
    "GEOGRAPHY": "JSON",
    "GEOMETRY": "JSON",
    "FILE": "JSON",
    "NULL": "VARCHAR",
}


def number(precision: int = 38, scale: int = 0) -> SqlType:
    """NUMBER(precision, scale), both capped at 38 and 37."""
    return SqlType("NUMBER", precision=min(precision, 38), scale=min(scale, 37))


def varchar(length: int = MAX_VARCHAR) -> SqlType:
    return SqlType("VARCHAR", length=min(length, 134_217_728))


def binary(length: int = MAX_BINARY) -> SqlType:
    return SqlType("BINARY", length=length)


def timestamp(kind: str = "NTZ", precision: int = 9) -> SqlType:
    """TIMESTAMP_NTZ, _LTZ or _TZ."""
    return SqlType(f"TIMESTAMP_{kind}", precision=precision)


INTEGER = number(38, 0)
FLOAT = SqlType("FLOAT")
VARCHAR = varchar()
BINARY = binary()
BOOLEAN = SqlType("BOOLEAN")
DATE = SqlType("DATE")
TIME = SqlType("TIME", precision=9)
TIMESTAMP_NTZ = timestamp("NTZ")
TIMESTAMP_LTZ = timestamp("LTZ")
TIMESTAMP_TZ = timestamp("TZ")
VARIANT = SqlType("VARIANT")
OBJECT = SqlType("OBJECT")
ARRAY = SqlType("ARRAY")
NULL = SqlType("NULL")
