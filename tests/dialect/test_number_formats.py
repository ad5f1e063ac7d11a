"""Numeric format models: (model, number or text, result)."""

from __future__ import annotations

import pytest

from polynya.dialect.number_formats import format_number, parse_number
from polynya.errors import SnowflakeError

PRINTED = [
    ('">"$99.0"<"', "-12.391", ">-$12.4<"),
    ('">"$99.0"<"', "0.000", ">  $0.0<"),
    ('">"$99.0"<"', "-1.000", "> -$1.0<"),
    ('">"$99.0"<"', "3987.000", "> $##.#<"),
    ('">"B9,999.0"<"', "-12.391", ">   -12.4<"),
    ('">"B9,999.0"<"', "0.000", ">      .0<"),
    ('">"B9,999.0"<"', "3987.000", "> 3,987.0<"),
    ('">"TME"<"', "-12.391", ">-1.2391E1<"),
    ('">"TME"<"', "0.000", ">0E0<"),
    ('">"TM9"<"', "3987.000", ">3987.000<"),
    ('">"0XXX"<"', "-12.391", ">FFF4<"),
    ('">"0XXX"<"', "3987.000", ">0F93<"),
    ('">"S0XXX"<"', "-12.391", ">-000C<"),
    ('">"S0XXX"<"', "1.111", ">+0001<"),
    ("999,999.00", "1234.5", "   1,234.50"),
    ("FM999,999.00", "-1234.5", "-1,234.50"),
    ("9.99", "0.1", " 0.1 "),
    ("S99", "7", " +7"),
    ("99MI", "-7", " 7-"),
    ("0.00EEE", "-12.391", "-1.24E+1"),
    ("00000", "42", " 00042"),
]


@pytest.mark.parametrize(("model", "number", "text"), PRINTED)
def test_number_to_text(model: str, number: str, text: str) -> None:
    assert format_number(number, model) == text


READ = [
    ("$99,999.99", "$12,345.67", "12345.67"),
    ("99.9", "12.3", "12.3"),
    ("99", "-5", "-5"),
    ("99MI", "5-", "-5"),
    ("XX", "FF", "255"),
    ("999", " 12 ", "12"),
    ("9.9EE", "1.5E3", "1500"),
    ("99", "abc", None),
    ("99", "123", None),
    ("99", "1.5", None),
    ("99", "1,0", None),
    ("99", "$1", None),
    ("99", "-5-", None),
]


@pytest.mark.parametrize(("model", "text", "number"), READ)
def test_text_to_number(model: str, text: str, number: str | None) -> None:
    assert parse_number(text, model) == number


def test_a_model_without_digits_is_refused() -> None:
    with pytest.raises(SnowflakeError):
        format_number("1", "abc")
