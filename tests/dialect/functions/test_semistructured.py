"""PARSE_JSON, paths, objects, VARIANT casts, type predicates, MAP."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError

PARSING = [
    ("sorts keys", """PARSE_JSON('{"b": 1, "a": [1, {"d": 1, "c": 2}]}')""", '{"a":[1,{"c":2,"d":1}],"b":1}'),
    ("keys without quotes, empty items", "PARSE_JSON('{b: 1, ''a'': [1,, 2,]}')", '{"a":[1,undefined,2,undefined],"b":1}'),
    ("fractions of zeros", "PARSE_JSON('[1.0, 2.50, -0.0]')", "[1,2.5,0]"),
    ("exponents are FLOAT", "PARSE_JSON('1.912e2')", "1.912000000000000e+02"),
    ("big numbers keep their digits", "PARSE_JSON('[12345678901234567890123, 1.23456789012345678901]')",
     "[12345678901234567890123,1.23456789012345678901]"),
    ("blank text is NULL", "PARSE_JSON('  ')", None),
    ("duplicates if asked for", """PARSE_JSON('{"a": 1, "a": 2}', 'd')""", '{"a":2}'),
    ("TRY_PARSE_JSON", "TRY_PARSE_JSON('{')", None),
    ("escapes", """PARSE_JSON('{"a": "\\\\u00e9\\\\n\\\\/"}')""", '{"a":"é\\n/"}'),
    ("text that looks like a tag", """PARSE_JSON('"\\\\u0001D2024-01-01"')""", '"\\u0001D2024-01-01"'),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), [case[1:] for case in PARSING], ids=[case[0] for case in PARSING])
def test_parsing(evaluate, expression, expected):
    assert evaluate(expression) == (expected, "VARIANT")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": null', "incomplete object value, pos 11"),
        ('{"a: "foo"}', "missing colon, pos 7"),
        ('{"a:', "unfinished string, pos 5"),
        ('{"a":1,"a":2}', 'duplicate object attribute "a", pos 13'),
        ("abc", 'unknown keyword "abc", pos 4'),
        ("[1", "incomplete array value, pos 3"),
        ("1 2", "more than one document in the input, pos 3"),
        ("[" * 3000, "too many levels of nesting, pos 402"),
    ],
)
def test_text_that_is_not_json(evaluate, text, problem):
    assert evaluate(f"CHECK_JSON('{text}')")[0] == problem
    with pytest.raises(SnowflakeError) as raised:
        evaluate(f"PARSE_JSON('{text}')")
    assert (raised.value.code, raised.value.message) == (100069, f"Error parsing JSON: {problem}")


DOCUMENT = """PARSE_JSON('{"a": {"b": [10, 20, null]}, "B": "x", "c\\'d": 1, "n": null}')"""
PATHS = [
    (":a.b[1]", "20"), ("['a']['b'][0]", "10"), (":a.b[2]", "null"), (":a.b[3]", None), (":a.b[-1]", None),
    (":B::STRING", "x"), (":b", None), ("['c''d']", "1"), (":n", "null"), (":n::STRING", None), (":a.b::ARRAY[0]::INT", 10),
    (":a[i]", None), (":a.b[i]", "20"), ("[k].b[0]::INT", 10),
]  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_paths(run, path, expected):
    assert run(f"SELECT v{path} FROM (SELECT {DOCUMENT} v, 1 i, 'a' k)").value == expected


CASTS = [
    ("'12'::VARIANT::INT", 12), ("1.5::VARIANT::INT", 2), ("PARSE_JSON('1.005')::NUMBER(10,2)", "1.01"), ("TRUE::VARIANT::INT", 1),
    ("PARSE_JSON('null')::INT", None), ("1.5::FLOAT::VARIANT::STRING", "1.5"), ("[1, NULL]::STRING", "[1,undefined]"),
    ("'2020-01-02'::DATE::VARIANT::STRING", "2020-01-02"), ("PARSE_JSON('\"2020-01-02\"')::DATE::STRING", "2020-01-02"),
    ("TO_VARIANT('2020-01-01 10:00:00 +02:00'::TIMESTAMP_TZ)::TIMESTAMP_TZ::STRING", "2020-01-01 10:00:00.000 +0200"),
    ("TO_VARIANT('10:20:30'::TIME)::TIME::STRING", "10:20:30"), ("TO_VARIANT('AB'::BINARY)::BINARY::STRING", "AB"),
    ("5::VARIANT::ARRAY", "[5]"), ("'x'::VARIANT = 'x'", True), ("PARSE_JSON('1.4') = 1", False), ("PARSE_JSON('\"5\"') = 5", True),
    ("12345678901234567.25::NUMBER(38,2)::VARIANT::NUMBER(38,2)", "12345678901234567.25"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), CASTS)
def test_casts(evaluate, expression, expected):
    value = evaluate(expression)[0]
    assert (str(value) if isinstance(expected, str) else value) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'abc'::VARIANT::INT", 'Failed to cast variant value "abc" to FIXED'),
        ("PARSE_JSON('{\"a\":1}')::FLOAT", 'Failed to cast variant value {"a":1} to REAL'),
        ("PARSE_JSON('\"x\"')::DATE", 'Failed to cast variant value "x" to DATE'),
        ("PARSE_JSON('[1]')::OBJECT", "Failed to cast variant value [1] to OBJECT"),
    ],
)
def test_values_of_another_type(evaluate, expression, message):
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert (raised.value.code, raised.value.message) == (100071, message)


def test_order_of_variants(run):
    rows = "(SELECT PARSE_JSON(column1) v FROM VALUES ('10'), ('9'), (NULL), ('\"a\"'), ('1.5'), ('9'))"
    ordered = [("1.5",), ("9",), ("9",), ("10",), ('"a"',), (None,)]
    assert run(f"SELECT v FROM {rows} ORDER BY v").rows == ordered
    assert run(f"SELECT DISTINCT v FROM {rows} ORDER BY v DESC").rows == list(dict.fromkeys(reversed(ordered)))
    assert run(f"SELECT MIN(v), MAX(v), COUNT(DISTINCT v) FROM {rows}").rows == [("1.5", '"a"', 4)]
    assert run(f"SELECT COUNT_IF(v > PARSE_JSON('9')) FROM {rows}").value == 2


@pytest.mark.parametrize(
    "expression",
    [
        "PARSE_JSON(REPEAT('[1.0,', 50000) || '1' || REPEAT(']', 50000))",
        "PARSE_JSON(REPEAT('[1,', 100000))",
        "TO_XML(PARSE_JSON(REPEAT('[', 50000) || REPEAT(']', 50000)))",
    ],
)
def test_values_nested_too_deep(evaluate, expression):
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert raised.value.code == 100069


def test_a_deep_value_can_be_shown(evaluate):
    depth = 3000
    assert evaluate(f"PARSE_JSON(REPEAT('[', {depth}) || REPEAT(']', {depth}))")[0] == "[" * depth + "]" * depth


OBJECTS = [
    ("OBJECT_CONSTRUCT('b', 1, 'a', NULL, 'c', 'x')", '{"b":1,"c":"x"}'),
    ("OBJECT_CONSTRUCT_KEEP_NULL('b', 1, 'a', NULL)", '{"a":null,"b":1}'),
    ("OBJECT_CONSTRUCT(NULL, 1, 'a', 2.50)", '{"a":2.5}'),
    ("OBJECT_CONSTRUCT()", "{}"),
    ("OBJECT_INSERT({'a': 1}, 'b', 2)", '{"a":1,"b":2}'),
    ("OBJECT_INSERT({'a': 1}, 'a', 2, TRUE)", '{"a":2}'),
    ("OBJECT_DELETE({'a': 1, 'b': 2}, 'a', 'z')", '{"b":2}'),
    ("OBJECT_PICK({'a': 1, 'b': 2}, ['b', 'z'])", '{"b":2}'),
    ("OBJECT_KEYS({'b': 1, 'a': 2})", '["a","b"]'),
    ("GET_IGNORE_CASE({'aB': 1}, 'AB')", "1"),
    ("GET_PATH({'a': {'b': [1, 2]}}, 'a.b[1]')", "2"),
    ("STRIP_NULL_VALUE(PARSE_JSON('null'))", None),
    ("TO_JSON({'d': '2024-01-02'::DATE})", '{"d":"2024-01-02"}'),
    ("MAP_INSERT({'a': 1}::MAP(VARCHAR, INT), 'b', 2)", '{"a":1,"b":2}'),
    ("{'a': 1}::MAP(VARCHAR, INT)['a']", 1),
    ("{'a': '1', 'b': 2}::OBJECT(\"b\" INT, \"a\" INT)", '{"b":2,"a":1}'),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), OBJECTS)
def test_objects(evaluate, expression, expected):
    assert evaluate(expression)[0] == expected


def test_object_of_all_columns(run):
    answer = run("SELECT OBJECT_CONSTRUCT(*) FROM VALUES (1, 'x', NULL), (2, NULL, 3.5) AS t(a, \"b\", c)")
    assert answer.rows == [('{"A":1,"b":"x"}',), ('{"A":2,"C":3.5}',)]


def test_a_key_twice(evaluate):
    with pytest.raises(SnowflakeError) as raised:
        evaluate("OBJECT_INSERT({'a': 1}, 'a', 2)")
    assert raised.value.code == 100083


KINDS = [
    ("PARSE_JSON('1')", "INTEGER", {"IS_INTEGER", "IS_DECIMAL", "IS_DOUBLE", "IS_REAL"}),
    ("1.5::VARIANT", "DECIMAL", {"IS_DECIMAL", "IS_DOUBLE", "IS_REAL"}),
    ("1.5::FLOAT::VARIANT", "DOUBLE", {"IS_DOUBLE", "IS_REAL"}),
    ("'a'::VARIANT", "VARCHAR", {"IS_VARCHAR", "IS_CHAR"}),
    ("TRUE::VARIANT", "BOOLEAN", {"IS_BOOLEAN"}),
    ("[1]", "ARRAY", {"IS_ARRAY"}),
    ("{}", "OBJECT", {"IS_OBJECT"}),
    ("'2020-01-01'::DATE::VARIANT", "DATE", {"IS_DATE", "IS_DATE_VALUE"}),
    ("'10:00:00'::TIME::VARIANT", "TIME", {"IS_TIME"}),
    ("'2020-01-01'::TIMESTAMP_NTZ::VARIANT", "TIMESTAMP_NTZ", {"IS_TIMESTAMP_NTZ"}),
    ("'AB'::BINARY::VARIANT", "BINARY", {"IS_BINARY"}),
    ("PARSE_JSON('null')", "NULL_VALUE", set()),
]
PREDICATES = sorted({name for _, _, names in KINDS for name in names})


@pytest.mark.parametrize(("value", "kind", "true"), KINDS, ids=[kind for _, kind, _ in KINDS])
def test_kinds(run, value, kind, true):
    calls = ", ".join(f"{name}(v)" for name in PREDICATES)
    row = run(f"SELECT TYPEOF(v), {calls} FROM (SELECT {value} v)").rows[0]
    assert row[0] == kind
    assert {name for name, answer in zip(PREDICATES, row[1:], strict=True) if answer} == true


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("AS_INTEGER(1.5::VARIANT)", "2"), ("AS_INTEGER('1'::VARIANT)", None), ("AS_NUMBER(1.23::VARIANT, 6, 1)", "1.2"),
        ("AS_VARCHAR(1::VARIANT)", None), ("AS_DOUBLE(1::VARIANT)", "1.0"), ("AS_ARRAY([1])", "[1]"), ("AS_OBJECT([1])", None),
        ("AS_DATE('2020-01-01'::DATE::VARIANT)", "2020-01-01"), ("AS_BOOLEAN('true'::VARIANT)", None),
    ],
)  # fmt: skip
def test_accessors(evaluate, expression, expected):
    value = evaluate(expression)[0]
    assert (None if value is None else str(value)) == expected
