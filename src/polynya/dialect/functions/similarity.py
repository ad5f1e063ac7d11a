"""How strings sound and how far they differ: SOUNDEX, EDITDISTANCE, JAROWINKLER_SIMILARITY.

The engine's own distances count bytes; strings with other characters than ASCII go to Python.

Source: docs.snowflake.com/en/sql-reference/functions-string
"""

from __future__ import annotations

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, as_bigint, derive, once
from polynya.dialect.functions.string import COUNT
from polynya.dialect.registry import Call, scalar
from polynya.types.sqltype import INTEGER, VARCHAR, varchar

_SOUNDEX_DIGITS = {
    letter: digit
    for digit, letters in {"1": "BFPV", "2": "CGJKQSXZ", "3": "DT", "4": "L", "5": "MN", "6": "R"}.items()
    for letter in letters
}


def _soundex_code(text: str | None, last: str | None) -> str | None:
    """The first letter as written and three digits; of letters with the same digit side by side, or around H or W, the first counts.

    Args:
        text: other characters than English letters are skipped.
        last: the digit that the second letter is compared with; None for the first letter's.
    """
    if text is None:
        return None
    written = [letter for letter in text if "A" <= letter.upper() <= "Z"]
    if not written:
        return ""
    code, letters = written[0], [letter.upper() for letter in written]
    if last is None:
        last = _SOUNDEX_DIGITS.get(letters[0], "")
    for letter in letters[1:]:
        digit = _SOUNDEX_DIGITS.get(letter, "")
        if digit and digit != last:
            code += digit
        if digit or letter not in "HW":
            last = digit
    return (code + "000")[:4]


@python_function("sf_soundex", ["VARCHAR"], "VARCHAR")
def _soundex(text: str | None) -> str | None:
    return _soundex_code(text, None)


@python_function("sf_soundex_p123", ["VARCHAR"], "VARCHAR")
def _soundex_p123(text: str | None) -> str | None:
    """The variant that keeps the second letter's digit though it is the first letter's."""
    return _soundex_code(text, "")


@scalar("SOUNDEX", "SOUNDEX_P123", args=1)
def soundex(call: Call) -> Expr:
    text = call.arg(0, VARCHAR)
    return derive(f"sf_{call.name.lower()}({text.sql})", varchar(4), text)


@python_function("sf_levenshtein", ["VARCHAR", "VARCHAR"], "BIGINT")
def _levenshtein(left: str | None, right: str | None) -> int | None:
    if left is None or right is None:
        return None
    row = list(range(len(right) + 1))
    for index, a in enumerate(left, 1):
        previous, row[0] = row[0], index
        for column, b in enumerate(right, 1):
            previous, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, previous + (a != b))
    return row[-1]


def _by_characters(native: str, python: str) -> str:
    """SQL template that takes the engine's function for ASCII strings and ours for others."""
    return f"CASE WHEN strlen({{0}}) = length({{0}}) AND strlen({{1}}) = length({{1}}) THEN {native} ELSE {python} END"


@scalar("EDITDISTANCE", args=(2, 3))
def editdistance(call: Call) -> Expr:
    """Levenshtein distance, at most the third argument."""
    left, right = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
    most = call.arg(2, INTEGER) if len(call) > 2 else None
    text = _by_characters("levenshtein({0}, {1})", "sf_levenshtein({0}, {1})")
    distance = once(text.format, left, right)
    sources = [left, right]
    if most is not None:
        limit = as_bigint(most)
        distance = once(
            lambda found, cap: f"CASE WHEN {found} > {cap} THEN greatest({cap}, 0) ELSE {found} END", distance, limit
        )
        sources.append(most)
    return derive(f"CAST({distance} AS {COUNT.duckdb})", COUNT, *sources)


@python_function("sf_jarowinkler", ["VARCHAR", "VARCHAR"], "DOUBLE")
def _jarowinkler(left: str | None, right: str | None) -> float | None:
    """Similarity from 0 to 1 with Winkler's weight of 0.1 for a common prefix of up to four characters."""
    if left is None or right is None:
        return None
    if not left or not right:
        return 0.0
    reach = max(max(len(left), len(right)) // 2 - 1, 0)
    taken = [False] * len(right)
    matched = []
    for index, character in enumerate(left):
        for other in range(max(index - reach, 0), min(index + reach + 1, len(right))):
            if not taken[other] and right[other] == character:
                taken[other] = True
                matched.append(character)
                break
    if not matched:
        return 0.0
    mirrored = [character for character, used in zip(right, taken, strict=True) if used]
    swaps = sum(a != b for a, b in zip(matched, mirrored, strict=True)) / 2
    count = len(matched)
    jaro = (count / len(left) + count / len(right) + (count - swaps) / count) / 3
    prefix = 0
    for a, b in zip(left[:4], right[:4], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + prefix * 0.1 * (1 - jaro)


@scalar("JAROWINKLER_SIMILARITY", args=2)
def jarowinkler_similarity(call: Call) -> Expr:
    """From 0 to 100, without regard to case."""
    left, right = (f"lower({call.arg(index, VARCHAR).sql})" for index in (0, 1))
    text = _by_characters("jaro_winkler_similarity({0}, {1})", "sf_jarowinkler({0}, {1})")
    similarity = once(
        lambda a, b: f"CASE WHEN {a} = '' OR {b} = '' THEN 0 ELSE floor(100 * ({text.format(a, b)})) END", left, right
    )
    return derive(f"CAST({similarity} AS DECIMAL(38,0))", INTEGER, call.arg(0), call.arg(1))
