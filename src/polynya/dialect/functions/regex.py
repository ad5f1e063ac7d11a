r"""Regular expressions: REGEXP_LIKE, _REPLACE, _SUBSTR, _SUBSTR_ALL, _INSTR, _COUNT and their synonyms.

Snowflake's dialect (POSIX extended with Perl's backslash classes, no look-around) is served by RE2 in the engine.

Source: docs.snowflake.com/en/sql-reference/functions-regexp
"""

from __future__ import annotations

import re
from dataclasses import replace

from polynya.dialect.expression import Expr, as_bigint, derive, once, quote_string
from polynya.dialect.functions.string import COUNT
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError
from polynya.types.sqltype import ARRAY, BOOLEAN, INTEGER, VARCHAR


def _parameters(call: Call, index: int) -> str:
    """The parameters argument: any of c, i, m, s, e (and n, which changes nothing).

    Raises:
        SnowflakeError: if it is not constant or holds another character.
    """
    value = call.constant(index, "c")
    for letter in value or "":
        if letter not in "cimsne":
            raise SnowflakeError(100048, "2201B", f"Invalid regular expression parameter: '{value}'")
    return value or ""


def _flags(parameters: str) -> str:
    """RE2's flag group, e.g. ``(?is)``, or "". Of c and i the last one counts."""
    letters = {letter for letter in parameters if letter in "ms"}
    cases = [letter for letter in parameters if letter in "ci"]
    if cases and cases[-1] == "i":
        letters.add("i")
    return f"(?{''.join(sorted(letters))})" if letters else ""


def _pattern(pattern: Expr, parameters: str) -> str:
    """SQL of the pattern with its flags."""
    flags = _flags(parameters)
    if isinstance(pattern.constant, str):
        return quote_string(flags + pattern.constant)
    return f"('{flags}' || {pattern.atom})" if flags else pattern.atom


def _from_position(text: str, position: Expr | None) -> str:
    """SQL of the subject from a position on."""
    if position is None or position.constant == 1:
        return text
    return f"substring({text}, {as_bigint(position)})"


def _optional(call: Call, index: int) -> Expr | None:
    return call.arg(index, INTEGER) if index < len(call) else None


def _group(call: Call, parameters: str, index: int) -> str:
    """Which group is extracted: as given, else the first one for ``e``, else the whole match."""
    if index < len(call):
        group = call.constant(index)
        return str(int(group)) if group is not None else "0"
    return "1" if "e" in parameters else "0"


def _sources(*expressions: Expr | None) -> list[Expr]:
    return [expression for expression in expressions if expression is not None]


@scalar("REGEXP_LIKE", "RLIKE", args=(2, 3))
def regexp_like(call: Call) -> Expr:
    """Whether the whole subject matches."""
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    parameters = _parameters(call, 2)
    return derive(f"regexp_full_match({text.sql}, {_pattern(pattern, parameters)})", BOOLEAN, text, pattern)


@scalar("REGEXP_COUNT", args=(2, 4))
def regexp_count(call: Call) -> Expr:
    text, pattern, position = call.arg(0, VARCHAR), call.arg(1, VARCHAR), _optional(call, 2)
    matches = f"regexp_extract_all({_from_position(text.sql, position)}, {_pattern(pattern, _parameters(call, 3))})"
    return derive(f"CAST(len({matches}) AS {COUNT.duckdb})", COUNT, *_sources(text, pattern, position))


@scalar("REGEXP_SUBSTR", "REGEXP_EXTRACT", args=(2, 6))
def regexp_substr(call: Call) -> Expr:
    """The n-th match or a group of it; NULL if there is none."""
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    position, occurrence = _optional(call, 2), _optional(call, 3)
    parameters = _parameters(call, 4)
    group = _group(call, parameters, 5)
    wanted = as_bigint(occurrence) if occurrence is not None else "1"
    matches = f"regexp_extract_all({_from_position(text.sql, position)}, {_pattern(pattern, parameters)}, {group})"
    return derive(f"({matches})[{wanted}]", text.type, *_sources(text, pattern, position, occurrence), nullable=True)


@scalar("REGEXP_SUBSTR_ALL", "REGEXP_EXTRACT_ALL", args=(2, 6))
def regexp_substr_all(call: Call) -> Expr:
    """ARRAY of the matches, or of one group of each, from the n-th on."""
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    position, occurrence = _optional(call, 2), _optional(call, 3)
    parameters = _parameters(call, 4)
    group = _group(call, parameters, 5)
    matches = f"regexp_extract_all({_from_position(text.sql, position)}, {_pattern(pattern, parameters)}, {group})"
    if occurrence is not None and occurrence.constant != 1:
        matches = f"({matches})[{as_bigint(occurrence)}:]"
    return derive(f"to_json({matches})", ARRAY, *_sources(text, pattern, position, occurrence))


@scalar("REGEXP_INSTR", args=(2, 7))
def regexp_instr(call: Call) -> Expr:
    """Where the n-th match begins, or ends if the option is 1; 0 if there is none."""
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    position, occurrence = _optional(call, 2), _optional(call, 3)
    option = int(call.constant(4, 0) or 0)
    parameters = _parameters(call, 5)
    group = _group(call, parameters, 6)
    if occurrence is not None and not isinstance(occurrence.constant, int):
        raise _needs_constant(call, 4)
    wanted = int(occurrence.constant) if occurrence is not None and occurrence.constant is not None else 1
    sources = _sources(text, pattern, position, occurrence)

    def found(subject: str, expression: str, first: str) -> str:
        wanted_pattern = replace(pattern, sql=expression, simple=True)
        matched = _pattern(wanted_pattern, parameters)
        matches = f"regexp_extract_all({subject}, {matched})"
        before = f"length({_before(subject, wanted_pattern, parameters, wanted)})"
        size = f"length({matches}[{wanted}])"
        if group != "0":
            # Where the group begins within its match: the text before its first occurrence there.
            inside = f"regexp_extract({matches}[{wanted}], {matched}, {group})"
            before = f"{before} + instr({matches}[{wanted}], {inside}) - 1"
            size = f"length({inside})"
        begin = f"{before} + {first}" + (f" + {size}" if option else "")
        return f"CASE WHEN len({matches}) >= {wanted} THEN {begin} WHEN {matches} IS NOT NULL THEN 0 END"

    start = as_bigint(position) if position is not None else "1"
    sql = once(found, _from_position(text.atom, position), pattern, start)
    return derive(f"CAST({sql} AS {COUNT.duckdb})", COUNT, *sources)


def _needs_constant(call: Call, index: int) -> SnowflakeError:
    """The error for an argument that must be constant here."""
    return SnowflakeError(1015, "42601", f"argument {index} to function {call.name} needs to be constant")


def _before(subject: str, pattern: Expr, parameters: str, occurrence: int) -> str:
    """SQL of the text before the n-th match, of which the caller knows that it exists."""
    flags = _flags(parameters)[2:-1]
    opening, closing = f"^((?:(?s:.*?)(?{flags}:", f")){{{occurrence - 1}}}(?s:.*?))(?{flags}:"
    if occurrence == 1:
        opening, closing = "^((?s:.*?))", f"(?{flags}:"
        if isinstance(pattern.constant, str):
            whole = quote_string(f"{opening}{closing}{pattern.constant})")
        else:
            whole = f"'{opening}{closing}' || {pattern.atom} || ')'"
    elif isinstance(pattern.constant, str):
        whole = quote_string(f"{opening}{pattern.constant}{closing}{pattern.constant})")
    else:
        whole = f"'{opening}' || {pattern.atom} || '{closing}' || {pattern.atom} || ')'"
    return f"regexp_extract({subject}, {whole}, 1)"


_BACKSLASH = re.compile(r"\\([0-9\\])|\\")


def _replacement(replacement: Expr) -> str:
    r"""SQL of the replacement as RE2 wants it: ``\1`` a group, ``\\`` a backslash, any other backslash itself."""
    if isinstance(replacement.constant, str):
        return quote_string(_BACKSLASH.sub(lambda found: found[0] if found[1] else r"\\", replacement.constant))
    pairs_aside = rf"replace({replacement.sql}, '\\', chr(1))"
    return rf"replace(regexp_replace({pairs_aside}, '\\([^0-9]|$)', '\\\\\1', 'g'), chr(1), '\\')"


@scalar("REGEXP_REPLACE", args=(2, 6))
def regexp_replace(call: Call) -> Expr:
    """Replaces all matches, or the n-th only."""
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    replacement = call.arg(2, VARCHAR) if len(call) > 2 else None
    position, occurrence = _optional(call, 3), _optional(call, 4)
    parameters = _parameters(call, 5)
    sources = _sources(text, pattern, replacement, position, occurrence)
    new = _replacement(replacement) if replacement is not None else "''"
    if occurrence is not None and not isinstance(occurrence.constant, int):
        raise _needs_constant(call, 5)
    wanted = int(occurrence.constant) if occurrence is not None and occurrence.constant is not None else 0
    tail = _from_position(text.atom, position)

    def replaced(subject: str, expression: str, other: str) -> str:
        wanted_pattern = replace(pattern, sql=expression, simple=True)
        matched = _pattern(wanted_pattern, parameters)
        before = _before(subject, wanted_pattern, parameters, wanted)
        matches = f"regexp_extract_all({subject}, {matched})"
        rest = f"substring({subject}, length({before}) + length({matches}[{wanted}]) + 1)"
        return (
            f"CASE WHEN len({matches}) >= {wanted} "
            f"THEN {before} || regexp_replace({matches}[{wanted}], {matched}, {other}) || {rest} ELSE {subject} END"
        )

    if wanted == 0:
        sql = f"regexp_replace({tail}, {_pattern(pattern, parameters)}, {new}, 'g')"
    else:
        sql = once(replaced, tail, pattern, new)
    if tail != text.atom:
        sql = f"left({text.sql}, {as_bigint(position)} - 1) || {sql}"  # type: ignore[arg-type]
    return derive(sql, VARCHAR, *sources, simple=tail == text.atom)
