"""PARSE_XML and its kin; GEOGRAPHY and GEOMETRY."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError

BOOK = """PARSE_XML('<t1>foo<t2 n="5">bar</t2><t3/><t2>1</t2></t1>')"""
CASES = [
    (f"{BOOK}::STRING", '<t1>foo<t2 n="5">bar</t2><t3></t3><t2>1</t2></t1>'),
    (f"XMLGET({BOOK}, 't2'):\"$\"", '"bar"'), (f"XMLGET({BOOK}, 't2', 1):\"$\"", "1"), (f"XMLGET({BOOK}, 't2'):\"@n\"", "5"),
    (f"XMLGET({BOOK}, 't9')", None), (f"{BOOK}:\"@\"", '"t1"'), ("PARSE_XML('')", None),
    ("CHECK_XML('<t1></t>')", "no opening tag for </t>, pos 8"),
    ("CHECK_XML('<t1><t1>')", "missing closing tags: </t1></t1>, pos 8"),
    ("CHECK_XML('<t1</t1>')", "bad character in XML tag name: '<', pos 4"),
    ("CHECK_XML('<a>&lt;<![CDATA[<]]><!-- x --></a>')", None),
    ("TO_XML(1)", '<SnowflakeData type="INTEGER">1</SnowflakeData>'),
    ("TO_XML({'a': [1, 'x<']})",
     '<SnowflakeData type="OBJECT"><a type="ARRAY"><e type="INTEGER">1</e><e type="VARCHAR">x&lt;</e></a></SnowflakeData>'),
    ("ST_ASTEXT(TO_GEOGRAPHY('POLYGON((0 0, 1 0, 1 1, 0 0))'))", "POLYGON((0 0,1 0,1 1,0 0))"),
    ("ST_X(TO_GEOMETRY('POINT(30 10)'))", 30.0), ("ST_DISTANCE(ST_POINT(0, 0), ST_POINT(1, 0))", pytest.approx(111195.1, abs=1)),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_values(evaluate, expression, expected):
    assert evaluate(expression)[0] == expected


@pytest.mark.parametrize(
    ("expression", "code"),
    [("PARSE_XML('<a>')", 100100), ("TO_GEOGRAPHY('x')", 100205), ("ST_AREA(TO_GEOGRAPHY('POINT(1 2)'))", 2)],
)
def test_errors(evaluate, expression, code):
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert raised.value.code == code
