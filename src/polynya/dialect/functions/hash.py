"""Checksums and identifiers: MD5, SHA, HASH, UUID_STRING.

Source: docs.snowflake.com/en/sql-reference/functions-string (cryptographic), functions/hash
"""

from __future__ import annotations

import hashlib
import uuid

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, derive, once
from polynya.dialect.functions.string import is_binary, text_or_binary
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError, unsupported
from polynya.types.sqltype import VARCHAR, binary, number, varchar

_HASH = number(19, 0)
_UNSIGNED_64 = number(20, 0)


@scalar("MD5", "MD5_HEX", args=1)
def md5(call: Call) -> Expr:
    value = text_or_binary(call)
    return derive(f"md5({value.sql})", varchar(32), value)


@scalar("MD5_BINARY", args=1)
def md5_binary(call: Call) -> Expr:
    value = text_or_binary(call)
    return derive(f"unhex(md5({value.sql}))", binary(16), value)


@scalar("MD5_NUMBER_LOWER64", "MD5_NUMBER_UPPER64", args=1)
def md5_number(call: Call) -> Expr:
    """The digest's last or first eight bytes, most significant first."""
    value = text_or_binary(call)
    half = f"substring(md5({value.sql}), {17 if call.name == 'MD5_NUMBER_LOWER64' else 1}, 16)"
    return derive(f"CAST(('0x' || {half})::UBIGINT AS {_UNSIGNED_64.duckdb})", _UNSIGNED_64, value)


@scalar("SHA1", "SHA1_HEX", args=1)
def sha1(call: Call) -> Expr:
    value = text_or_binary(call)
    return derive(f"sha1({value.sql})", varchar(40), value)


@scalar("SHA1_BINARY", args=1)
def sha1_binary(call: Call) -> Expr:
    value = text_or_binary(call)
    return derive(f"unhex(sha1({value.sql}))", binary(20), value)


@python_function("sf_sha2", ["BLOB", "INTEGER"], "VARCHAR")
def _sha2(value: bytes | None, bits: int | None) -> str | None:
    """SHA-2 of 224, 384 or 512 bits in hexadecimal digits."""
    if value is None or bits is None:
        return None
    if bits not in (0, 224, 256, 384, 512):
        raise SnowflakeError(100124, "22023", f"Invalid digest size {bits} for function SHA2")
    return hashlib.new(f"sha{bits or 256}", value).hexdigest()


def _digest(call: Call) -> tuple[str, int, Expr]:
    """SQL of the SHA-2 digest in hexadecimal digits, its bits at most, and the argument."""
    value = text_or_binary(call)
    bits = call.constant(1, 256)
    if bits not in (0, 224, 256, 384, 512):
        raise SnowflakeError(100124, "22023", f"Invalid digest size {bits} for function {call.name}")
    if bits in (0, 256):
        return f"sha256({value.sql})", 256, value
    octets = value.sql if is_binary(call) else f"encode({value.sql})"
    return f"sf_sha2({octets}, {bits})", bits, value


@scalar("SHA2", "SHA2_HEX", args=(1, 2))
def sha2(call: Call) -> Expr:
    digest, bits, value = _digest(call)
    return derive(digest, varchar(bits // 4), value)


@scalar("SHA2_BINARY", args=(1, 2))
def sha2_binary(call: Call) -> Expr:
    digest, bits, value = _digest(call)
    return derive(f"unhex({digest})", binary(bits // 8), value)


@scalar("HASH", args=(1, None))
def hash_(call: Call) -> Expr:
    """64 bits, the same for equal numbers of any type; NULL has a hash too."""
    return hash_of(call_values(call))


def call_values(call: Call) -> list[Expr]:
    """The arguments, with ``*`` and ``t.*`` spread out."""
    from sqlglot import exp

    values: list[Expr] = []
    for index, node in enumerate(call.nodes):
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            values.extend(value for _, value in call.binder.star_columns(node))
        else:
            values.append(call.arg(index))
    return values


def hash_of(values: list[Expr]) -> Expr:
    """The HASH of one value or several, as Snowflake's NUMBER(19,0)."""
    texts = [_canonical(value) for value in values]
    sql = f"CAST(hash({', '.join(texts)})::HUGEINT - 9223372036854775808 AS {_HASH.duckdb})"
    return derive(sql, _HASH, *values, nullable=False)


def _canonical(value: Expr) -> str:
    """SQL that is equal for equal numbers, whatever their type, and unlike any string."""
    if value.type.name == "NUMBER":
        if value.type.scale == 0:
            return f"'#' || {value.atom}::VARCHAR"
        return f"'#' || rtrim(rtrim({value.atom}::VARCHAR, '0'), '.')"
    if value.type.name == "FLOAT":
        return once(
            lambda text: (
                f"'#' || CASE WHEN {text} = trunc({text}) AND abs({text}) < 1e38 "
                f"THEN {text}::HUGEINT::VARCHAR ELSE {text}::VARCHAR END"
            ),
            value,
        )
    return value.sql


@python_function("sf_uuid5", ["VARCHAR", "VARCHAR"], "VARCHAR")
def _uuid5(namespace: str | None, name: str | None) -> str | None:
    """The version 5 UUID of a name in a namespace, which is a UUID too."""
    if namespace is None or name is None:
        return None
    try:
        return str(uuid.uuid5(uuid.UUID(namespace), name))
    except ValueError:
        raise SnowflakeError(100217, "22023", f"Invalid UUID '{namespace}'") from None


@scalar("UUID_STRING", args=(0, 2))
def uuid_string(call: Call) -> Expr:
    """A random (version 4) UUID, or with two arguments that of a name in a namespace."""
    if len(call) == 0:
        return Expr("CAST(uuid() AS VARCHAR)", varchar(36), False, volatile=True)
    if len(call) == 1:
        raise SnowflakeError(938, "22023", "SQL compilation error:\nnot enough arguments for function [UUID_STRING]")
    namespace, name = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    return derive(f"sf_uuid5({namespace.sql}, {name.sql})", varchar(36), namespace, name)


@scalar("ENCRYPT", "DECRYPT", "ENCRYPT_RAW", "DECRYPT_RAW", "TRY_DECRYPT", "TRY_DECRYPT_RAW", args=(0, None))
def encryption(call: Call) -> Expr:
    raise unsupported(call.name)
