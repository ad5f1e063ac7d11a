"""File formats: their options, defaults and checks.

Source: docs.snowflake.com/en/sql-reference/sql/create-file-format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polynya.errors import SnowflakeError, compilation_error

TYPES = ("CSV", "JSON", "AVRO", "ORC", "PARQUET", "XML")
COMPRESSIONS = ("AUTO", "GZIP", "BZ2", "BROTLI", "ZSTD", "DEFLATE", "RAW_DEFLATE", "NONE")
_PARQUET_COMPRESSIONS = ("AUTO", "LZO", "SNAPPY", "GZIP", "ZSTD", "NONE")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a format type.

    Args:
        kind: STRING, BOOLEAN, INTEGER or LIST (of strings).
        default: its value where it is not given; None stands for NONE.
    """

    kind: str
    default: Any


_BACKSLASH_N = "\\N"
# In the order in which DESCRIBE FILE FORMAT shows them.
_OPTIONS: dict[str, dict[str, Option]] = {
    "CSV": {
        "RECORD_DELIMITER": Option("STRING", "\n"),
        "FIELD_DELIMITER": Option("STRING", ","),
        "FILE_EXTENSION": Option("STRING", ""),
        "SKIP_HEADER": Option("INTEGER", 0),
        "PARSE_HEADER": Option("BOOLEAN", False),
        "DATE_FORMAT": Option("STRING", "AUTO"),
        "TIME_FORMAT": Option("STRING", "AUTO"),
        "TIMESTAMP_FORMAT": Option("STRING", "AUTO"),
        "BINARY_FORMAT": Option("STRING", "HEX"),
        "ESCAPE": Option("STRING", None),
        "ESCAPE_UNENCLOSED_FIELD": Option("STRING", "\\"),
        "TRIM_SPACE": Option("BOOLEAN", False),
        "FIELD_OPTIONALLY_ENCLOSED_BY": Option("STRING", None),
        "NULL_IF": Option("LIST", [_BACKSLASH_N]),
        "COMPRESSION": Option("STRING", "AUTO"),
        "ERROR_ON_COLUMN_COUNT_MISMATCH": Option("BOOLEAN", True),
        "VALIDATE_UTF8": Option("BOOLEAN", True),
        "SKIP_BLANK_LINES": Option("BOOLEAN", False),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
        "EMPTY_FIELD_AS_NULL": Option("BOOLEAN", True),
        "SKIP_BYTE_ORDER_MARK": Option("BOOLEAN", True),
        "ENCODING": Option("STRING", "UTF8"),
        "MULTI_LINE": Option("BOOLEAN", True),
    },
    "JSON": {
        "FILE_EXTENSION": Option("STRING", ""),
        "DATE_FORMAT": Option("STRING", "AUTO"),
        "TIME_FORMAT": Option("STRING", "AUTO"),
        "TIMESTAMP_FORMAT": Option("STRING", "AUTO"),
        "BINARY_FORMAT": Option("STRING", "HEX"),
        "TRIM_SPACE": Option("BOOLEAN", False),
        "NULL_IF": Option("LIST", []),
        "COMPRESSION": Option("STRING", "AUTO"),
        "MULTI_LINE": Option("BOOLEAN", True),
        "ENABLE_OCTAL": Option("BOOLEAN", False),
        "ALLOW_DUPLICATE": Option("BOOLEAN", False),
        "STRIP_OUTER_ARRAY": Option("BOOLEAN", False),
        "STRIP_NULL_VALUES": Option("BOOLEAN", False),
        "IGNORE_UTF8_ERRORS": Option("BOOLEAN", False),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
        "SKIP_BYTE_ORDER_MARK": Option("BOOLEAN", True),
    },
    "AVRO": {
        "TRIM_SPACE": Option("BOOLEAN", False),
        "NULL_IF": Option("LIST", []),
        "COMPRESSION": Option("STRING", "AUTO"),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
    },
    "ORC": {
        "TRIM_SPACE": Option("BOOLEAN", False),
        "NULL_IF": Option("LIST", []),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
    },
    "PARQUET": {
        "TRIM_SPACE": Option("BOOLEAN", False),
        "NULL_IF": Option("LIST", []),
        "COMPRESSION": Option("STRING", "AUTO"),
        "SNAPPY_COMPRESSION": Option("BOOLEAN", True),
        "BINARY_AS_TEXT": Option("BOOLEAN", True),
        "USE_LOGICAL_TYPE": Option("BOOLEAN", False),
        "USE_VECTORIZED_SCANNER": Option("BOOLEAN", False),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
    },
    "XML": {
        "COMPRESSION": Option("STRING", "AUTO"),
        "IGNORE_UTF8_ERRORS": Option("BOOLEAN", False),
        "PRESERVE_SPACE": Option("BOOLEAN", False),
        "STRIP_OUTER_ELEMENT": Option("BOOLEAN", False),
        "DISABLE_SNOWFLAKE_DATA": Option("BOOLEAN", False),
        "DISABLE_AUTO_CONVERT": Option("BOOLEAN", False),
        "REPLACE_INVALID_CHARACTERS": Option("BOOLEAN", False),
        "SKIP_BYTE_ORDER_MARK": Option("BOOLEAN", True),
    },
}
# What DESCRIBE gives as the default of an option where it is not what applies.
_SHOWN_DEFAULTS = {"NULL_IF": [_BACKSLASH_N], "TYPE": "CSV"}
_SINGLE_CHARACTER = ("ESCAPE", "ESCAPE_UNENCLOSED_FIELD", "FIELD_OPTIONALLY_ENCLOSED_BY")
ENCODINGS = {
    "UTF8": "utf-8", "UTF16": "utf-16", "UTF16BE": "utf-16-be", "UTF16LE": "utf-16-le", "UTF32": "utf-32",
    "UTF32BE": "utf-32-be", "UTF32LE": "utf-32-le", "BIG5": "big5", "EUCJP": "euc_jp", "EUCKR": "euc_kr",
    "GB18030": "gb18030", "ISO2022JP": "iso2022_jp", "ISO2022KR": "iso2022_kr", "SHIFTJIS": "shift_jis",
    "KOI8R": "koi8_r", "ASCII": "ascii", "IBM420": "cp420", "IBM424": "cp424", "IBM949": "cp949",
    **{f"ISO8859{n}": f"iso8859_{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15)},
    **{f"WINDOWS{n}": f"cp{n}" for n in (874, 949, *range(1250, 1259))},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A file format with a value for every option.

    Args:
        type: CSV, JSON, AVRO, ORC, PARQUET or XML.
        options: by upper-case name: str, int, bool, list of str, or None for NONE.
        given: names of the options that were set.
    """

    type: str
    options: dict[str, Any]
    given: frozenset[str]

    def __getitem__(self, option: str) -> Any:
        return self.options.get(option)

    @property
    def encoding(self) -> str:
        """Python's name of the files' encoding."""
        return ENCODINGS[_plain(self.options.get("ENCODING") or "UTF8")]


def file_format(options: dict[str, Any]) -> FileFormat:
    """A file format from options as they were written.

    Args:
        options: upper-case names with values as parsed (str, bool, int, list); TYPE among them or CSV is meant.

    Raises:
        SnowflakeError: for a type, an option or a value that is not valid.
    """
    kind = str(options.get("TYPE") or "CSV").upper()
    if kind not in _OPTIONS:
        raise compilation_error(1420, "22023", f"invalid value [{options['TYPE']}] for parameter 'TYPE'")
    known = _OPTIONS[kind]
    values = {name: option.default for name, option in known.items()}
    given = set()
    for name, value in options.items():
        if name in ("TYPE", "FORMAT_NAME", "COMMENT"):
            continue
        if name not in known:
            # Snowflake takes options of other types, where they have no effect.
            if not any(name in other for other in _OPTIONS.values()):
                raise compilation_error(1420, "22023", f"invalid parameter '{name}'")
            continue
        values[name] = _value(name, known[name], value)
        given.add(name)
    _check(kind, values)
    return FileFormat(kind, values, frozenset(given))


def describe(options: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """DESCRIBE FILE FORMAT's rows: property, property_type, property_value, property_default.

    Args:
        options: as stored with the format, values as they were written.
    """
    kind = str(options.get("TYPE") or "CSV").upper()
    result = [("TYPE", "String", str(options.get("TYPE") or "CSV"), "CSV")]
    resolved = file_format(options)
    for name, option in _OPTIONS[kind].items():
        value = resolved[name]
        if option.kind == "STRING" and name == "COMPRESSION" and name in options:
            value = options[name]
        default = _SHOWN_DEFAULTS.get(name, option.default)
        result.append((name, option.kind.title(), _shown(value, option.kind), _shown(default, option.kind)))
    return result


def show_options(options: dict[str, Any]) -> dict[str, Any]:
    """The format as SHOW FILE FORMATS prints it: a JSON object with every option."""
    resolved = file_format(options)
    shown: dict[str, Any] = {"TYPE": resolved.type}
    for name, option in _OPTIONS[resolved.type].items():
        value = resolved[name]
        shown[name] = "NONE" if value is None and option.kind == "STRING" else value
    return shown


def option_names(kind: str) -> list[str]:
    """The options of a format type."""
    return list(_OPTIONS[kind])


def is_format_option(name: str) -> bool:
    """Whether any format type has this option."""
    return any(name in options for options in _OPTIONS.values())


def _value(name: str, option: Option, value: Any) -> Any:
    checks: dict[str, Callable[[str, Any], Any]] = {
        "BOOLEAN": _boolean, "INTEGER": _integer, "LIST": _strings, "STRING": _string,
    }  # fmt: skip
    return checks[option.kind](name, value)


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).upper() in ("TRUE", "FALSE"):
        return str(value).upper() == "TRUE"
    raise _invalid(name, value)


def _integer(name: str, value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise _invalid(name, value) from None
    if number < 0:
        raise _invalid(name, value)
    return number


def _strings(name: str, value: Any) -> list[str]:
    if value is None or (isinstance(value, str) and value.upper() == "NONE" and name != "NULL_IF"):
        return []
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items]


def _string(name: str, value: Any) -> str | None:
    if isinstance(value, bool | list):
        raise _invalid(name, value)
    text = str(value)
    if name in ("COMPRESSION", "BINARY_FORMAT"):
        return text.upper()
    if name.endswith("_FORMAT"):
        return "AUTO" if text.upper() == "AUTO" else text
    if text.upper() == "NONE" and name != "FILE_EXTENSION":
        return None
    if name in (*_SINGLE_CHARACTER, "FIELD_DELIMITER", "RECORD_DELIMITER"):
        return _unescape(text)
    return text


def _unescape(text: str) -> str:
    """A delimiter written as an escape of its own: ``\\t``, ``\\001``, ``\\x01``, ``0x01``."""
    named = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\\\\": "\\", "\\'": "'", '\\"': '"', "\\0": "\0"}
    if text in named:
        return named[text]
    lower = text.lower()
    try:
        if lower.startswith(("0x", "\\x")) and len(text) >= 4:
            return bytes.fromhex(lower.replace("0x", "").replace("\\x", "")).decode("utf-8", "replace")
        if (
            len(text) >= 4
            and all(part.isdigit() and len(part) == 3 for part in text.split("\\")[1:])
            and text[0] == "\\"
        ):
            return bytes(int(part, 8) for part in text.split("\\")[1:]).decode("utf-8", "replace")
    except ValueError:
        return text
    return text


def _check(kind: str, values: dict[str, Any]) -> None:
    compression = values.get("COMPRESSION")
    allowed = (*_PARQUET_COMPRESSIONS, *COMPRESSIONS) if kind == "PARQUET" else COMPRESSIONS
    if compression is not None and compression not in allowed:
        raise _invalid("COMPRESSION", compression)
    if compression is None and "COMPRESSION" in values:
        values["COMPRESSION"] = "NONE"
    if values.get("BINARY_FORMAT") not in (None, "HEX", "BASE64", "UTF8", "UTF-8"):
        raise _invalid("BINARY_FORMAT", values["BINARY_FORMAT"])
    if kind != "CSV":
        return
    for name in _SINGLE_CHARACTER:
        value = values[name]
        if value is not None and len(value) != 1:
            if value == "":
                values[name] = None
                continue
            raise _invalid(name, value)
    if values["FIELD_OPTIONALLY_ENCLOSED_BY"] not in (None, '"', "'"):
        raise _invalid("FIELD_OPTIONALLY_ENCLOSED_BY", values["FIELD_OPTIONALLY_ENCLOSED_BY"])
    if _plain(values["ENCODING"] or "UTF8") not in ENCODINGS:
        raise _invalid("ENCODING", values["ENCODING"])
    if values["PARSE_HEADER"] and values["SKIP_HEADER"]:
        raise compilation_error(1420, "22023", "Invalid file format: PARSE_HEADER is not compatible with SKIP_HEADER.")
    field, record = values["FIELD_DELIMITER"], values["RECORD_DELIMITER"]
    if field is not None and record is not None and (field == record or field == ""):
        raise _invalid("FIELD_DELIMITER", field)


def _plain(encoding: str) -> str:
    return encoding.upper().replace("-", "").replace("_", "")


def _invalid(name: str, value: Any) -> SnowflakeError:
    return compilation_error(1420, "22023", f"invalid value [{_shown(value, 'STRING')}] for parameter '{name}'")


def _shown(value: Any, kind: str) -> str:
    """A value as DESCRIBE prints it: control characters, backslashes and double quotes escaped."""
    if kind == "LIST":
        return "[" + ", ".join(_shown(item, "STRING") for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "NONE"
    text = str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text.replace('"', '\\"')
