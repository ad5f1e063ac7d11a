"""Identifiers: written and read back."""

import pytest

from polynya.catalog.names import join_name, quote_identifier, split_name

CASES = [
    ("ABC", "ABC"),
    ("A_1$", "A_1$"),
    ("abc", '"abc"'),
    ("1A", '"1A"'),
    ("A B", '"A B"'),
    ('say "x"', '"say ""x"""'),
    ("SELECT", '"SELECT"'),
    ("", '""'),
    ("É", '"É"'),
]


@pytest.mark.parametrize(("name", "written"), CASES)
def test_quoting_and_back(name: str, written: str) -> None:
    assert quote_identifier(name) == written
    assert split_name(written) == [name]


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a.B.c", ["A", "B", "C"]), ('db."x.y"', ["DB", "x.y"]), ("db..t", ["DB", "", "T"]), ("_$1", ["_$1"])],
)
def test_splitting(text: str, parts: list[str]) -> None:
    assert split_name(text) == parts


@pytest.mark.parametrize("text", ["", "a b", 'a."b', "1a", "a."])
def test_no_names(text: str) -> None:
    with pytest.raises(ValueError):
        split_name(text)


def test_joining() -> None:
    assert join_name(["DB", "my schema", "T"]) == 'DB."my schema".T'
