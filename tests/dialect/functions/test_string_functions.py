"""String functions, regular expressions, encodings, similarity: values and result types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from polynya.errors import SnowflakeError

Evaluate = Callable[..., tuple[Any, str]]

STRINGS = [
    ("UPPER('aé')", "AÉ"), ("LOWER('AB')", "ab"), ("INITCAP('hello wORLD-foo_bar')", "Hello World-Foo_Bar"),
    ("INITCAP('this is', 'h')", "ThIs is"), ("TRIM('  a ')", "a"), ("TRIM(CHR(9) || 'a')", "\ta"),
    ("LTRIM('xya', 'xy')", "a"), ("RTRIM('axx', 'x')", "a"), ("LPAD('abc', 5)", "  abc"), ("LPAD('abc', 6, '12')", "121abc"),
    ("RPAD('abc', 2)", "ab"), ("LPAD('a', 3, '')", "a"), ("LPAD('a', -1)", ""), ("LEFT('hello', 2)", "he"),
    ("RIGHT('hello', 3)", "llo"), ("RIGHT('hello', 0)", ""), ("LEFT('a', -1)", ""), ("SUBSTR('hello', 0, 2)", "he"),
    ("SUBSTR('hello', -3, 2)", "ll"), ("SUBSTRING('hello', 2)", "ello"), ("SUBSTRING('abc', 2, -1)", ""),
    ("SUBSTR('abc', NULL)", None), ("SPLIT_PART('a.b.c', '.', -1)", "c"), ("SPLIT_PART('a.b.c', '.', 0)", "a"),
    ("SPLIT_PART('a.b.c', '.', 4)", ""), ("SPLIT_PART('abc', '', 1)", "abc"), ("SPLIT_PART('abc', '', 2)", ""),
    ("STRTOK('a.b,c', '.,', 3)", "c"), ("STRTOK('a', 'b', 2)", None), ("STRTOK('', '')", None), ("STRTOK('ab', '')", "ab"),
    ("CONCAT('a', 1, 'b')", "a1b"), ("'a' || NULL", None), ("CONCAT_WS('-', 'a', 'b')", "a-b"),
    ("CONCAT_WS('-', 'a', NULL)", None), ("CONCAT_WS(',', 'x')", "x"), ("REPLACE('abcabc', 'b')", "acac"),
    ("REPLACE('abc', '', 'x')", "abc"), ("REPEAT('ab', 3)", "ababab"), ("REVERSE('abc')", "cba"), ("SPACE(2) || 'x'", "  x"),
    ("INSERT('abcdef', 3, 2, 'zz')", "abzzef"), ("INSERT('abc', 1, 0, 'Z')", "Zabc"), ("TRANSLATE('abc', 'ab', 'x')", "xc"),
    ("CHR(10052)", "❄"), ("SOUNDEX('Marks')", "M620"), ("SOUNDEX('')", ""), ("SOUNDEX('Pfister')", "P236"),
    ("SOUNDEX_P123('Pfister')", "P123"), ("MD5('Snowflake')", "edf1439075a83a447fb8b630ddc9c8de"),
    ("SHA1('Snowflake')", "fda76b0bcc1e87cf259b1d1e3271d76f590fb5dd"),
    ("SHA2('Snowflake', 224)", "6267d3d7a59929e6864dd4b737d98e3ef8569d9f88a7466647838532"),
    ("BASE64_ENCODE('Snowflake')", "U25vd2ZsYWtl"), ("BASE64_ENCODE('❄', 0, '$')", "4p2E"), ("BASE64_ENCODE('abcdef', 4)", "YWJj\nZGVm"),
    ("BASE64_DECODE_STRING('U25vd2ZsYWtl')", "Snowflake"), ("TRY_BASE64_DECODE_STRING('!!')", None),
    ("HEX_ENCODE('SNOW', 0)", "534e4f57"), ("HEX_DECODE_STRING('534E4F57')", "SNOW"), ("TRY_HEX_DECODE_STRING('5')", None),
    ("DECOMPRESS_STRING(COMPRESS('hello', 'zstd(3)'), 'zstd')", "hello"),
    ("DECOMPRESS_STRING(COMPRESS('hello', 'snappy'), 'snappy')", "hello"),
    ("DECOMPRESS_STRING(COMPRESS('hello', 'zlib(1)'), 'zlib')", "hello"),
    ("UUID_STRING('fe971b24-9572-4005-b22f-351e9c09274d', 'foo')", "dc0b6f65-fca6-5b4b-9d37-ccc3fde1f3e2"),
    ("REGEXP_REPLACE('abcabc', 'b', 'x')", "axcaxc"), ("REGEXP_REPLACE('abcabc', 'b')", "acac"),
    (r"REGEXP_REPLACE('first last', '(\\w+) (\\w+)', '\\2, \\1')", "last, first"),
    ("REGEXP_REPLACE('aXbXcX', 'X', '-', 1, 2)", "aXb-cX"), ("REGEXP_REPLACE('aXbXcX', 'X', '-', 3)", "aXb-c-"),
    (r"REGEXP_REPLACE('a.b', '\\.', '\\\\')", "a\\b"), ("REGEXP_SUBSTR('foo123bar', '[0-9]+')", "123"),
    (r"REGEXP_SUBSTR('the best, the worst', 'the\\W+(\\w+)', 1, 2, 'e', 1)", "worst"),
    ("REGEXP_SUBSTR('abc', 'x')", None), ("REGEXP_SUBSTR('abcd', 'B(c)', 1, 1, 'ie')", "c"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value"), STRINGS, ids=[case[0] for case in STRINGS])
def test_strings(evaluate: Evaluate, expression: str, value: str | None) -> None:
    found, sql_type = evaluate(expression)
    assert found == value
    assert sql_type.startswith("VARCHAR")


TYPED = [
    # expression, value, type
    ("LENGTH('héllo')", 5, "NUMBER(18,0)"), ("OCTET_LENGTH('hé')", 3, "NUMBER(18,0)"), ("BIT_LENGTH('a')", 8, "NUMBER(18,0)"),
    ("LENGTH(X'AABB')", 2, "NUMBER(18,0)"), ("CHARINDEX('l', 'hello', 4)", 4, "NUMBER(18,0)"), ("POSITION('z' IN 'abc')", 0, "NUMBER(18,0)"),
    ("POSITION('', 'abc')", 1, "NUMBER(18,0)"), ("CHARINDEX(X'BB', X'AABB')", 2, "NUMBER(18,0)"), ("ASCII('')", 0, "NUMBER(18,0)"),
    ("UNICODE('❄')", 10052, "NUMBER(18,0)"), ("UNICODE('')", 0, "NUMBER(18,0)"), ("EDITDISTANCE('future', 'past')", 6, "NUMBER(18,0)"),
    ("EDITDISTANCE('é', 'e')", 1, "NUMBER(18,0)"), ("EDITDISTANCE('abc', 'xyz', 2)", 2, "NUMBER(18,0)"),
    ("JAROWINKLER_SIMILARITY('Snowflake', 'ORACLE')", 61, "NUMBER(38,0)"), ("JAROWINKLER_SIMILARITY('', '')", 0, "NUMBER(38,0)"),
    ("JAROWINKLER_SIMILARITY('Gute nacht', 'Ich weis nicht')", 56, "NUMBER(38,0)"),
    (r"REGEXP_COUNT('It was the best, it was', '\\bwas\\b', 1)", 2, "NUMBER(18,0)"),
    ("REGEXP_INSTR('hello', 'l', 1, 2)", 4, "NUMBER(18,0)"), ("REGEXP_INSTR('hello', 'l', 1, 1, 1)", 4, "NUMBER(18,0)"),
    ("REGEXP_INSTR('aaa', 'a+', 1, 2)", 0, "NUMBER(18,0)"), ("REGEXP_INSTR('nevermore', 'm(o)r', 1, 1, 0, 'e', 1)", 7, "NUMBER(18,0)"),
    ("REGEXP_LIKE('ABC', 'abc', 'i')", True, "BOOLEAN"), ("'abc' RLIKE 'b'", False, "BOOLEAN"), ("'a\nb' RLIKE 'a.b'", False, "BOOLEAN"),
    ("REGEXP_LIKE('a\nb', 'a.b', 's')", True, "BOOLEAN"), ("'abc' LIKE 'a_c'", True, "BOOLEAN"),
    ("'A%' ILIKE 'a^%' ESCAPE '^'", True, "BOOLEAN"), ("'abc' LIKE ANY ('x%', 'a%')", True, "BOOLEAN"),
    ("CONTAINS('hello', 'ell')", True, "BOOLEAN"), ("CONTAINS(X'AABB', X'AB')", False, "BOOLEAN"), ("STARTSWITH('a', 'b')", False, "BOOLEAN"),
    ("LPAD(X'AA', 3, X'0F')", b"\x0f\x0f\xaa", "BINARY(3)"), ("LEFT(X'AABB', 1)", b"\xaa", "BINARY(1)"),
    ("SUBSTR(X'AABBCC', -2, 1)", b"\xbb", "BINARY(1)"), ("REVERSE(X'AABB')", b"\xbb\xaa", "BINARY(2)"),
    ("CONCAT(X'AA', X'BB')", b"\xaa\xbb", "BINARY(2)"), ("MD5_BINARY('a')", bytes.fromhex("0cc175b9c0f1b6a831c399e269772661"), "BINARY(16)"),
    ("COMPRESS('Snowflake', 'SNAPPY')", b"\t Snowflake", "BINARY(8388608)"),
    ("SPLIT('a.b', '.')", '["a","b"]', "ARRAY"), ("SPLIT('ab', '')", '["ab"]', "ARRAY"), ("STRTOK_TO_ARRAY('a.b c', '. ')", '["a","b","c"]', "ARRAY"),
    ("REGEXP_SUBSTR_ALL('a1_a2a3', 'a([0-9])', 1, 2, 'e')", '["2","3"]', "ARRAY"),
    ("MD5_NUMBER_LOWER64('Snowflake')", 9203306159527282910, "NUMBER(20,0)"), ("MD5_NUMBER_UPPER64('Snowflake')", 17145559544104499780, "NUMBER(20,0)"),
    ("UPPER('abc')", "ABC", "VARCHAR(3)"), ("SUBSTR('hello', 2, 3)", "ell", "VARCHAR(3)"), ("'ab' || 'cde'", "abcde", "VARCHAR(5)"),
    ("COLLATION(COLLATE('f', 'de'))", "de", "VARCHAR(16777216)"), ("'a' COLLATE 'en-ci' = 'A'", True, "BOOLEAN"),
    ("' a ' COLLATE 'en_US-trim' = 'a'", True, "BOOLEAN"), ("'B' COLLATE 'en' > 'a'", True, "BOOLEAN"), ("'B' > 'a'", False, "BOOLEAN"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value", "sql_type"), TYPED, ids=[case[0] for case in TYPED])
def test_typed(evaluate: Evaluate, expression: str, value: Any, sql_type: str) -> None:
    assert evaluate(expression) == (value, sql_type)


def test_parse_url(evaluate: Evaluate) -> None:
    found, sql_type = evaluate("PARSE_URL('https://www.snowflake.com:443/a/b?x=1&y=a%20b#frag')")
    assert sql_type == "OBJECT"
    assert found == (
        '{"fragment":"frag","host":"www.snowflake.com","parameters":{"x":"1","y":"a b"},"path":"a/b","port":"443",'
        '"query":"x=1&y=a%20b","scheme":"https"}'
    )


def test_hash(run: Callable[..., Any]) -> None:
    """Equal numbers have equal hashes whatever their type; other values differ; the same in every run."""
    answer = run("SELECT HASH(10), HASH(10.0), HASH(10::FLOAT), HASH('10'), HASH(NULL), HASH(1, 'a'), HASH('a', 1)")
    first, *others = answer.rows[0]
    assert first == others[0] == others[1]
    assert len({first, *others[2:]}) == 5
    assert str(answer.columns[0].type) == "NUMBER(19,0)"
    assert run("SELECT HASH(*) = HASH($1, $2) FROM VALUES (1, 'x')").value is True


ERRORS = [
    ("CHR(-1)", 100210), ("REGEXP_LIKE('a', '(')", 100048), ("REGEXP_LIKE('a', 'a', 'z')", 100048),
    ("BASE64_DECODE_STRING('!!')", 100203), ("HEX_DECODE_STRING('5')", 100201), ("SHA2('a', 1)", 100124),
    ("PARSE_URL('nourl')", 100139), ("COLLATE('a', 'no such thing')", 2322), ("UPPER()", 938), ("UPPER('a', 'b')", 939),
    ("ENCRYPT('a', 'b')", 2), ("COMPRESS('a', 'zip')", 100244),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "code"), ERRORS, ids=[case[0] for case in ERRORS])
def test_errors(evaluate: Evaluate, expression: str, code: int) -> None:
    with pytest.raises(SnowflakeError) as caught:
        evaluate(expression)
    assert caught.value.code == code


COLUMNS = [
    # expressions over columns a, n, b; values in order of the rows below
    ("LPAD(a, n, b)", ["bbbabc", None, "q"]),
    ("SPLIT_PART(a, b, 1)", ["a", None, "q"]),
    ("SUBSTR(a || b || a, n - 5)", ["abcbabc", None, "qq"]),
    ("SPLIT(a, b)", ['["a","c"]', None, '["q"]']),
    ("REGEXP_REPLACE(a, b, '[\\\\0]')", ["a[b]c", None, "[]q[]"]),
    ("CONCAT_WS(b, a, a || a)", ["abcbabcabc", None, "qqq"]),
    ("INSERT(a, 2, 1, b)", ["abc", None, "q"]),
    ("POSITION(b, a || a, 3)", [5, None, 3]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "values"), COLUMNS, ids=[case[0] for case in COLUMNS])
def test_columns(run: Callable[..., Any], expression: str, values: list[Any]) -> None:
    """Arguments that are columns take other paths than literals; the row with NULL gives NULL."""
    answer = run(
        f"SELECT {expression} FROM VALUES ('abc', 6, 'b'), (NULL, 3, 'x'), ('q', 2, '') AS t(a, n, b) ORDER BY n DESC"
    )
    expected = [values[0], values[1], values[2]]
    assert [row[0] for row in answer.rows] == expected


def test_pattern_in_a_column(run: Callable[..., Any]) -> None:
    answer = run(
        "SELECT REGEXP_REPLACE(a || a, b, 'X', 2, 2), REGEXP_INSTR(a || a, b, 1, 2) FROM VALUES ('abc', 'b') AS t(a, b)"
    )
    assert answer.rows == [("abcaXc", 5)]
