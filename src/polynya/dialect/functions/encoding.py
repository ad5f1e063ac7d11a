"""Encodings of strings and BINARY: BASE64, hexadecimal, compression; PARSE_URL and PARSE_IP.

Source: docs.snowflake.com/en/sql-reference/functions-string
"""

from __future__ import annotations

import bz2
import ipaddress
import json
import re
import zlib
from urllib.parse import unquote_plus, urlsplit

import pyarrow as pa

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, as_bigint, derive, once
from polynya.dialect.functions.string import is_binary, text_or_binary
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import BINARY, INTEGER, OBJECT, VARCHAR

# --- BASE64 -----------------------------------------------------------------------------------------------------------

# The characters for 62, 63 and padding, which an alphabet argument replaces from the left.
_BASE64_MARKS = "+/="


def _octets(call: Call, index: int = 0) -> Expr:
    """An argument's bytes: BINARY as it is, a string's in UTF-8."""
    value = text_or_binary(call, index)
    return value if is_binary(call, index) else derive(f"encode({value.sql})", BINARY, value)


def _alphabet(call: Call, index: int) -> Expr | None:
    return call.arg(index, VARCHAR) if len(call) > index else None


def _to_marks(text: str, alphabet: Expr | None) -> str:
    if alphabet is None:
        return text
    return f"translate({text}, left('{_BASE64_MARKS}', length({alphabet.sql})), {alphabet.sql})"


def _from_marks(text: str, alphabet: Expr | None) -> str:
    if alphabet is None:
        return text
    return f"translate({text}, {alphabet.sql}, left('{_BASE64_MARKS}', length({alphabet.sql})))"


@scalar("BASE64_ENCODE", args=(1, 3))
def base64_encode(call: Call) -> Expr:
    """With a maximal line length, lines are separated by newlines."""
    value = _octets(call)
    size, alphabet = (call.arg(1, INTEGER) if len(call) > 1 else None), _alphabet(call, 2)
    sql = _to_marks(f"base64({value.sql})", alphabet)
    sources = [source for source in (value, size, alphabet) if source is not None]
    if size is not None and size.constant != 0:
        sql = once(
            lambda text, width: (
                f"CASE WHEN {width} > 0 THEN "
                f"rtrim(regexp_replace({text}, '(.{{' || {width} || '}})', '\\1' || chr(10), 'g'), chr(10)) ELSE {text} END"
            ),
            sql,
            as_bigint(size),
        )
    return derive(sql, VARCHAR, *sources)


def _decoded(call: Call, octets: str, text: Expr, *sources: Expr) -> Expr:
    """The result of a decoding function: BINARY or a string, NULL or an error where it cannot be decoded."""
    attempt = call.name.startswith("TRY_")
    if call.name.endswith("_BINARY"):
        sql, result = octets, BINARY
    else:
        sql, result = f"decode({octets})", VARCHAR
    if attempt:
        return derive(f"TRY({sql})", result, *sources, nullable=True)
    kind = "base64" if "BASE64" in call.name else "hex"
    wrong = raise_sql(
        100203 if kind == "base64" else 100201,
        "22023",
        f"'The following string is not a legal {kind}-encoded value: ''' || {text.atom} || ''''",
    )
    checked = f"CASE WHEN TRY({sql}) IS NULL AND {text.atom} IS NOT NULL THEN {wrong} ELSE {sql} END"
    return derive(checked, result, *sources)


@scalar(
    "BASE64_DECODE_BINARY", "BASE64_DECODE_STRING", "TRY_BASE64_DECODE_BINARY", "TRY_BASE64_DECODE_STRING", args=(1, 2)
)
def base64_decode(call: Call) -> Expr:
    text, alphabet = call.arg(0, VARCHAR), _alphabet(call, 1)
    compact = f"replace(replace({text.sql}, chr(10), ''), chr(13), '')"
    octets = f"from_base64({_from_marks(compact, alphabet)})"
    return _decoded(call, octets, text, *[source for source in (text, alphabet) if source is not None])


# --- hexadecimal ------------------------------------------------------------------------------------------------------


@scalar("HEX_ENCODE", args=(1, 2))
def hex_encode(call: Call) -> Expr:
    value = text_or_binary(call)
    upper = call.constant(1, 1)
    return derive(f"hex({value.sql})" if upper else f"lower(hex({value.sql}))", VARCHAR, value)


@scalar("HEX_DECODE_BINARY", "HEX_DECODE_STRING", "TRY_HEX_DECODE_BINARY", "TRY_HEX_DECODE_STRING", args=1)
def hex_decode(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    # The engine would read an odd number of digits too.
    octets = f"unhex(CASE WHEN length({text.atom}) % 2 = 1 THEN '?' ELSE {text.atom} END)"
    return _decoded(call, octets, text, text)


# --- compression ------------------------------------------------------------------------------------------------------

_METHOD = re.compile(r"(\w+)(?:\((-?\d+)\))?$")


def _method(text: str) -> tuple[str, int | None]:
    """The method and level of e.g. ``zlib(1)``."""
    match = _METHOD.match(text.strip().lower())
    if not match or match[1] not in ("snappy", "zlib", "zstd", "bz2"):
        raise SnowflakeError(100244, "22023", f"Invalid compression method '{text}'")
    return match[1], int(match[2]) if match[2] else None


@python_function("sf_compress", ["BLOB", "VARCHAR"], "BLOB")
def _compress(value: bytes | None, method: str | None) -> bytes | None:
    if value is None or method is None:
        return None
    name, level = _method(method)
    if name == "zlib":
        return zlib.compress(value, -1 if level is None else level)
    if name == "bz2":
        return bz2.compress(value, 9 if level is None else level)
    codec = pa.Codec(name, compression_level=level) if name == "zstd" else pa.Codec(name)
    return codec.compress(value, asbytes=True)


@python_function("sf_decompress", ["BLOB", "VARCHAR"], "BLOB")
def _decompress(value: bytes | None, method: str | None) -> bytes | None:
    if value is None or method is None:
        return None
    name, _ = _method(method)
    try:
        if name == "zlib":
            return zlib.decompress(value)
        if name == "bz2":
            return bz2.decompress(value)
        if name == "snappy":
            return pa.Codec("snappy").decompress(value, decompressed_size=_snappy_size(value), asbytes=True)
        return pa.CompressedInputStream(pa.BufferReader(value), "zstd").read()
    except (zlib.error, OSError, ValueError, pa.ArrowException) as error:
        raise SnowflakeError(100245, "22023", f"Invalid {name} compressed value: {error}") from None


def _snappy_size(value: bytes) -> int:
    """The size of the original, which Snappy writes first in groups of seven bits."""
    size = 0
    for index, byte in enumerate(value[:5]):
        size |= (byte & 127) << (7 * index)
        if byte < 128:
            break
    return size


@scalar("COMPRESS", args=2)
def compress(call: Call) -> Expr:
    value, method = _octets(call), call.arg(1, VARCHAR)
    return derive(f"sf_compress({value.sql}, {method.sql})", BINARY, value, method)


@scalar("DECOMPRESS_BINARY", "DECOMPRESS_STRING", args=2)
def decompress(call: Call) -> Expr:
    value, method = call.arg(0, BINARY), call.arg(1, VARCHAR)
    octets = f"sf_decompress({value.sql}, {method.sql})"
    if call.name == "DECOMPRESS_STRING":
        return derive(f"decode({octets})", VARCHAR, value, method)
    return derive(octets, BINARY, value, method)


# --- addresses --------------------------------------------------------------------------------------------------------


@python_function("sf_parse_url", ["VARCHAR", "BOOLEAN"], "VARCHAR")
def _parse_url(url: str | None, permissive: bool | None) -> str | None:
    """A URL's parts as JSON text."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        if not parts.scheme:
            raise ValueError("scheme not specified")
    except ValueError as error:
        if permissive:
            return json.dumps({"error": str(error)}, separators=(",", ":"))
        raise SnowflakeError(100139, "22P02", f"Error parsing URL: {error}") from None
    pairs = [piece.partition("=") for piece in parts.query.split("&") if piece]
    parameters = {unquote_plus(name): unquote_plus(value) if mark else None for name, mark, value in pairs}
    found = {
        "fragment": parts.fragment or None,
        "host": (parts.netloc.rpartition("@")[2].rpartition(":")[0] if port is not None else parts.netloc) or None,
        "parameters": parameters or None,
        "path": parts.path.lstrip("/") or None,
        "port": str(port) if port is not None else None,
        "query": parts.query or None,
        "scheme": parts.scheme,
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


@scalar("PARSE_URL", args=(1, 2))
def parse_url(call: Call) -> Expr:
    url = call.arg(0, VARCHAR)
    permissive = "TRUE" if call.constant(1, 0) else "FALSE"
    return derive(f"sf_parse_url({url.sql}, {permissive})::JSON", OBJECT, url)


@python_function("sf_parse_ip", ["VARCHAR", "VARCHAR", "BOOLEAN"], "VARCHAR")
def _parse_ip(text: str | None, kind: str | None, permissive: bool | None) -> str | None:
    """An address with an optional prefix length as JSON text."""
    if text is None or kind is None:
        return None
    try:
        if kind.upper() not in ("INET", "CIDR"):
            raise ValueError(f"invalid type {kind}")
        address, _, prefix = text.partition("/")
        ip = ipaddress.ip_address(address)
        network = ipaddress.ip_network(text, strict=False) if prefix else None
    except ValueError as error:
        if permissive:
            return json.dumps({"error": str(error)}, separators=(",", ":"))
        raise SnowflakeError(100140, "22P02", f"Error parsing IP: {error}") from None
    found: dict[str, object] = {
        "family": ip.version,
        "host": address,
        "ip_fields": [int(ip) >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)]
        if ip.version == 6
        else [int(ip), 0, 0, 0],
        "ip_type": kind.lower(),
        "netmask_prefix_length": network.prefixlen if network else None,
        "snowflake$type": "ip_address",
    }
    if ip.version == 4:
        found["ipv4"] = int(ip)
        if network:
            found |= {"ipv4_range_start": int(network[0]), "ipv4_range_end": int(network[-1])}
    else:
        found["hex_ipv6"] = f"{int(ip):032X}"
        if network:
            found |= {
                "hex_ipv6_range_start": f"{int(network[0]):032X}",
                "hex_ipv6_range_end": f"{int(network[-1]):032X}",
            }
    return json.dumps(dict(sorted(found.items())), separators=(",", ":"))


@scalar("PARSE_IP", args=(2, 3))
def parse_ip(call: Call) -> Expr:
    text, kind = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    permissive = "TRUE" if call.constant(2, 0) else "FALSE"
    return derive(f"sf_parse_ip({text.sql}, {kind.sql}, {permissive})::JSON", OBJECT, text, kind)
