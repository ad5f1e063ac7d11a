"""Locations as SQL writes them."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError
from polynya.stages.location import Location, parse_location, read_unquoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@st", Location("NAMED", ("ST",), "")),
        ("@st/", Location("NAMED", ("ST",), "")),
        ("st/a/b.csv", Location("NAMED", ("ST",), "a/b.csv")),
        ("@db.s.st/A b/c.csv", Location("NAMED", ("DB", "S", "ST"), "A b/c.csv")),
        ('@"d b"."s".St/x', Location("NAMED", ("d b", "s", "ST"), "x")),
        ('@"say ""hi"""/x', Location("NAMED", ('say "hi"',), "x")),
        ("@db..st/x", Location("NAMED", ("DB", "", "ST"), "x")),
        ("@~", Location("USER", (), "")),
        ("@~/x/y", Location("USER", (), "x/y")),
        ("@%t/x", Location("TABLE", ("T",), "x")),
        ('@db.s.%"My t"', Location("TABLE", ("DB", "S", "My t"), "")),
        ("s3://bucket/a", Location("URL", (), "s3://bucket/a")),
        ("file:///tmp/x", Location("URL", (), "file:///tmp/x")),
    ],
)
def test_locations(text: str, expected: Location) -> None:
    assert parse_location(text) == expected


@pytest.mark.parametrize(
    "text", ["@st/../other", "@st/a/../../b", "@~/..", "@st/a\\..\\b", "@", "@st x", '@"open', "@st/\0"]
)
def test_locations_that_are_refused(text: str) -> None:
    with pytest.raises(SnowflakeError):
        parse_location(text)


@pytest.mark.parametrize(
    ("text", "end"),
    [("@st/a b", 5), ('@"a b"/c (x)', 8), ("@st/a)", 5), ("@st;", 3), ("@~", 2)],
)
def test_where_a_bare_location_ends(text: str, end: int) -> None:
    assert read_unquoted(text, 0) == end
