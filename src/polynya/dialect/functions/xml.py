"""XML in VARIANT: PARSE_XML, CHECK_XML, XMLGET, TO_XML.

Source: docs.snowflake.com/en/sql-reference/functions/parse_xml, /functions/xmlget, /functions/to_xml
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, as_bigint, derive
from polynya.dialect.functions.semistructured import as_variant, container
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError
from polynya.stages.xml import XmlError, converted, elements
from polynya.types import variant, xml_text
from polynya.types.sqltype import INTEGER, OBJECT, VARCHAR

_TAG = re.compile(r"<(/?)([\w.:-]+)|<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|<!DOCTYPE[^>]*>", re.DOTALL)
_CLOSE = re.compile(r"(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(/?)>")


def _problem(text: str) -> str | None:
    """What keeps a text from being one XML element, with the position after it, or None.

    The wording is Snowflake's for tags that do not match; for the rest it is the parser's.
    """
    opened: list[str] = []
    position = 0
    while (found := _TAG.search(text, position)) is not None:
        position = found.end()
        slash, name = found[1], found[2]
        if name is None:
            continue
        end = _CLOSE.match(text, position)
        if end is None:
            wrong = text[position : position + 1]
            return f"bad character in XML tag name: '{wrong}', pos {position + 1}" if wrong else "premature end of XML"
        position = end.end()
        if slash:
            if not opened or opened[-1] != name:
                return f"no opening tag for </{name}>, pos {position}"
            opened.pop()
        elif not end[1]:
            opened.append(name)
    if opened:
        return f"missing closing tags: {''.join(f'</{name}>' for name in reversed(opened))}, pos {len(text)}"
    try:
        count = sum(1 for _ in elements(text.encode()))
    except XmlError as error:
        return f"{error}, line {error.line}"
    if count > 1:
        return f"more than one document in the input, pos {len(text)}"
    return None if count else f"prematurely terminated XML document, pos {len(text)}"


@python_function("sf_check_xml", ["VARCHAR"], "VARCHAR")
def _check_xml(text: str | None) -> str | None:
    return None if text is None or not text.strip() else _problem(text)


@python_function("sf_parse_xml", ["VARCHAR", "BOOLEAN", "BOOLEAN"], "VARCHAR")
def _parse_xml(text: str | None, convert: bool, attempt: bool) -> str | None:
    """An element as JSON text; blank text is NULL."""
    if text is None or not text.strip():
        return None
    problem = _problem(text)
    if problem is not None:
        if attempt:
            return None
        raise SnowflakeError(100100, "22P02", f"Error parsing XML: {problem}")
    element = next(elements(text.encode()))[0]
    return variant.encode(converted(element) if convert else element)


@scalar("CHECK_XML", args=(1, 2))
def check_xml(call: Call) -> Expr:
    """NULL for XML, else what is wrong with the text."""
    text = call.arg(0, VARCHAR)
    return derive(f"sf_check_xml({text.sql})", VARCHAR, text, nullable=True)


@scalar("PARSE_XML", "TRY_PARSE_XML", args=(1, 2))
def parse_xml(call: Call) -> Expr:
    """Numbers and booleans in the text become such unless the second argument (disable_auto_convert) is TRUE."""
    text = call.arg(0, VARCHAR)
    convert = "FALSE" if call.constant(1, False) else "TRUE"
    attempt = "TRUE" if call.name == "TRY_PARSE_XML" else "FALSE"
    return derive(f"sf_parse_xml({text.sql}, {convert}, {attempt})::JSON", OBJECT, text, nullable=True)


@python_function("sf_xmlget", ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR")
def _xmlget(text: str | None, name: str | None, instance: int | None) -> str | None:
    """The n-th element of a name, from 0, in an element's content."""
    if text is None or name is None or instance is None:
        return None
    element = variant.decode(text)
    if not xml_text.is_element(element):
        return None
    content = element["$"] if isinstance(element["$"], list) else [element["$"]]
    found = [item for item in content if xml_text.is_element(item) and item["@"] == name]
    return variant.encode(found[instance]) if 0 <= instance < len(found) else None


@scalar("XMLGET", args=(2, 3))
def xmlget(call: Call) -> Expr:
    element, name = container(call, 0, "OBJECT", "VARIANT"), call.arg(1, VARCHAR)
    instance = call.arg(2, INTEGER) if len(call) > 2 else None
    number = as_bigint(instance) if instance is not None else "0"
    sources = [element, name, *([instance] if instance is not None else [])]
    return derive(f"sf_xmlget({element.atom}::VARCHAR, {name.sql}, {number})::JSON", OBJECT, *sources, nullable=True)


_KINDS: list[tuple[type, str]] = [
    (bool, "BOOLEAN"), (int, "INTEGER"), (Decimal, "DECIMAL"), (float, "DOUBLE"), (str, "VARCHAR"),
    (dict, "OBJECT"), (list, "ARRAY"),
]  # fmt: skip


def _tagged(value: Any, tag: str) -> str:
    """A value as an XML element that names its type."""
    if value is None:
        return f'<{tag} type="NULL"></{tag}>'
    kind = next((name for python, name in _KINDS if isinstance(value, python)), "VARCHAR")
    if isinstance(value, dict):
        inside = "".join(_tagged(item, key) for key, item in value.items())
    elif isinstance(value, list):
        inside = "".join(_tagged(item, "e") for item in value)
    elif isinstance(value, bool):
        inside = str(value).lower()
    else:
        inside = escape(value if isinstance(value, str) else variant.scalar_text(value, variant.Formats()))
    return f'<{tag} type="{kind}">{inside}</{tag}>'


@python_function("sf_to_xml", ["VARCHAR"], "VARCHAR")
def _to_xml(text: str | None) -> str | None:
    if text is None:
        return None
    value = variant.decode(text)
    return xml_text.write(value, 0) if xml_text.is_element(value) else _tagged(value, "SnowflakeData")


@scalar("TO_XML", args=1)
def to_xml(call: Call) -> Expr:
    value = as_variant(call.arg(0))
    return derive(f"sf_to_xml({value.atom}::VARCHAR)", VARCHAR, value)
