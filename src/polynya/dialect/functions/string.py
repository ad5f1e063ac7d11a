"""String functions: case, padding, parts, search, and the operators LIKE and ILIKE.

Many take BINARY too and then count bytes; there the engine works on the hexadecimal text, two digits a byte.

Source: docs.snowflake.com/en/sql-reference/functions-string
"""

from __future__ import annotations

from polynya.catalog.context import Context
from polynya.dialect import casts
from polynya.dialect.expression import Expr, as_bigint, derive, null, once, string_literal
from polynya.dialect.registry import Call, scalar, template
from polynya.errors import invalid_argument_types
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    INTEGER,
    MAX_BINARY,
    MAX_VARCHAR,
    VARCHAR,
    SqlType,
    binary,
    number,
    varchar,
)

COUNT = number(18, 0)  # lengths, positions and counts

# Characters after which INITCAP begins a word.
_WORD_DELIMITERS = ' \t\n\r\f\v!?@"^#$&~_,.:;+-*%/|\\[](){}<>'


def is_binary(call: Call, index: int = 0) -> bool:
    """Whether an argument is BINARY."""
    return call.arg(index).type.name == "BINARY"


def text_or_binary(call: Call, index: int = 0) -> Expr:
    """An argument as it is if BINARY, else as VARCHAR."""
    return call.arg(index) if is_binary(call, index) else call.arg(index, VARCHAR)


def like(value: Expr, pattern: Expr, escape: Expr | None, insensitive: bool, context: Context) -> Expr:
    """``value LIKE pattern`` or ILIKE.

    Args:
        value, pattern: cast to VARCHAR.
        escape: the character after ESCAPE, or None: Snowflake has no escape character by default.
        insensitive: ILIKE.
        context: session parameters.

    Raises:
        SnowflakeError: 001044 for BINARY, ARRAY and OBJECT.
    """
    operator = "ILIKE" if insensitive else "LIKE"
    texts = []
    for operand in (value, pattern):
        text = casts.coerce(operand, VARCHAR, context)
        if text is None:
            raise invalid_argument_types(operator, [str(value.type), str(pattern.type)])
        texts.append(text)
    subject, wanted = texts
    sources = [subject, wanted, *([escape] if escape is not None else [])]
    tail = f" ESCAPE {escape.atom}" if escape is not None else ""
    return derive(f"{subject.atom} {operator} {wanted.atom}{tail}", BOOLEAN, *sources, simple=False)


@scalar("LIKE", "ILIKE", args=(2, 3))
def like_function(call: Call) -> Expr:
    escape = call.arg(2, VARCHAR) if len(call) > 2 else None
    return like(call.arg(0), call.arg(1), escape, call.name == "ILIKE", call.context)


# --- case, length -----------------------------------------------------------------------------------------------------


@scalar("UPPER", "LOWER", args=1)
def change_case(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    return derive(f"{call.name.lower()}({text.sql})", text.type, text)


@scalar("INITCAP", args=(1, 2))
def initcap(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    delimiters = call.arg(1, VARCHAR) if len(call) > 1 else None

    def capitalized(value: str, ends: str) -> str:
        characters = f"string_split(lower({value}), '')"
        return (
            f"array_to_string(list_transform({characters}, lambda c, i: CASE WHEN i = 1 OR "
            f"contains({ends}, substring({value}, i - 1, 1)) THEN upper(c) ELSE c END), '')"
        )

    if delimiters is None:
        delimiters = string_literal(_WORD_DELIMITERS)
    return derive(once(capitalized, text, delimiters), text.type, text, delimiters)


@scalar("LENGTH", "LEN", "CHAR_LENGTH", "CHARACTER_LENGTH", args=1)
def length(call: Call) -> Expr:
    value = text_or_binary(call)
    function = "octet_length" if is_binary(call) else "length"
    return derive(f"CAST({function}({value.sql}) AS {COUNT.duckdb})", COUNT, value)


@scalar("OCTET_LENGTH", "BIT_LENGTH", args=1)
def octet_length(call: Call) -> Expr:
    value = text_or_binary(call)
    octets = f"octet_length({value.sql})" if is_binary(call) else f"strlen({value.sql})"
    factor = " * 8" if call.name == "BIT_LENGTH" else ""
    return derive(f"CAST({octets}{factor} AS {COUNT.duckdb})", COUNT, value)


template("RTRIMMED_LENGTH", f"CAST(length(rtrim({{0}}, ' ')) AS {COUNT.duckdb})", [VARCHAR], COUNT)


# --- trimming, padding ------------------------------------------------------------------------------------------------


@scalar("TRIM", "LTRIM", "RTRIM", args=(1, 2))
def trim(call: Call) -> Expr:
    """Cuts off characters of a set, by default blanks only."""
    text = call.arg(0, VARCHAR)
    if len(call) == 1:
        return derive(f"{call.name.lower()}({text.sql}, ' ')", text.type, text)
    characters = call.arg(1, VARCHAR)
    return derive(f"{call.name.lower()}({text.sql}, {characters.sql})", text.type, text, characters)


@scalar("LPAD", "RPAD", args=(2, 3))
def pad(call: Call) -> Expr:
    base, size = text_or_binary(call), call.arg(1, INTEGER)
    constant = size.constant if isinstance(size.constant, int) else None
    count = f"CAST(greatest({as_bigint(size)}, 0) AS INTEGER)"
    function = call.name.lower()
    if is_binary(call):
        if len(call) < 3:
            raise call.wrong_types()
        padding = call.arg(2, BINARY)
        result = binary(min(max(constant, 1), MAX_BINARY) if constant is not None else MAX_BINARY)
        sql = once(
            lambda value, wanted, fill: (
                f"CASE WHEN octet_length({fill}) = 0 "
                f"THEN unhex(left(hex({value}), 2 * {wanted})) "
                f"ELSE unhex({function}(hex({value}), 2 * {wanted}, hex({fill}))) END"
            ),
            base,
            count,
            padding,
        )
        return derive(sql, result, base, size, padding)
    result = varchar(min(max(constant, 1), MAX_VARCHAR) if constant is not None else MAX_VARCHAR)
    if len(call) < 3:
        return derive(f"{function}({base.sql}, {count}, ' ')", result, base, size)
    padding = call.arg(2, VARCHAR)
    if padding.constant:
        return derive(f"{function}({base.sql}, {count}, {padding.sql})", result, base, size, padding)
    # Nothing to pad with: the text stays as short as it is.
    sql = once(
        lambda value, wanted, fill: (
            f"CASE WHEN {fill} = '' THEN left({value}, {wanted}) ELSE {function}({value}, {wanted}, {fill}) END"
        ),
        base,
        count,
        padding,
    )
    return derive(sql, result, base, size, padding)


@scalar("SPACE", args=1)
def space(call: Call) -> Expr:
    count = call.arg(0, INTEGER)
    return derive(f"repeat(' ', {as_bigint(count)})", VARCHAR, count)


@scalar("REPEAT", args=2)
def repeat(call: Call) -> Expr:
    text, count = call.arg(0, VARCHAR), call.arg(1, INTEGER)
    return derive(f"repeat({text.sql}, {as_bigint(count)})", VARCHAR, text, count)


# --- parts ------------------------------------------------------------------------------------------------------------


@scalar("SUBSTR", "SUBSTRING", args=(2, 3))
def substring(call: Call) -> Expr:
    """From a position counted from 1, or from the end if negative; 0 is read as 1."""
    base, start = text_or_binary(call), call.arg(1, INTEGER)
    size = call.arg(2, INTEGER) if len(call) > 2 else None
    sources = [base, start, *([size] if size is not None else [])]
    begin = as_bigint(start)
    if not start.is_constant:
        begin = once(lambda position: f"CASE WHEN {position} = 0 THEN 1 ELSE {position} END", begin)
    elif start.constant == 0:
        begin = "1"
    result = base.type
    count = None
    if size is not None:
        count = as_bigint(size)
        if isinstance(size.constant, int):
            count = str(max(size.constant, 0))
            result = result.with_length(max(min(size.constant, result.length), 1))
        else:
            count = f"greatest({count}, 0) + CASE WHEN {size.atom} IS NULL THEN NULL ELSE 0 END"
    return derive(_part(base, begin, count), result, *sources)


def _part(base: Expr, begin: str, count: str | None) -> str:
    """SQL of a part of a string or BINARY; ``begin`` is not 0, ``count`` not negative."""
    if base.type.name != "BINARY":
        return f"substring({base.sql}, {begin}, {count})" if count is not None else f"substring({base.sql}, {begin})"
    first = once(lambda position: f"CASE WHEN {position} > 0 THEN 2 * {position} - 1 ELSE 2 * {position} END", begin)
    arguments = f"hex({base.sql}), {first}" + (f", 2 * ({count})" if count is not None else "")
    return f"unhex(substring({arguments}))"


@scalar("LEFT", "RIGHT", args=2)
def left_or_right(call: Call) -> Expr:
    base, size = text_or_binary(call), call.arg(1, INTEGER)
    if isinstance(size.constant, int):
        count = str(max(size.constant, 0))
        result = base.type.with_length(max(min(size.constant, base.type.length), 1))
    else:
        count = f"CASE WHEN {size.atom} < 0 THEN 0 ELSE {as_bigint(size)} END"
        result = base.type
    function = call.name.lower()
    if is_binary(call):
        return derive(f"unhex({function}(hex({base.sql}), 2 * ({count})))", result, base, size)
    return derive(f"{function}({base.sql}, {count})", result, base, size)


@scalar("SPLIT_PART", args=3)
def split_part(call: Call) -> Expr:
    """The n-th part, from the end if negative; 0 is read as 1, and an empty delimiter splits nothing."""
    text, delimiter, index = call.arg(0, VARCHAR), call.arg(1, VARCHAR), call.arg(2, INTEGER)
    part = as_bigint(index)
    if isinstance(index.constant, int):
        part = str(index.constant or 1)
    else:
        part = once(lambda n: f"CASE WHEN {n} = 0 THEN 1 ELSE {n} END", part)
    if delimiter.constant:
        sql = f"split_part({text.sql}, {delimiter.sql}, {part})"
    else:
        sql = once(
            lambda value, separator, n: (
                f"CASE WHEN {separator} = '' AND {value} IS NOT NULL "
                f"THEN CASE WHEN {n} IN (1, -1) THEN {value} WHEN {n} IS NOT NULL THEN '' END "
                f"ELSE split_part({value}, {separator}, {n}) END"
            ),
            text,
            delimiter,
            part,
        )
    return derive(sql, text.type, text, delimiter, index)


def tokens(text: str, delimiters: str) -> str:
    """SQL of the list of a text's non-empty parts between any characters of ``delimiters``."""
    same = f"translate({text}, {delimiters}, repeat(left({delimiters}, 1), length({delimiters})))"
    return (
        f"CASE WHEN {delimiters} = '' THEN list_filter([{text}], lambda token: token <> '') "
        f"ELSE list_filter(string_split({same}, left({delimiters}, 1)), lambda token: token <> '') END"
    )


@scalar("STRTOK", args=(1, 3))
def strtok(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    delimiters = call.arg(1, VARCHAR) if len(call) > 1 else None
    index = call.arg(2, INTEGER) if len(call) > 2 else None
    position = as_bigint(index) if index is not None else "1"
    sql = once(
        lambda value, ends, n: f"CASE WHEN {n} > 0 THEN ({tokens(value, ends)})[{n}] END",
        text,
        delimiters if delimiters is not None else "' '",
        position,
    )
    sources = [source for source in (text, delimiters, index) if source is not None]
    return derive(sql, text.type, *sources, nullable=True)


@scalar("SPLIT", args=2)
def split(call: Call) -> Expr:
    """ARRAY of the parts between separators; an empty separator splits nothing."""
    text, separator = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    if separator.constant:
        sql = f"string_split({text.sql}, {separator.sql})"
    else:
        sql = once(
            lambda value, between: (
                f"CASE WHEN {between} = '' THEN CASE WHEN {value} IS NOT NULL THEN [{value}] END "
                f"ELSE string_split({value}, {between}) END"
            ),
            text,
            separator,
        )
    return derive(f"to_json({sql})", ARRAY, text, separator)


@scalar("STRTOK_TO_ARRAY", args=(1, 2))
def strtok_to_array(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    delimiters = call.arg(1, VARCHAR) if len(call) > 1 else string_literal(" ")

    def parts(value: str, ends: str) -> str:
        return f"CASE WHEN {value} IS NOT NULL AND {ends} IS NOT NULL THEN to_json({tokens(value, ends)}) END"

    return derive(once(parts, text, delimiters), ARRAY, text, delimiters)


# --- joining, replacing -----------------------------------------------------------------------------------------------


@scalar("CONCAT", args=(1, None))
def concat(call: Call) -> Expr:
    """Also the operator ``||``: NULL if any part is NULL; BINARY if all parts are."""
    arguments = call.args()
    binaries = [argument for argument in arguments if argument.type.name == "BINARY"]
    if binaries:
        parts = call.args(BINARY)
        result: SqlType = binary(min(sum(part.type.length for part in parts), MAX_BINARY))
    else:
        parts = call.args(VARCHAR)
        result = varchar(max(min(sum(part.type.length for part in parts), MAX_VARCHAR), 1))
    if any(part.constant is None for part in parts):
        return null(result)
    return derive(" || ".join(part.atom for part in parts), result, *parts, simple=len(parts) == 1)


@scalar("CONCAT_WS", args=(1, None))
def concat_ws(call: Call) -> Expr:
    """Joins with a separator; NULL if any argument is NULL."""
    if is_binary(call):
        parts = call.args(BINARY)
        joined: SqlType = BINARY
        empty = "''::BLOB"
    else:
        parts = call.args(VARCHAR)
        joined = VARCHAR
        empty = "''"
    separator, values = parts[0], parts[1:]
    if any(part.constant is None for part in parts):
        return null(joined)

    if not values:
        sql = f"CASE WHEN {separator.atom} IS NOT NULL THEN {empty} END"
    elif len(values) == 1:
        sql = f"CASE WHEN {separator.atom} IS NOT NULL THEN {values[0].sql} END"
    else:
        sql = once(lambda between, *texts: f" || {between} || ".join(texts), separator, *values)
    return derive(sql, joined, *parts, simple=False)


@scalar("REPLACE", args=(2, 3))
def replace(call: Call) -> Expr:
    text, pattern = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    if len(call) == 2:
        return derive(f"replace({text.sql}, {pattern.sql}, '')", text.type, text, pattern)
    replacement = call.arg(2, VARCHAR)
    return derive(f"replace({text.sql}, {pattern.sql}, {replacement.sql})", VARCHAR, text, pattern, replacement)


template("TRANSLATE", "translate({0}, {1}, {2})", [VARCHAR, VARCHAR, VARCHAR], VARCHAR)


@scalar("REVERSE", args=1)
def reverse(call: Call) -> Expr:
    base = text_or_binary(call)
    if is_binary(call):
        pairs = f"list_reverse(regexp_extract_all(hex({base.sql}), '..'))"
        return derive(f"unhex(array_to_string({pairs}, ''))", base.type, base)
    return derive(f"reverse({base.sql})", base.type, base)


@scalar("INSERT", args=4)
def insert(call: Call) -> Expr:
    """Replaces ``length`` characters or bytes from a position on."""
    base, start, size = text_or_binary(call), call.arg(1, INTEGER), call.arg(2, INTEGER)
    if is_binary(call):
        added = call.arg(3, BINARY)

        def spliced(value: str, position: str, count: str, new: str) -> str:
            digits = f"hex({value})"
            return (
                f"unhex(left({digits}, 2 * ({position} - 1)) || hex({new}) || "
                f"substring({digits}, 2 * ({position} + {count}) - 1))"
            )

    else:
        added = call.arg(3, VARCHAR)

        def spliced(value: str, position: str, count: str, new: str) -> str:
            return f"left({value}, {position} - 1) || {new} || substring({value}, {position} + {count})"

    sql = once(spliced, base, as_bigint(start), as_bigint(size), added)
    return derive(sql, BINARY if is_binary(call) else VARCHAR, base, start, size, added, simple=False)


# --- searching --------------------------------------------------------------------------------------------------------


@scalar("CONTAINS", "STARTSWITH", "ENDSWITH", args=2)
def contains(call: Call) -> Expr:
    function = {"CONTAINS": "contains", "STARTSWITH": "starts_with", "ENDSWITH": "ends_with"}[call.name]
    if is_binary(call):
        base, wanted = call.arg(0, BINARY), call.arg(1, BINARY)
        if call.name == "CONTAINS":  # only at whole bytes, not between the two digits of one
            return derive(f"regexp_matches(hex({base.sql}), '^(..)*' || hex({wanted.sql}))", BOOLEAN, base, wanted)
        return derive(f"{function}(hex({base.sql}), hex({wanted.sql}))", BOOLEAN, base, wanted)
    base, wanted = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    return derive(f"{function}({base.sql}, {wanted.sql})", BOOLEAN, base, wanted)


@scalar("POSITION", "CHARINDEX", args=(2, 3))
def position(call: Call) -> Expr:
    """Where the first argument begins in the second, from 1; 0 where it does not."""
    binaries = is_binary(call)
    wanted, base = (call.arg(index, BINARY if binaries else VARCHAR) for index in (0, 1))
    start = call.arg(2, INTEGER) if len(call) > 2 else None
    sources = [wanted, base, *([start] if start is not None else [])]
    if binaries:
        first = as_bigint(start) if start is not None else "1"
        prefix = f"regexp_extract(substring(hex({base.sql}), 2 * {first} - 1), '^((?:..)*?)' || hex({wanted.sql}), 1)"
        found = f"regexp_matches(substring(hex({base.sql}), 2 * {first} - 1), '^(?:..)*?' || hex({wanted.sql}))"
        sql = f"CASE WHEN {found} THEN {first} + length({prefix}) // 2 WHEN {found} IS NOT NULL THEN 0 END"
    elif start is None or start.constant == 1:
        sql = f"instr({base.sql}, {wanted.sql})"
    else:
        sql = once(
            lambda needle, text, first: (
                f"CASE WHEN contains(substring({text}, {first}), {needle}) "
                f"THEN instr(substring({text}, {first}), {needle}) + {first} - 1 "
                f"WHEN {needle} IS NOT NULL AND {text} IS NOT NULL AND {first} IS NOT NULL THEN 0 END"
            ),
            wanted,
            base,
            as_bigint(start),
        )
    return derive(f"CAST({sql} AS {COUNT.duckdb})", COUNT, *sources)


# --- characters -------------------------------------------------------------------------------------------------------

template("ASCII", "CAST(ascii({0}) AS DECIMAL(18,0))", [VARCHAR], COUNT)
# The engine says -1 for the empty string.
template("UNICODE", "CAST(CASE WHEN {0} = '' THEN 0 ELSE unicode({0}) END AS DECIMAL(18,0))", [VARCHAR], COUNT)


@scalar("CHR", "CHAR", args=1)
def chr_(call: Call) -> Expr:
    code = call.arg(0, INTEGER)
    wrong = raise_sql(100210, "22023", "'Invalid Unicode code point ' || {0} || ' for function CHR.'")
    sql = once(
        lambda value: (
            f"CASE WHEN {value} BETWEEN 0 AND 1114111 THEN chr(CAST({value} AS INTEGER)) "
            f"WHEN {value} IS NOT NULL THEN {wrong.format(value)} END"
        ),
        as_bigint(code),
    )
    return derive(sql, varchar(1), code)
