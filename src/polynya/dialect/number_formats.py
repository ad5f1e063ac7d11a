"""Numeric format models: ``$999,999.00`` -> text of a number, number of a text.

Source: docs.snowflake.com/en/sql-reference/sql-format-models. They are rare, so both ways run in Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

from polynya.dialect.engine_functions import python_function
from polynya.errors import SnowflakeError

_ELEMENT = re.compile(
    r'"((?:[^"]|"")*)"|(TM9|TME|TM|FM|MI|EEEEE|EEEE|EEE|EE|E|[$.,09BDGSX])|(.)', re.IGNORECASE | re.DOTALL
)
_WIDE = Context(prec=80)


def format_sql(digits: str, model: str) -> str:
    """SQL of a number's text by a format model.

    Args:
        digits: SQL of the number as decimal digits (VARCHAR).
        model: SQL of the model.
    """
    return f"sf_format_number({digits}, {model})"


def parse_sql(text: str, model: str) -> str:
    """SQL of the decimal digits (VARCHAR) that a text stands for by a format model; NULL if it does not fit."""
    return f"sf_parse_number({text}, {model})"


@dataclass(frozen=True, slots=True)
class _Model:
    """A numeric format model taken apart.

    Args:
        elements: (name, text): ``0``, ``9``, ``.``, ``,``, ``X``, ``$``, ``S``, ``MI``, or "" with a literal's text.
        compact: FM was given: no blanks.
        blank_zero: B: a whole part of zero is blank.
        exponent: E's, the exponent's width and sign; 0 for a fixed-point model.
        minimal: TM, TM9 or TME, else "".
    """

    elements: tuple[tuple[str, str], ...]
    compact: bool = False
    blank_zero: bool = False
    exponent: int = 0
    minimal: str = ""


@lru_cache(maxsize=200)
def _read(model: str) -> _Model:
    elements: list[tuple[str, str]] = []
    compact = blank_zero = False
    exponent, minimal = 0, ""
    for found in _ELEMENT.finditer(model):
        if found[1] is not None:
            elements.append(("", found[1].replace('""', '"')))
            continue
        name = (found[2] or "").upper()
        if name == "FM":
            compact = True
        elif name == "B":
            blank_zero = True
        elif name.startswith("TM"):
            minimal = name
            elements.append(("TM", ""))
        elif name.startswith("E"):
            exponent = len(name)
            elements.append(("E", ""))
        elif name:
            elements.append(({"D": ".", "G": ","}.get(name, name), found[0]))
        else:
            elements.append(("", found[3]))
    if not minimal and not any(name in ("0", "9", "X") for name, _ in elements):
        raise SnowflakeError(100107, "22007", f"Bad output format '{model}'")
    return _Model(tuple(elements), compact, blank_zero, exponent, minimal)


@python_function("sf_format_number", ["VARCHAR", "VARCHAR"], "VARCHAR")
def format_number(text: str | None, model: str | None) -> str | None:
    """A number's text by a format model.

    Args:
        text: the number as decimal digits.
        model: the format model.
    """
    if text is None or model is None:
        return None
    parsed = _read(model)
    value = Decimal(text)
    if not value.is_finite():
        return text
    if parsed.minimal:
        number = _minimal(value, text, parsed.minimal)
        return "".join(number if name == "TM" else literal for name, literal in parsed.elements)
    if any(name == "X" for name, _ in parsed.elements):
        return _hexadecimal(value, parsed)
    return _fixed(value, parsed)


def _minimal(value: Decimal, text: str, kind: str) -> str:
    if kind == "TME" or (kind == "TM" and "e" in text.lower()):
        sign, digits, exponent = value.normalize(_WIDE).as_tuple()
        mantissa = "".join(map(str, digits))
        power = int(exponent) + len(mantissa) - 1 if value else 0
        fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        return f"{'-' if sign else ''}{mantissa[0]}{fraction}E{power}"
    return f"{value:f}"


def _hexadecimal(value: Decimal, model: _Model) -> str:
    places = sum(name in ("0", "X") for name, _ in model.elements)
    number = int(value.quantize(Decimal(1), ROUND_HALF_UP, _WIDE))
    signed = any(name in ("S", "MI") for name, _ in model.elements)
    magnitude = abs(number) if signed else number % (16**places)
    digits = f"{magnitude:X}"
    leading_zero = next(name for name, _ in model.elements if name in ("0", "X")) == "0"
    digits = digits.rjust(places, "0" if leading_zero else " ") if len(digits) <= places else "#" * places
    position, pieces = 0, []
    for name, literal in model.elements:
        if name in ("0", "X"):
            pieces.append(digits[position].lower() if literal == "x" else digits[position])
            position += 1
        elif name == "S":
            pieces.append("-" if number < 0 else "+")
        elif name == "MI":
            pieces.append("-" if number < 0 else " ")
        else:
            pieces.append(literal)
    result = "".join(pieces)
    return result.replace(" ", "") if model.compact else result


def _fixed(value: Decimal, model: _Model) -> str:
    names = [name for name, _ in model.elements]
    point = names.index(".") if "." in names else len(names)
    whole_places = sum(name in ("0", "9") for name in names[:point])
    fraction_places = sum(name in ("0", "9") for name in names[point:])
    negative = value < 0
    magnitude = abs(value)
    power = 0
    if model.exponent and magnitude:
        power = magnitude.adjusted() - (whole_places - 1)
        magnitude = magnitude.scaleb(-power, _WIDE)
    rounded = magnitude.quantize(Decimal(1).scaleb(-fraction_places), ROUND_HALF_UP, _WIDE)
    if not rounded:
        negative = False
    whole, _, fraction = f"{rounded:f}".partition(".")
    too_large = len(whole.lstrip("0")) > whole_places
    whole = "" if not whole.strip("0") else whole
    digits = whole.rjust(whole_places) if not too_large else "#" * whole_places
    if too_large:
        fraction = "#" * fraction_places
    return _lay_out(model, digits, fraction, negative, too_large, power)


def _lay_out(model: _Model, digits: str, fraction: str, negative: bool, too_large: bool, power: int) -> str:
    """The pieces in the order of the model; blanks, sign and currency stand just before the first digit."""
    signed = any(name in ("S", "MI") for name, _ in model.elements)
    front, blanks, currency = "", "", ""
    sign = "-" if negative and not signed else ""
    if not signed and not negative:
        blanks = " "
    pieces: list[str] = []
    kept = len(fraction.rstrip("0"))
    whole_at = fraction_at = 0
    after_point = False
    for name, literal in model.elements:
        started = bool(pieces) or after_point
        if name in ("0", "9") and not after_point:
            digit = digits[whole_at]
            whole_at += 1
            units = whole_at == len(digits) and not model.blank_zero
            if digit == " " and (name == "0" or started or units):
                digit = "0"
            if digit == " ":
                blanks += digit
            else:
                pieces.append(digit)
        elif name in ("0", "9"):
            blank = name == "9" and fraction_at >= kept and not too_large
            pieces.append(" " if blank else fraction[fraction_at])
            fraction_at += 1
        elif name == ".":
            after_point = True
            pieces.append(".")
        elif name == "," and not started:
            blanks += " "
        elif name == "$" and not started:
            currency = "$"
        elif name in ("S", "MI"):
            mark = "-" if negative else "+" if name == "S" else " "
            if started:
                pieces.append(mark)
            else:
                sign = mark
        elif name == "E":
            plus = "+" if model.exponent > 2 else ""
            pieces.append(f"E{'-' if power < 0 else plus}{abs(power):0{max(model.exponent - 2, 1)}d}")
        elif started:
            pieces.append(literal)
        else:
            front += literal
    if model.compact:
        return front + sign.strip() + currency + "".join(pieces).replace(" ", "")
    return front + blanks + sign + currency + "".join(pieces)


_LAX_SIGN = re.compile(r"\s*([+-]?)\s*(.*?)\s*([+-]?)\s*", re.DOTALL)


@python_function("sf_parse_number", ["VARCHAR", "VARCHAR"], "VARCHAR")
def parse_number(text: str | None, model: str | None) -> str | None:
    """The number, as decimal digits, that a text stands for by a format model; None if it does not fit.

    Args:
        text: what to read.
        model: the format model.
    """
    if text is None or model is None:
        return None
    parsed = _read(model)
    names = [name for name, _ in parsed.elements]
    body = text
    for name, literal in parsed.elements:
        if name == "" and literal.strip():
            if literal not in body:
                return None
            body = body.replace(literal, "", 1)
    found = _LAX_SIGN.fullmatch(body)
    if found is None or (found[1] and found[3]):
        return None
    sign, body = found[1] or found[3], found[2]
    if "$" in names:
        body = body.removeprefix("$").lstrip()
        if not sign and body[:1] in ("+", "-"):
            sign, body = body[0], body[1:]
    elif "$" in body:
        return None
    if "X" in names:
        return _parse_hexadecimal(body, sign)
    if "," in body:
        if "," not in names or not re.fullmatch(r"[\d,]*\d(\.\d*)?", body):
            return None
        body = body.replace(",", "")
    if not re.fullmatch(
        r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?" if parsed.exponent or parsed.minimal else r"\d+\.?\d*|\.\d+", body, re.I
    ):
        return None
    if not parsed.minimal and not parsed.exponent:
        point = names.index(".") if "." in names else len(names)
        whole, _, fraction = body.partition(".")
        if len(whole.lstrip("0")) > sum(name in ("0", "9") for name in names[:point]):
            return None
        if len(fraction) > sum(name in ("0", "9") for name in names[point:]) or ("." in body and "." not in names):
            return None
    try:
        return f"{Decimal(sign.replace('+', '') + body):f}"
    except InvalidOperation:
        return None


def _parse_hexadecimal(body: str, sign: str) -> str | None:
    if not re.fullmatch(r"[0-9a-fA-F]+", body):
        return None
    return str(-int(body, 16) if sign == "-" else int(body, 16))
