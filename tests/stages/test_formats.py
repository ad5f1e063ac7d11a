"""Options of file formats."""

from __future__ import annotations

from typing import Any

import pytest

from polynya.errors import SnowflakeError
from polynya.stages.formats import describe, file_format


@pytest.mark.parametrize(
    ("option", "written", "value"),
    [
        ("FIELD_DELIMITER", "\\t", "\t"),
        ("FIELD_DELIMITER", "\\001", "\x01"),
        ("FIELD_DELIMITER", "0x7C", "|"),
        ("FIELD_DELIMITER", "||", "||"),
        ("FIELD_DELIMITER", "NONE", None),
        ("RECORD_DELIMITER", "\\r\\n", "\r\n"),
        ("ESCAPE", "none", None),
        ("FIELD_OPTIONALLY_ENCLOSED_BY", '\\"', '"'),
        ("FIELD_OPTIONALLY_ENCLOSED_BY", "", None),
        ("SKIP_HEADER", "1", 1),
        ("TRIM_SPACE", "true", True),
        ("NULL_IF", "none", ["none"]),
        ("NULL_IF", [], []),
        ("COMPRESSION", "gzip", "GZIP"),
        ("DATE_FORMAT", "auto", "AUTO"),
    ],
)
def test_values(option: str, written: Any, value: Any) -> None:
    assert file_format({"TYPE": "csv", option: written})[option] == value


@pytest.mark.parametrize(
    "options",
    [
        {"TYPE": "XLS"},
        {"TYPE": "CSV", "NO_SUCH_OPTION": 1},
        {"TYPE": "CSV", "FIELD_OPTIONALLY_ENCLOSED_BY": '""'},
        {"TYPE": "CSV", "FIELD_OPTIONALLY_ENCLOSED_BY": "x"},
        {"TYPE": "CSV", "SKIP_HEADER": -1},
        {"TYPE": "CSV", "SKIP_HEADER": "x"},
        {"TYPE": "CSV", "TRIM_SPACE": "maybe"},
        {"TYPE": "CSV", "ENCODING": "KLINGON"},
        {"TYPE": "CSV", "COMPRESSION": "RAR"},
        {"TYPE": "CSV", "PARSE_HEADER": True, "SKIP_HEADER": 1},
        {"TYPE": "CSV", "FIELD_DELIMITER": "\n", "RECORD_DELIMITER": "\n"},
    ],
)
def test_what_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SnowflakeError):
        file_format(options)


def test_describe_shows_escapes_and_the_type_as_it_was_written() -> None:
    rows = {row[0]: row[1:] for row in describe({"TYPE": "csv", "FIELD_OPTIONALLY_ENCLOSED_BY": '"', "ESCAPE": "\\"})}
    assert rows["TYPE"] == ("String", "csv", "CSV")
    assert rows["FIELD_OPTIONALLY_ENCLOSED_BY"] == ("String", '\\"', "NONE")
    assert rows["ESCAPE"] == ("String", "\\\\", "NONE")
    assert rows["RECORD_DELIMITER"] == ("String", "\\n", "\\n")
    assert rows["NULL_IF"] == ("List", "[\\\\N]", "[\\\\N]")
    assert rows["TRIM_SPACE"] == ("Boolean", "false", "false")
