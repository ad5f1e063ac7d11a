"""XML elements inside a VARIANT, and their text.

An element is an object with ``"@"`` (its name), ``"@attribute"`` (its attributes) and ``"$"`` (its content: a value, an
element, or an array of them). Snowflake writes such an object as XML.

Source: docs.snowflake.com/en/sql-reference/functions/parse_xml
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr


def is_element(value: Any) -> bool:
    """Whether a value is an XML element."""
    return (
        isinstance(value, dict) and "@" in value and "$" in value and all(key == "$" or key[:1] == "@" for key in value)
    )


def write(value: Any, indent: int = 2, level: int = 0) -> str:
    """An element, or the text between elements, as XML.

    Args:
        value: as ``variant.decode`` gives it.
        indent: blanks a level; 0 writes one line.
        level: how deep it stands.
    """
    margin = " " * (indent * level)
    if not is_element(value):
        return margin + escape(_text(value))
    content = value["$"] if isinstance(value["$"], list) else [value["$"]]
    attributes = "".join(f" {key[1:]}={quoteattr(_text(item))}" for key, item in value.items() if key not in ("@", "$"))
    opening, closing = f"{margin}<{value['@']}{attributes}>", f"</{value['@']}>"
    if not any(is_element(item) for item in content):
        return opening + escape("".join(_text(item) for item in content)) + closing
    newline = "\n" if indent else ""
    inside = newline.join(write(item, indent, level + 1) for item in content)
    return f"{opening}{newline}{inside}{newline}{margin}{closing}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
