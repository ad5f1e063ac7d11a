"""Locations of files as SQL writes them: ``@stage/path``, ``@db.s."stage"/path``, ``@~/path``, ``@%table``, URLs."""

from __future__ import annotations

from dataclasses import dataclass

from polynya.errors import SnowflakeError, compilation_error

_URL_SCHEMES = ("s3://", "s3gov://", "s3china://", "s3compat://", "file://", "gcs://", "azure://", "snow://")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a stage.

    Args:
        kind: NAMED, TABLE, USER, or URL for a storage address without a stage.
        name: parts of the stage's or table's name, resolved, outermost first; () for USER and URL.
        path: below the stage's root, without a slash in front; for URL the address itself.
    """

    kind: str
    name: tuple[str, ...]
    path: str


def parse_location(text: str) -> Location:
    """Reads a location.

    Args:
        text: without quotes around it; the ``@`` may be missing.

    Raises:
        SnowflakeError: 001003-like errors for text that names no location, and for a path that leaves its stage.
    """
    stripped = text.strip()
    if stripped.lower().startswith(_URL_SCHEMES):
        return Location("URL", (), stripped)
    rest = stripped.removeprefix("@")
    if rest == "~" or rest.startswith("~/"):
        return Location("USER", (), checked_path(rest[1:]))
    parts, kind = [], "NAMED"
    while True:
        if rest.startswith("%"):
            kind, rest = "TABLE", rest[1:]
        part, rest = _identifier(rest, text)
        parts.append(part)
        if kind == "TABLE" or not rest.startswith("."):
            break
        rest = rest[1:]
    if rest and not rest.startswith("/"):
        raise invalid_location(text)
    return Location(kind, tuple(parts), checked_path(rest))


def checked_path(path: str) -> str:
    """A path below a stage's root, without slashes in front.

    Raises:
        SnowflakeError: for a path with ``..`` or a control character in it.
    """
    relative = path.lstrip("/")
    parts = relative.replace("\\", "/").split("/")
    if ".." in parts or "\0" in relative:
        raise compilation_error(1014, "22000", f"invalid stage path '{path}': a path must not leave its stage.")
    return relative


def invalid_location(text: str) -> SnowflakeError:
    return compilation_error(1008, "22023", f"invalid value [{text}] for parameter 'location'")


def read_unquoted(text: str, start: int) -> int:
    """Where a location that begins at ``text[start]`` ends: at a blank, a parenthesis, a comma or a semicolon.

    Args:
        text: a statement.
        start: position of the ``@``.
    """
    index, quoted = start, False
    while index < len(text):
        character = text[index]
        if character == '"':
            quoted = not quoted
        elif not quoted and (character.isspace() or character in "(),;"):
            break
        index += 1
    return index


def _identifier(text: str, whole: str) -> tuple[str, str]:
    """One identifier, resolved, and the text behind it."""
    if text.startswith('"'):
        end = 1
        while True:
            end = text.find('"', end)
            if end < 0:
                raise invalid_location(whole)
            if text[end : end + 2] != '""':
                return text[1:end].replace('""', '"'), text[end + 1 :]
            end += 2
    length = 0
    while length < len(text) and (text[length].isalnum() or text[length] in "_$"):
        length += 1
    if length == 0 and not text.startswith("."):  # db..stage
        raise invalid_location(whole)
    return text[:length].upper(), text[length:]
