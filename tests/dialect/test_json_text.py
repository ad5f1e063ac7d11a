"""JSON text and its canonical form: the quick way and the careful way agree."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.dialect.json_text import canonical, parse
from polynya.types.variant import encode

_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=14)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(_NUMBERS)
def test_a_number_is_the_same_however_it_is_read(number: object) -> None:
    text = f"{number:f}"
    assert canonical(text) == encode(parse(text))


@given(_VALUES)
def test_documents_are_the_same_however_they_are_read(value: object) -> None:
    text = json.dumps(value)
    assert canonical(text) == encode(parse(text))


@pytest.mark.parametrize("text", ["3.69343324003475", "-36934332400347.5", "0.369343324003475"])
def test_fifteen_digits_stay_a_number(text: str) -> None:
    assert canonical(text) == text
