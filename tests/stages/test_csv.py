"""CSV as Snowflake reads it: cases for our own parser, and the engine's reader measured against it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from polynya.stages import csv, scan
from polynya.stages.csv_parser import CsvParser
from polynya.stages.formats import FileFormat, file_format
from polynya.stages.store import StagedFile

QUOTED = {"FIELD_OPTIONALLY_ENCLOSED_BY": '"'}


def read(text: str, options: dict[str, Any]) -> list[list[str | None]]:
    return [record.fields for record in CsvParser(file_format({"TYPE": "CSV", **options})).records([text])]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a,b\n1,2\n", {}, [["a", "b"], ["1", "2"]]),
        ("a,b\r\n1,2\r\n", {}, [["a", "b"], ["1", "2"]]),
        ("a,b\n1,2", {}, [["a", "b"], ["1", "2"]]),
        ("a,\n", {}, [["a", None]]),
        ("a,\n", {"EMPTY_FIELD_AS_NULL": False}, [["a", ""]]),
        ('a,""\n', QUOTED, [["a", ""]]),
        ('"a,b","c""d"\n', QUOTED, [["a,b", 'c"d']]),
        ('"a\nb",c\n', QUOTED, [["a\nb", "c"]]),
        ('"a",b\n', {}, [['"a"', "b"]]),
        ("'it''s',b\n", {"FIELD_OPTIONALLY_ENCLOSED_BY": "'"}, [["it's", "b"]]),
        (' "a" ,b\n', QUOTED, [[' "a" ', "b"]]),
        (' "a" , b \n', {**QUOTED, "TRIM_SPACE": True}, [["a", "b"]]),
        ("\\N,x\n", {}, [[None, "x"]]),
        ('"\\N",x\n', QUOTED, [[None, "x"]]),
        ("NULL,,x\n", {"NULL_IF": ["NULL", ""]}, [[None, None, "x"]]),
        ("a\\,b,c\\\\d\n", {}, [["a,b", "c\\d"]]),
        ("a\\,b\n", {"ESCAPE_UNENCLOSED_FIELD": "NONE"}, [["a\\", "b"]]),
        ('"a\\"b",c\n', {**QUOTED, "ESCAPE": "\\"}, [['a"b', "c"]]),
        ("a||b\n", {"FIELD_DELIMITER": "||"}, [["a", "b"]]),
        ("a;b#c;d#", {"FIELD_DELIMITER": ";", "RECORD_DELIMITER": "#"}, [["a", "b"], ["c", "d"]]),
        ("a,b\n", {"FIELD_DELIMITER": "NONE"}, [["a,b"]]),
        ("h\n1\n", {"SKIP_HEADER": 1}, [["1"]]),
        ('"h\n1\n', {**QUOTED, "SKIP_HEADER": 1}, [["1"]]),
        ("1\n\n2\n", {}, [["1"], [None], ["2"]]),
        ("1\n\n2\n", {"SKIP_BLANK_LINES": True}, [["1"], ["2"]]),
        ("\ufeffa\n", {}, [["a"]]),
        ("", {}, []),
    ],
)
def test_records(text: str, options: dict[str, Any], expected: list[list[str | None]]) -> None:
    assert read(text, options) == expected


def test_where_records_and_fields_begin() -> None:
    parser = CsvParser(file_format({"TYPE": "CSV", "SKIP_HEADER": 1, **QUOTED}))
    first, second = parser.records(['h,h\na,"b\nc"\nd,e\n'])
    assert (first.row, first.line, first.starts) == (1, 2, [(2, 1), (2, 3)])
    assert (second.row, second.line, second.starts) == (2, 4, [(4, 1), (4, 3)])


def test_a_field_that_goes_on_after_its_quote() -> None:
    good, bad, after = CsvParser(file_format({"TYPE": "CSV", **QUOTED})).records(['a,b\n"c"d,e\nf,g\n'])
    assert good.problem is None and after.fields == ["f", "g"]
    assert bad.problem is not None
    assert bad.problem.message == "Found character 'd' instead of field delimiter ','"
    assert (bad.problem.line, bad.problem.character, bad.problem.column) == (2, 4, 1)


def test_a_quote_that_is_never_closed() -> None:
    records = list(CsvParser(file_format({"TYPE": "CSV", **QUOTED})).records(['a,b\n"c,d\n']))
    assert records[0].problem is None
    assert records[1].problem is not None


# --- the engine's reader against ours ---------------------------------------------------------------------------------


def _random_text(rng: random.Random, width: int, quoted: bool) -> str:
    newline = rng.choice(["\n", "\n", "\r\n"])
    odd = rng.random() < 0.3

    def field() -> str:
        text = rng.choice(["", "a", "b c", "12", "\\N", "NULL", "é", "xxxxx", "0.5"])
        if odd and rng.random() < 0.1:
            text = rng.choice([" a", "a ", "\\t", 'a"b', "\\,", "a\\b", '"', 'a""b'])
        if quoted and rng.random() < 0.4:
            if rng.random() < 0.2:
                text += rng.choice([",", '""', "\n", "\r\n", "a b"])
            text = f'"{text}"'
            if odd and rng.random() < 0.1:
                text = rng.choice([f" {text}", f"{text} ", f"{text}x"])
        return text

    lines = []
    for _ in range(rng.randint(0, 6)):
        count = rng.randint(1, width + 2) if odd and rng.random() < 0.15 else width
        lines.append(",".join(field() for _ in range(count)))
        if odd and rng.random() < 0.1:
            lines.append("")
    return newline.join(lines) + (newline if lines and rng.random() < 0.7 else "")


def _random_options(rng: random.Random) -> dict[str, Any]:
    choices: list[tuple[float, str, list[Any]]] = [
        (0.6, "FIELD_OPTIONALLY_ENCLOSED_BY", ['"']),
        (0.3, "NULL_IF", [["NULL"], ["\\N", "NULL"], [""], ["NULL", ""]]),
        (0.3, "EMPTY_FIELD_AS_NULL", [False]),
        (0.2, "TRIM_SPACE", [True]),
        (0.2, "SKIP_HEADER", [1, 2]),
        (0.2, "SKIP_BLANK_LINES", [True]),
        (0.2, "ESCAPE_UNENCLOSED_FIELD", ["NONE"]),
        (0.1, "ESCAPE", ["\\"]),
    ]
    return {name: rng.choice(values) for chance, name, values in choices if rng.random() < chance}


def _facts(path: Path, chosen: FileFormat) -> scan.Facts:
    facts = scan.scan_file(path, chosen)
    facts.widths_at_end = scan.widths_at_end(path, chosen)
    return facts


def test_the_engine_reads_what_it_is_given_as_our_parser_does(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    engine = duckdb.connect()
    path = tmp_path / "x.csv"
    compared = 0
    for _ in range(1500):
        width, options = rng.randint(1, 4), _random_options(rng)
        chosen = file_format({"TYPE": "CSV", **options})
        text = _random_text(rng, width, "FIELD_OPTIONALLY_ENCLOSED_BY" in options)
        path.write_bytes(text.encode())
        records = list(CsvParser(chosen).records([text]))
        in_pieces = list(CsvParser(chosen).records(list(text)))
        assert [(r.fields, r.line, r.starts) for r in records] == [(r.fields, r.line, r.starts) for r in in_pieces]
        file = csv.CsvFile(StagedFile("x", "x", 1, datetime.now(UTC), path), path, _facts(path, chosen))
        if not csv.engine_reads(file, chosen, width, exact=True):
            continue
        files = csv.CsvScan([file], chosen, width, exact=True)
        try:
            got = engine.execute(f"SELECT {', '.join(files.values())} FROM {files.relation()}").fetchall()
        except duckdb.Error:
            continue  # such a file is then read by our parser
        assert not any(r.problem or len(r.fields) != width for r in records), (text, options)
        assert got == [tuple(r.fields) for r in records], (text, options)
        compared += 1
    assert compared > 500
