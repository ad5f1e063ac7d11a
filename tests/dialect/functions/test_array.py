"""ARRAY_* and ARRAYS_*, FILTER, TRANSFORM, REDUCE."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError

ARRAYS = [
    ("ARRAY_CONSTRUCT(1, NULL, 'a', 1.50, 2::FLOAT, TRUE)", '[1,undefined,"a",1.5,2.000000000000000e+00,true]'),
    ("ARRAY_CONSTRUCT_COMPACT(1, NULL, 2)", "[1,2]"),
    ("ARRAY_APPEND([1], 'a')", '[1,"a"]'), ("ARRAY_APPEND([1], NULL)", "[1,undefined]"), ("ARRAY_PREPEND([1], 2)", "[2,1]"),
    ("ARRAY_CAT([1], [2])", "[1,2]"), ("ARRAY_CAT([1], NULL)", None),
    ("ARRAY_COMPACT(PARSE_JSON('[1, null, 2]'))", "[1,2]"),
    ("ARRAY_DISTINCT([1, 1, 2, 'a', 'a'])", '[1,2,"a"]'),
    ("ARRAY_EXCEPT([1, 1, 2], [1])", "[1,2]"), ("ARRAY_INTERSECTION([1, 1, 2], [1, 3, 1, 1])", "[1,1]"),
    ("ARRAY_INSERT([0,1,2,3], 2, 'h')", '[0,1,"h",2,3]'), ("ARRAY_INSERT([0,1,2,3], 5, 'h')", '[0,1,2,3,undefined,"h"]'),
    ("ARRAY_INSERT([0,1,2,3], -1, 'h')", '[0,1,2,"h",3]'),
    ("ARRAY_REMOVE([1, 2, 1], 1)", "[2]"), ("ARRAY_REMOVE([1], NULL)", None), ("ARRAY_REMOVE_AT([1,2,3], -1)", "[1,2]"),
    ("ARRAY_SLICE([0,1,2,3,4], 1, 3)", "[1,2]"), ("ARRAY_SLICE([0,1,2,3], -2, 4)", "[2,3]"), ("ARRAY_SLICE([0,1,2,3], 0, -1)", "[0,1,2]"),
    ("ARRAY_SLICE([1,2], 5, 9)", "[]"),
    ("ARRAY_SORT([20, 0, NULL, 10])", "[0,10,20,undefined]"), ("ARRAY_SORT([20, 0, NULL, 10], FALSE, FALSE)", "[20,10,0,undefined]"),
    ("ARRAY_SORT([20, 0, NULL, 10], FALSE, TRUE)", "[undefined,20,10,0]"),
    ("ARRAY_SORT(PARSE_JSON('[20, 0, null, 10]'), FALSE, TRUE)", "[null,20,10,0]"), ("ARRAY_SORT([9, 10, 1.5])", "[1.5,9,10]"),
    ("ARRAY_MIN([20, 0, NULL, 10])", "0"), ("ARRAY_MAX([9, 10])", "10"), ("ARRAY_MIN([NULL])", None),
    ("ARRAY_MIN(PARSE_JSON('[null, null]'))", "null"),
    ("ARRAY_FLATTEN([[1, 2], [3]])", "[1,2,3]"), ("ARRAY_FLATTEN([[1], NULL])", None), ("ARRAY_FLATTEN([[[1], [2]]])", "[[1],[2]]"),
    ("ARRAY_GENERATE_RANGE(4, -4, -2)", "[4,2,0,-2]"), ("ARRAY_GENERATE_RANGE(2, -2)", "[]"),
    ("ARRAY_TO_STRING([1, 'a', NULL, 1.5, TRUE], ',')", "1,a,,1.5,true"), ("ARRAY_TO_STRING([], ',')", ""),
    ("ARRAYS_TO_OBJECT(['a', 'b'], [1, NULL])", '{"a":1}'),
    ("ARRAYS_ZIP([1, 2], ['a', 'b', 'c'])", '[{"$1":1,"$2":"a"},{"$1":2,"$2":"b"},{"$1":null,"$2":"c"}]'),
    ("ARRAYS_OVERLAP([1, 2], [2])", True), ("ARRAYS_OVERLAP([NULL], [NULL])", True), ("ARRAYS_OVERLAP([1], [2])", False),
    ("ARRAY_CONTAINS(1, [1, 2])", True), ("ARRAY_CONTAINS('x'::VARIANT, ['y'])", False), ("ARRAY_CONTAINS(NULL, [NULL])", True),
    ("ARRAY_CONTAINS(NULL, [1])", None), ("ARRAY_POSITION(2, [1, 2])", 1), ("ARRAY_POSITION(5, [1, 2])", None),
    ("ARRAY_SIZE([1, 2])", 2), ("ARRAY_SIZE(PARSE_JSON('{}'))", None), ("ARRAY_SIZE(1)", None),
    ("[1, '2']::ARRAY(INT)", "[1,2]"),
    ("FILTER([1, 5, NULL, 7], x -> x > 3)", "[5,7]"), ("TRANSFORM([1, 2, 3], x INT -> x * 2)", "[2,4,6]"),
    ("TRANSFORM([[1, 2], [3]], r ARRAY -> TRANSFORM(r, e INT -> e + 1))", "[[2,3],[4]]"),
    ("REDUCE([1, 2, 3]::ARRAY(INT), 0, (total, v) -> total + v)", 6),
    ("REDUCE(['a', 'b'], '', (total, v) -> total || v::VARCHAR)", "ab"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), ARRAYS)
def test_arrays(evaluate, expression, expected):
    assert evaluate(expression)[0] == expected


def test_a_lambda_sees_the_query_around_it(run):
    query = "SELECT FILTER(a, x -> x > y) FROM (SELECT [1, 2, 3] a, 1 y UNION ALL SELECT [5, 6], 5) ORDER BY 1"
    assert run(query).rows == [("[2,3]",), ("[6]",)]


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("ARRAY_FLATTEN([1])", 100107),
        ("ARRAY_GENERATE_RANGE(0, 100000000000)", 100145),
        ("ARRAY_INSERT([1], 1000000000, 2)", 100145),
        ("ARRAY_GENERATE_RANGE(0, 10, 0)", 100300),
        ("REDUCE([1], 0, x -> x)", 1044),
    ],
)
def test_errors(evaluate, expression, code):
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert raised.value.code == code


def test_large_arrays(run):
    row = run("""SELECT ARRAY_SIZE(ARRAY_EXCEPT(a, b)), ARRAY_SIZE(ARRAY_INTERSECTION(a, b)), ARRAY_SIZE(ARRAY_DISTINCT(a)),
        LENGTH(ARRAY_TO_STRING(a, x))
        FROM (SELECT ARRAY_GENERATE_RANGE(0, 100000) a, ARRAY_GENERATE_RANGE(5, 100000) b, ',' x)""").rows[0]
    assert row == (5, 99995, 100000, 588889)
