"""XML files as VARIANT.

An element is an object as Snowflake has it: ``"@"`` its name, ``"@attribute"`` its attributes, ``"$"`` its content,
which is a value, an object for one element, or an array of text and elements.

Source: docs.snowflake.com/en/sql-reference/functions/parse_xml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from polynya.stages.csv_parser import Problem, Record
from polynya.stages.formats import FileFormat
from polynya.types.variant import encode

_PROLOG = re.compile(rb"\s*(?:<\?xml[^>]*\?>|<!DOCTYPE(?:[^\[>]|\[[^\]]*\])*>|<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)[\"']")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,37})(?:\.\d+)?\Z")


class XmlError(ValueError):
    """Text that is no XML: what is wrong and the line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def documents(data: bytes, file_format: FileFormat, name: str) -> Iterator[Record]:
    """The documents of a file (elements that follow each other), each a record with one field: canonical JSON.

    Args:
        data: the file.
        file_format: STRIP_OUTER_ELEMENT, PRESERVE_SPACE, DISABLE_AUTO_CONVERT, IGNORE_UTF8_ERRORS.
        name: the file's name in errors.
    """
    replace = file_format["IGNORE_UTF8_ERRORS"] or file_format["REPLACE_INVALID_CHARACTERS"]
    row = 0
    try:
        for element, line in elements(data, preserve_space=file_format["PRESERVE_SPACE"], replace=replace):
            inner = [(element, line)]
            if file_format["STRIP_OUTER_ELEMENT"]:
                content = element["$"] if isinstance(element["$"], list) else [element["$"]]
                inner = [(item, line) for item in content if isinstance(item, dict)]
            for document, at in inner:
                row += 1
                value = document if file_format["DISABLE_AUTO_CONVERT"] else converted(document)
                yield Record(row, at, [encode(value)], [(at, 1)])
    except XmlError as error:
        yield Record(row + 1, error.line, [], [], Problem(100100, f"Error parsing XML: {error}", error.line, 1, 1))


def elements(
    data: bytes, *, preserve_space: bool = False, replace: bool = False
) -> Iterator[tuple[dict[str, Any], int]]:
    """The outermost elements of a text, with the line on which each begins.

    Raises:
        XmlError: where it is no XML.
    """
    declared = _ENCODING.search(data[:200])
    encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = data.decode(encoding, "replace" if replace else "strict").removeprefix("\ufeff").encode()
    except (UnicodeDecodeError, LookupError) as error:
        raise XmlError(f"invalid characters for encoding {encoding}: {error}", 1) from None
    start = 0
    while found := _PROLOG.match(text, start):
        start = found.end()
    shift = text.count(b"\n", 0, start)
    builder = _Builder(preserve_space, shift)
    try:
        # Several elements on the top level are allowed in a file: an element around them makes it one document.
        builder.parser.Parse(b"<_>" + text[start:] + b"</_>", True)
    except expat.ExpatError as error:
        yield from builder.done
        raise XmlError(expat.errors.messages.get(error.code, str(error)), error.lineno + shift) from None
    yield from builder.done


class _Builder:
    """Builds elements from the parser's events."""

    def __init__(self, preserve_space: bool, shift: int) -> None:
        self.done: list[tuple[dict[str, Any], int]] = []
        self._stack: list[tuple[dict[str, Any], list[Any], int]] = []
        self._preserve = preserve_space
        self._shift = shift
        self._depth = 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        # Entities of the document's own could be nested without end or name files.
        self.parser.EntityDeclHandler = self._refuse

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth == 1:
            return
        element: dict[str, Any] = {"@": name}
        for index in range(0, len(attributes), 2):
            element[f"@{attributes[index]}"] = attributes[index + 1]
        self._stack.append((element, [], self.parser.CurrentLineNumber + self._shift))

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            return
        element, content, line = self._stack.pop()
        if not self._preserve:
            content = [item for item in content if not isinstance(item, str) or item.strip()]
            content = [item.strip() if isinstance(item, str) else item for item in content]
        element["$"] = "" if not content else content[0] if len(content) == 1 else content
        if self._stack:
            self._stack[-1][1].append(element)
        else:
            self.done.append((element, line))

    def _text(self, text: str) -> None:
        if self._stack:
            self._stack[-1][1].append(text)
        elif text.strip():
            raise XmlError("text outside of elements", self.parser.CurrentLineNumber + self._shift)

    def _refuse(self, name: str, *_: Any) -> None:
        raise XmlError(f"entity declaration '{name}' is not supported", self.parser.CurrentLineNumber + self._shift)


def converted(element: Any) -> Any:
    """The element with numbers and booleans in its content as such, as without DISABLE_AUTO_CONVERT."""
    if isinstance(element, dict):
        return {
            key: converted(value) if key == "$" or (key.startswith("@") and key != "@") else value
            for key, value in element.items()
        }
    if isinstance(element, list):
        return [converted(item) for item in element]
    if isinstance(element, str):
        if element in ("true", "false"):
            return element == "true"
        if _NUMBER.match(element) and len(element) < 38:
            from decimal import Decimal

            return Decimal(element) if "." in element else int(element)
    return element
