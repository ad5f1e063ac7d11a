"""Files of JSON documents, cut into documents: for those that the engine's reader does not take.

Documents follow each other with or without blanks between them, over any number of lines; what is inside a document is
not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from polynya.stages.csv_parser import Problem, Record

# What matters for finding a container's end.
_MARKS = re.compile(r"[\[\]{}\"']")
_STRING = {
    '"': re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
    "'": re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL),
}
_SCALAR = re.compile(r"[^\s\[\]{},]+")
_BLANKS = re.compile(r"[\s]*")


def split(text: str, *, strip_outer_array: bool) -> Iterator[Record]:
    """The documents of a file, each as a record with one field.

    Args:
        text: the file.
        strip_outer_array: the items of a document that is an array are documents themselves.
    """
    position, line, row = 0, 1, 0
    text = text.removeprefix("\ufeff")
    inside = 0  # of outer arrays that are stripped
    while True:
        start = _BLANKS.match(text, position).end()  # type: ignore[union-attr]
        line += text.count("\n", position, start)
        position = start
        if position >= len(text):
            if inside:
                yield _problem(row + 1, line, "incomplete array value")
            return
        character = text[position]
        if strip_outer_array and character == "[" and not inside:
            inside, position = 1, position + 1
            continue
        if inside and character in ",]":
            inside -= character == "]"
            position += 1
            continue
        end = _end(text, position)
        row += 1
        if end is None:
            yield _problem(row, line, "incomplete object value" if character == "{" else "unfinished string")
            return
        yield Record(row, line, [text[position:end]], [(line, 1)])
        line += text.count("\n", position, end)
        position = end


def _end(text: str, position: int) -> int | None:
    """Where the document that begins here ends; None if it does not."""
    character = text[position]
    if character in "\"'":
        found = _STRING[character].match(text, position)
        return found.end() if found else None
    if character not in "[{":
        found = _SCALAR.match(text, position)
        return found.end() if found else position + 1
    depth = 0
    while True:
        mark = _MARKS.search(text, position)
        if mark is None:
            return None
        position = mark.end()
        if mark[0] in "[{":
            depth += 1
        elif mark[0] in "]}":
            depth -= 1
            if depth == 0:
                return position
        else:
            string = _STRING[mark[0]].match(text, mark.start())
            if string is None:
                return None
            position = string.end()


def _problem(row: int, line: int, message: str) -> Record:
    return Record(row, line, [], [], Problem(100069, f"Error parsing JSON: {message}", line, 1, 1))
