"""JSON as people write it -> the engine's canonical JSON (see ``types.variant``).

PARSE_JSON takes more than the standard: keys without quotes, strings in single quotes, commas with nothing between
them, NaN and Infinity. Standard text is read by DuckDB and orjson; the reader here takes the rest, and finds what is
wrong with text that is not JSON.

Source: docs.snowflake.com/en/sql-reference/functions/parse_json, .../check_json.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from polynya.dialect.engine_functions import MACROS, python_function
from polynya.errors import SnowflakeError
from polynya.types.variant import ESCAPED_TAG, UNDEFINED, check_depth, encode

_MAX_DEPTH = 400


class JsonError(ValueError):
    """Text that is not JSON: Snowflake's words and the position from 1."""

    def __init__(self, problem: str, position: int | None = None) -> None:
        super().__init__(problem if position is None else f"{problem}, pos {position}")


_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\s,:\[\]{}\"']+")
_PLAIN = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_KEYWORDS: dict[str, Any] = {
    "null": None, "true": True, "false": False, "undefined": UNDEFINED, "NaN": float("nan"), "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}  # fmt: skip


class _Reader:
    def __init__(self, text: str, duplicates: bool) -> None:
        self.text = text
        self.at = 0
        self.duplicates = duplicates

    def document(self) -> Any:
        """The value of the whole text; UNDEFINED for blank text."""
        self.blanks()
        if self.at == len(self.text):
            return UNDEFINED
        value = self.value(0)
        self.blanks()
        if self.at < len(self.text):
            character = self.text[self.at]
            if character in "]}":
                raise JsonError(f"misplaced {character}", self.at + 1)
            raise JsonError("more than one document in the input", self.at + 1)
        return value

    def blanks(self) -> str:
        """Steps over blanks; answers the character that follows, or ""."""
        self.at = _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise JsonError("too many levels of nesting", self.at + 1)
        character = self.blanks()
        if character == "{":
            return self.object(depth)
        if character == "[":
            return self.array(depth)
        if character in ('"', "'") and character:
            return self.string(character)
        number = _NUMBER.match(self.text, self.at)
        word = _WORD.match(self.text, self.at)
        if number and (word is None or number.end() >= word.end()):
            self.at = number.end()
            return _number(number[0])
        if word is None:
            raise JsonError(f"misplaced {character}" if character else "incomplete value", self.at + 1)
        self.at = word.end()
        if word[0] in _KEYWORDS:
            return _KEYWORDS[word[0]]
        raise JsonError(f'unknown keyword "{word[0]}"', self.at + 1)

    def array(self, depth: int) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while True:
            character = self.blanks()
            if not character:
                raise JsonError("incomplete array value", self.at + 1)
            if character in ",]":
                if character == "]" and not items:
                    self.at += 1
                    return items
                items.append(UNDEFINED)
            else:
                items.append(self.value(depth + 1))
                character = self.blanks()
            if character == "]":
                self.at += 1
                return items
            if character != ",":
                raise JsonError("missing comma" if character else "incomplete array value", self.at + 1)
            self.at += 1
            if self.blanks() == "]":
                items.append(UNDEFINED)
                self.at += 1
                return items

    def object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        result: dict[str, Any] = {}
        while True:
            character = self.blanks()
            if not character:
                raise JsonError("incomplete object value", self.at + 1)
            if character == "}":
                self.at += 1
                return result
            if character == ",":
                self.at += 1
                continue
            key = self.key(character)
            if self.blanks() != ":":
                at_end = self.at >= len(self.text)
                raise JsonError("incomplete object value" if at_end else "missing colon", self.at + 1)
            self.at += 1
            if self.blanks() in (",", "}", ""):
                if self.at >= len(self.text):
                    raise JsonError("incomplete object value", self.at + 1)
                value: Any = UNDEFINED
            else:
                value = self.value(depth + 1)
            if key in result and not self.duplicates:
                raise JsonError(f'duplicate object attribute "{key}"', self.at + 1)
            if value is not UNDEFINED:
                result[key] = value
            character = self.blanks()
            if character == ",":
                self.at += 1
            elif character != "}":
                raise JsonError("missing comma" if character else "incomplete object value", self.at + 1)

    def key(self, character: str) -> str:
        if character in "\"'":
            return self.string(character)
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise JsonError(f"misplaced {character}", self.at + 1)
        self.at = word.end()
        return word[0]

    def string(self, mark: str) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN[mark].match(self.text, self.at)
            assert plain is not None
            parts.append(plain[0])
            self.at = plain.end()
            if self.at >= len(self.text):
                raise JsonError("unfinished string", self.at + 1)
            if self.text[self.at] == mark:
                self.at += 1
                text = "".join(parts)
                if _SURROGATES.search(text):  # an escaped pair is one character
                    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                return text
            parts.append(self.escape())

    def escape(self) -> str:
        character = self.text[self.at + 1 : self.at + 2]
        if character in ("u", "x"):
            digits = 4 if character == "u" else 2
            code = self.text[self.at + 2 : self.at + 2 + digits]
            if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", code):
                raise JsonError("hex digit expected", self.at + 3)
            self.at += 2 + digits
            return chr(int(code, 16))
        self.at += 2
        return _ESCAPES.get(character, character)


def _number(text: str) -> Any:
    if "e" in text or "E" in text:
        return float(text)
    if "." not in text:
        value = int(text)
        return value if abs(value) < 10**38 else float(text)
    return Decimal(text) if len(text.strip("+-.0")) <= 39 else float(text)


def parse(text: str, duplicates: bool = False) -> Any:
    """JSON as PARSE_JSON reads it.

    Args:
        text: of one document.
        duplicates: whether an object may have a key twice; the last one wins.

    Returns:
        what ``types.variant.encode`` takes; UNDEFINED for blank text.

    Raises:
        JsonError: with Snowflake's words.
    """
    return _Reader(text, duplicates).document()


def canonical(text: str, duplicates: bool = False) -> str | None:
    """The canonical form of JSON text; None for blank text.

    Raises:
        JsonError: if it is no JSON.
    """
    try:
        check_depth(text)
        if ESCAPED_TAG not in text:
            return orjson.dumps(_STANDARD.decode(text), option=orjson.OPT_SORT_KEYS).decode()
    except (ValueError, TypeError, RecursionError):
        pass  # not standard, a key twice, digits that orjson would lose: the careful way
    value = parse(text, duplicates)
    return None if value is UNDEFINED else encode(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key is there twice")
    return result


def _prepared(text: str) -> int | float | str:
    """A number's text as what orjson writes in canonical form."""
    value = _number(text)
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal) and len(text.strip("+-.0")) <= 15:
        number = float(text)
        return int(number) if number.is_integer() else number
    found: int | float | str = json.loads(encode(value))  # text where a float would lose digits
    return found


# Reads into what orjson writes in canonical form.
_STANDARD = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_prepared,
    parse_int=_prepared,
    parse_constant=lambda name: _prepared_constant(name),
)


def _prepared_constant(name: str) -> str:
    return str(json.loads(encode(_KEYWORDS[name])))


def parsing_error(text: str, problem: str) -> SnowflakeError:
    """100069: what is wrong with a text that should be JSON."""
    return SnowflakeError(100069, "22P02", f"Error parsing JSON: {problem}")


# --- engine functions -------------------------------------------------------------------------------------------------

# Standard JSON that has none of these differs from its canonical form in blanks and the order of keys only.
_IRREGULAR = r"\d[eE]|\.0+(?:[^\d]|$)|[\d.]{16}|[,:]\s*[,\]}]|NaN|nan|Inf|inf|\\u0001"


@python_function("sf_sort_json", ["VARCHAR"], "VARCHAR", vectorized=True)
def _sort_json(texts: pa.Array) -> pa.Array:
    """Regular JSON without blanks -> the same with sorted keys."""
    return pa.array([None if text is None else _sorted(text) for text in texts.to_pylist()], pa.string())


def _sorted(text: str) -> str | None:
    try:
        result = orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _parse_or_fail(text)
    if len(result) != len(text.encode()):  # a key was there twice
        return _parse_or_fail(text)
    return result.decode()


def _parse_or_fail(text: str, duplicates: bool = False) -> str | None:
    try:
        return canonical(text, duplicates)
    except JsonError as error:
        raise parsing_error(text, str(error)) from None


@python_function("sf_parse_any_json", ["VARCHAR"], "VARCHAR", vectorized=True)
def _parse_any_json(texts: pa.Array) -> pa.Array:
    return pa.array([None if text is None else _parse_or_fail(text) for text in texts.to_pylist()], pa.string())


@python_function("sf_parse_json_duplicates", ["VARCHAR"], "VARCHAR", vectorized=True)
def _parse_json_duplicates(texts: pa.Array) -> pa.Array:
    return pa.array([None if text is None else _parse_or_fail(text, True) for text in texts.to_pylist()], pa.string())


@python_function("sf_try_parse_any_json", ["VARCHAR"], "VARCHAR", vectorized=True)
def _try_parse_any_json(texts: pa.Array) -> pa.Array:
    def attempt(text: str) -> str | None:
        try:
            return canonical(text)
        except JsonError:
            return None

    return pa.array([None if text is None else attempt(text) for text in texts.to_pylist()], pa.string())


@python_function("sf_check_any_json", ["VARCHAR"], "VARCHAR", vectorized=True)
def _check_any_json(texts: pa.Array) -> pa.Array:
    def problem(text: str) -> str | None:
        try:
            parse(text)
        except JsonError as error:
            return str(error)
        return None

    return pa.array([None if text is None else problem(text) for text in texts.to_pylist()], pa.string())


# Whether text is standard JSON whose canonical form needs no more than the removal of blanks and the sorting of keys.
MACROS.append(f"sf_is_regular_json(x) AS json_valid(x) AND NOT regexp_matches(x, '{_IRREGULAR}')")
# Whether regular JSON has its keys in order, as far as can be said cheaply: no object at all, or one flat object.
MACROS.append(
    """sf_is_sorted_json(x) AS NOT contains(x, '{') OR (
        starts_with(x, '{') AND NOT contains(x[2:], '{') AND json_keys(x) = list_sort(list_distinct(json_keys(x))))"""
)
MACROS.append(
    """sf_parse_json(x) AS (CASE WHEN sf_is_regular_json(x)
        THEN CASE WHEN sf_is_sorted_json(x) THEN json(x) ELSE sf_sort_json(json(x)) END
        ELSE sf_parse_any_json(x) END)::JSON"""
)
MACROS.append(
    "sf_try_parse_json(x) AS (CASE WHEN sf_is_regular_json(x) AND sf_is_sorted_json(x) THEN json(x) ELSE sf_try_parse_any_json(x) END)::JSON"
)
MACROS.append(
    "sf_check_json(x) AS CASE WHEN sf_is_regular_json(x) AND sf_is_sorted_json(x) THEN NULL ELSE sf_check_any_json(x) END"
)
